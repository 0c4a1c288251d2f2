import Files
public import Terminal

/// Saved results: one file `NAME.jsonl` each in one folder.
public struct BenchmarkStore: Sendable, Hashable {
  /// Where results lie unless somebody says otherwise.
  public static let defaultFolder = "bench/results"

  public let folder: String

  public init(folder: String = Self.defaultFolder) {
    self.folder = folder
  }

  /// The names of the saved results.
  public var names: [String] {
    let files = (try? Folder.names(in: folder)) ?? []
    return files.filter { $0.hasSuffix(".jsonl") && !$0.hasPrefix(".") }.map { String($0.dropLast(6)) }
  }

  /// Throws what `save` would throw, before anything is measured.
  public func checkSaving(_ name: String, overwrite: Bool) throws {
    let path = try path(ofNew: name)
    if !overwrite, Folder.exists(path) { throw BenchmarkStoreError.exists(name: name, path: path) }
    // Later is too late to learn that the folder cannot be made.
    try Folder.create(folder)
  }

  /// Writes a report under a name and returns the path.
  @discardableResult
  public func save(_ report: BenchmarkReport, as name: String, overwrite: Bool) throws -> String {
    try checkSaving(name, overwrite: overwrite)
    let path = try path(ofNew: name)
    let text = report.jsonLines.map { $0.serialized() + "\n" }.joined()
    try AtomicFile.write(Array(text.utf8), to: path, overwrite: overwrite)
    return path
  }

  /// Reads a report by its name, or by a path where the text is one.
  public func load(_ nameOrPath: String) throws -> BenchmarkReport {
    let isPath = nameOrPath.contains("/") || [".jsonl", ".json"].contains { nameOrPath.hasSuffix($0) }
    let path = isPath ? nameOrPath : "\(folder)/\(nameOrPath).jsonl"
    if !isPath, !Folder.exists(path) {
      throw BenchmarkStoreError.unknown(name: nameOrPath, folder: folder, known: names)
    }
    let file = try MappedFile(path: path)
    let bytes = try file.bytes(in: 0..<file.count)
    return try BenchmarkReader(path: path).report(String(decoding: bytes, as: UTF8.self))
  }

  private func path(ofNew name: String) throws -> String {
    let isPlain = name.unicodeScalars.allSatisfy { scalar in
      scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
        || "-_.".unicodeScalars.contains(scalar)
    }
    guard isPlain, !name.isEmpty, !name.hasPrefix("."), !name.hasPrefix("-"), name.utf8.count <= 100,
      ![".json", ".jsonl"].contains(where: { name.hasSuffix($0) })
    else { throw BenchmarkStoreError.badName(name) }
    return "\(folder)/\(name).jsonl"
  }
}

/// Why a saved result could not be written or read.
public enum BenchmarkStoreError: UserError, Hashable {
  /// The name would not be a plain file name.
  case badName(String)
  case exists(name: String, path: String)
  case unknown(name: String, folder: String, known: [String])
  /// The file is no saved result.
  case damaged(path: String, place: String, problem: String)
  /// The file was written by another version of the program.
  case otherSchema(path: String, schema: Int)

  public var message: String {
    switch self {
    case .badName(let name): "'\(name)' cannot be the name of a result"
    case .exists(let name, _): "there is a result named '\(name)' already"
    case .unknown(let name, let folder, _): "no result named '\(name)' in \(folder)"
    case .damaged(let path, _, _): "'\(path)' is no saved benchmark"
    case .otherSchema(let path, let schema):
      "'\(path)' has the schema \(schema); this program reads \(BenchmarkReport.schema)"
    }
  }

  public var details: [String] {
    switch self {
    case .badName: ["letters, digits, '-', '_' and '.', at most 100, no '.json' or '.jsonl' at the end"]
    case .exists(_, let path): ["file: \(path)"]
    case .unknown(_, _, let known): known.isEmpty ? ["nothing is saved there"] : []
    case .damaged(_, let place, let problem): ["\(place): \(problem)"]
    case .otherSchema: []
    }
  }

  public var hints: [String] {
    switch self {
    case .badName: ["--save before-tiling; --results FOLDER says where"]
    case .exists: ["--overwrite replaces it"]
    case .unknown(let name, _, let known):
      known.isEmpty ? ["--save NAME saves a result"] : nameHints(for: name, in: known, noun: "results")
    case .damaged, .otherSchema: ["measure again with --save NAME"]
    }
  }
}
