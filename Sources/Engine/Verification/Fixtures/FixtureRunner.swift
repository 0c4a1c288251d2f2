import Files
import Kernels

/// Runs a folder of fixtures: an area, a folder of models or tokenizers, or all of them.
///
/// Every tensor `output.*` and `gradient.*` of every file is compared. What nothing here computes is reported as
/// unsupported, never as passed.
public struct FixtureRunner {
  /// What is run: a file, a model folder or a tokenizer folder.
  public struct Item: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
      case operation
      case model
      case tokenizer
    }

    /// The path below the folder of fixtures, without the file's ending.
    public let name: String
    public let path: String
    let kind: Kind
  }

  /// What will be run, sorted by name.
  public let items: [Item]

  /// - Parameter path: A folder, searched with all folders in it, or one safetensors file.
  /// - Throws: `FileError` when a folder cannot be read, ``FixtureError/noCases(path:)`` when there is nothing to run.
  public init(_ path: String) throws {
    var items: [Item] = []
    if path.hasSuffix(Self.ending), !Folder.isFolder(path) {
      let name = path.split(separator: "/").last.map(String.init) ?? path
      items.append(Item(name: Self.withoutEnding(name), path: path, kind: .operation))
    } else {
      try Self.collect(path, name: "", depth: 0, &items)
    }
    guard !items.isEmpty else { throw FixtureError.noCases(path: path) }
    self.items = items
  }

  private static let ending = ".safetensors"
  private static let depthLimit = 16

  private static func withoutEnding(_ name: String) -> String {
    name.hasSuffix(ending) ? String(name.dropLast(ending.count)) : name
  }

  private static func collect(_ path: String, name: String, depth: Int, _ items: inout [Item]) throws {
    guard depth < depthLimit else { throw FixtureError.tooDeep(path: path) }
    let names = try Folder.names(in: path)
    // A folder is named by itself when it is all that is run.
    let own = name.isEmpty ? path.split(separator: "/").last.map(String.init) ?? path : name
    if names.contains(ModelFixtures.referenceFile), names.contains("config.json") {
      return items.append(Item(name: own, path: path, kind: .model))
    }
    if names.contains(TokenizerFixtures.casesFile) {
      return items.append(Item(name: own, path: path, kind: .tokenizer))
    }
    for entry in names {
      let inner = path.hasSuffix("/") ? path + entry : path + "/" + entry
      let label = name.isEmpty ? entry : name + "/" + entry
      if Folder.isFolder(inner) {
        try collect(inner, name: label, depth: depth + 1, &items)
      } else if entry.hasSuffix(ending) {
        items.append(Item(name: withoutEnding(label), path: inner, kind: .operation))
      }
    }
  }

  /// The results of all items on `device`, each computed when it is asked for.
  public func results(on device: any OperationDevice) -> some Sequence<FixtureResult> {
    items.lazy.map { Self.run($0, on: device) }
  }

  /// Runs one item; errors become part of the result.
  public static func run(_ item: Item, on device: any OperationDevice) -> FixtureResult {
    let clock = ContinuousClock()
    let start = clock.now
    var result = FixtureResult(name: item.name)
    do {
      switch item.kind {
      case .tokenizer: try runTokenizer(item, &result)
      case .operation, .model: try runTensors(item, &result, on: device)
      }
    } catch FixtureError.unsupported(let reason) {
      (result.verdict, result.message) = (.unsupported, reason)
    } catch {
      (result.verdict, result.message) = (.failed, "\(error)")
    }
    // A failure that the device still keeps belongs to this case, not to the next.
    do {
      try device.finish()
    } catch {
      (result.verdict, result.message) = (.failed, "\(error)")
    }
    result.seconds = (clock.now - start) / .seconds(1)
    return result
  }

  private static func runTensors(
    _ item: Item, _ result: inout FixtureResult, on device: any OperationDevice,
  ) throws {
    let isModel = item.kind == .model
    let fixture = try FixtureCase(path: isModel ? item.path + "/" + ModelFixtures.referenceFile : item.path)
    result.operation = fixture.operation
    let values: FixtureValues
    if isModel {
      values = try ModelFixtures.values(of: fixture, folder: item.path, on: device)
    } else {
      guard let adapter = FixtureCatalogue.adapter(for: fixture.operation) else {
        throw FixtureError.unsupported("nothing here computes '\(fixture.operation)'")
      }
      values = try adapter.values(of: fixture, on: device)
    }
    let comparison = try FixtureComparison(values, with: fixture)
    result.worst = comparison.worst.map { FixtureResult.Worst(tensor: $0.tensor, ratio: $0.ratio) }
    result.verdict = comparison.problems.isEmpty ? .passed : .failed
    result.message = comparison.problems.joined(separator: "\n")
  }

  private static func runTokenizer(_ item: Item, _ result: inout FixtureResult) throws {
    result.operation = "tokenizer"
    let verdict = try TokenizerFixtures.run(item.path)
    result.verdict = verdict.problems.isEmpty ? .passed : .failed
    result.message =
      verdict.problems.isEmpty
      ? "\(verdict.count) texts"
      : "\(verdict.problems.count) of \(verdict.count) texts differ\n"
        + verdict.problems.prefix(3).joined(separator: "\n")
  }
}

/// The verdict on one fixture.
public struct FixtureResult: Sendable {
  public enum Verdict: String, Sendable, Hashable, CaseIterable {
    case passed
    case failed
    /// Nothing here computes it.
    case unsupported
  }

  /// The largest error in units of what the fixture allows: above 1 is outside.
  public struct Worst: Sendable, Hashable {
    public let tensor: String
    public let ratio: Double
  }

  /// The path below the folder of fixtures, without the file's ending.
  public let name: String
  /// The fixture's operation; empty when the file could not be read.
  public internal(set) var operation = ""
  public internal(set) var verdict = Verdict.failed
  /// Nil where nothing was compared number by number.
  public internal(set) var worst: Worst?
  /// What is wrong, or why nothing was run; may be empty.
  public internal(set) var message = ""
  public internal(set) var seconds = 0.0

  init(name: String) { self.name = name }
}
