import Files

/// One file of reference numbers: inputs, and what an operation must make of them.
///
/// A safetensors file whose metadata hold `op`, `attributes` (a JSON object), `source`, `rtol` and `atol`, and whose
/// tensors are `input.<name>`, `output.<name>`, `cotangent.<output>` (upstream gradients) and `gradient.<input>`.
public struct FixtureCase: Sendable {
  public let path: String
  /// The operation's name, as in `op`.
  public let operation: String
  /// The implementation and version that made the numbers.
  public let source: String
  /// A value passes when `|got - want| <= absoluteTolerance + relativeTolerance * |want|`.
  public let relativeTolerance: Double
  public let absoluteTolerance: Double

  let attributes: FixtureAttributes
  private let file: SafetensorsFile

  /// - Throws: `FixtureError`, `SafetensorsError` or `FileError`, each naming the file and what is wrong with it.
  public init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    func text(_ key: String) throws -> String {
      guard let value = file.metadata[key] else { throw FixtureError.missingMetadata(path: path, key: key) }
      return value
    }
    func tolerance(_ key: String) throws -> Double {
      let value = try text(key)
      guard let number = Double(value), number.isFinite, number >= 0 else {
        throw FixtureError.metadata(
          path: path, key: key, value: value, expected: "a number that is not negative")
      }
      return number
    }
    self.path = path
    self.file = file
    operation = try text("op")
    source = file.metadata["source"] ?? ""
    relativeTolerance = try tolerance("rtol")
    absoluteTolerance = try tolerance("atol")
    attributes = try FixtureAttributes(try text("attributes"), path: path)
    guard !expectedNames.isEmpty else { throw FixtureError.nothingExpected(path: path) }
  }

  /// Everything that must be compared: the tensors `output.*` and `gradient.*`, in order.
  public var expectedNames: [String] {
    file.entries.map(\.name).filter { $0.hasPrefix("output.") || $0.hasPrefix("gradient.") }.sorted()
  }

  /// What follows `prefix` in the names of the tensors that begin with it, in order.
  func names(after prefix: String) -> [String] {
    file.entries.map(\.name).filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
      .sorted()
  }

  func contains(_ name: String) -> Bool { file.contains(name) }

  func shape(_ name: String) throws -> Shape { Shape(try file.entry(name).shape) }

  /// The values of a tensor, whatever its element type.
  func value(_ name: String) throws -> FixtureValue {
    FixtureValue(try file.entry(name).shape, try file.doubles(name))
  }

  /// The values of an integer tensor.
  func integers(_ name: String) throws -> [Int32] { try file.integers(name) }

  func floats(_ name: String) throws -> [Float] { try file.floats(name) }

  /// Uploads a tensor: bytes and Booleans as uint8, other integers as int32, the rest as float32.
  func tensor(_ name: String, on device: any OperationDevice) throws -> Tensor {
    let shape = try shape(name)
    switch try file.entry(name).type {
    case .uint8, .bool: return Tensor(try file.bytes(of: name), shape: shape, on: device)
    case .int8, .int16, .uint16, .int32, .uint32, .int64, .uint64:
      return Tensor(try file.integers(name), shape: shape, on: device)
    case .float16, .bfloat16, .float32, .float64, .complex64, .fp4E2M1, .fp6E2M3, .fp6E3M2, .fp8E5M2,
      .fp8E4M3,
      .fp8E8M0, .fp8E4M3FNUZ, .fp8E5M2FNUZ:
      return Tensor(try file.floats(name), shape: shape, on: device)
    }
  }

  /// A problem with this file that the format alone does not show.
  func invalid(_ problem: String) -> FixtureError { .invalid(path: path, problem: problem) }
}

/// A tensor for comparison: shape and values in double precision.
struct FixtureValue: Sendable {
  let shape: [Int]
  let values: [Double]

  init(_ shape: [Int], _ values: [Double]) {
    self.shape = shape
    self.values = values
  }
}

/// Got values by tensor name: `output.<name>` and `gradient.<name>`.
typealias FixtureValues = [String: FixtureValue]

/// Why a fixture cannot be run.
public enum FixtureError: Error, Sendable, CustomStringConvertible {
  case missingMetadata(path: String, key: String)
  case metadata(path: String, key: String, value: String, expected: String)
  case attribute(path: String, key: String, value: String?, expected: String)
  case nothingExpected(path: String)
  case invalid(path: String, problem: String)
  case noCases(path: String)
  case tooDeep(path: String)
  /// The file is in order, but nothing here computes it.
  case unsupported(String)

  public var description: String {
    switch self {
    case .missingMetadata(let path, let key):
      """
      cannot run the fixture \(path): its metadata lack '\(key)'
        hint: a fixture's __metadata__ hold op, attributes, source, rtol and atol
      """
    case .metadata(let path, let key, let value, let expected):
      "cannot run the fixture \(path): '\(key)' in its metadata is '\(value)'\n  expected: \(expected)"
    case .attribute(let path, let key, let value, let expected):
      "cannot run the fixture \(path): its attribute '\(key)' is \(value ?? "missing")\n  expected: \(expected)"
    case .nothingExpected(let path):
      """
      cannot run the fixture \(path): it has no tensor 'output.<name>' or 'gradient.<name>'
        hint: without one there is nothing to compare
      """
    case .invalid(let path, let problem): "cannot run the fixture \(path): \(problem)"
    case .noCases(let path):
      """
      no fixtures in \(path)
        expected: files <op>__<case>.safetensors, folders with config.json and reference.safetensors, or folders \
      with cases.jsonl, at any depth
      """
    case .tooDeep(let path): "\(path) lies too deep\n  hint: does a link lead back to a folder above it?"
    case .unsupported(let reason): reason
    }
  }
}
