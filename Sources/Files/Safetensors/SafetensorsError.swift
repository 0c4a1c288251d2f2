/// Why a file is not a valid safetensors file, or a tensor not what was asked for.
public enum SafetensorsError: Error, Sendable, Equatable {
  /// The file is shorter than the length of its header.
  case tooShort(path: String, size: Int)
  /// The header is longer than allowed, or than the file.
  case headerTooLong(path: String, length: UInt64, limit: Int)
  /// The header is not a JSON object.
  case header(path: String, problem: String)
  /// `__metadata__` holds something other than strings.
  case metadata(path: String, key: String, kind: String)
  /// An entry lacks a field or has one of another kind.
  case entry(path: String, tensor: String, problem: String)
  /// An entry has an element type nobody knows.
  case unknownType(path: String, tensor: String, type: String)
  /// Type and shape do not make up the bytes of the entry; `expected` is nil when the size overflows or
  /// does not fill whole bytes.
  case wrongSize(
    path: String, tensor: String, type: SafetensorsType, shape: [Int], expected: Int?, actual: Int)
  /// A tensor does not begin where the one before it ends.
  case gapOrOverlap(path: String, tensor: String, begins: Int, expected: Int)
  /// The tensors end before or behind the end of the file.
  case wrongFileSize(path: String, dataSize: Int, tensorSize: Int)
  /// There is no tensor of this name.
  case noSuchTensor(path: String, tensor: String, examples: [String])
  /// A tensor's type has no conversion to the wanted numbers.
  case notConvertible(path: String, tensor: String, type: SafetensorsType, to: String)
  /// A value has no exact counterpart in the wanted type.
  case inexact(path: String, tensor: String, index: Int, value: String, to: String)
  /// A writer was given the same name twice, or a reserved one.
  case invalidName(path: String, tensor: String)
  /// A writer got data for another tensor than the next one, or too many or too few bytes.
  case wrongData(path: String, tensor: String, problem: String)
}

extension SafetensorsError: CustomStringConvertible {
  public var description: String {
    let (what, values, hint) = parts
    return "\(what)\n  \(values)\n  hint: \(hint)"
  }

  private var parts: (what: String, values: String, hint: String) {
    let broken = "the file is damaged or cut off; fetch or write it again"
    switch self {
    case .tooShort(let path, let size):
      return (
        "cannot read '\(path)': not a safetensors file", "size: \(size) bytes, at least 8 needed", broken
      )
    case .headerTooLong(let path, let length, let limit):
      return (
        "cannot read '\(path)': its header is too long", "header: \(length) bytes, at most \(limit)", broken
      )
    case .header(let path, let problem):
      return ("cannot read '\(path)': its header is not a JSON object", problem, broken)
    case .metadata(let path, let key, let kind):
      return (
        "cannot read '\(path)': __metadata__ must map strings to strings", "'\(key)' is \(kind)",
        "write the value as a string"
      )
    case .entry(let path, let tensor, let problem):
      return ("cannot read '\(path)': invalid header entry", "tensor '\(tensor)': \(problem)", broken)
    case .unknownType(let path, let tensor, let type):
      let known = SafetensorsType.allCases.map(\.rawValue).joined(separator: " ")
      return (
        "cannot read '\(path)': unknown element type", "tensor '\(tensor)' has '\(type)'", "known: \(known)"
      )
    case .wrongSize(let path, let tensor, let type, let shape, let expected, let actual):
      let need = expected.map { "\($0) bytes" } ?? "no whole number of bytes that fits 64 bits"
      return (
        "cannot read '\(path)': size of '\(tensor)' does not match its shape",
        "\(type.rawValue) \(shape) needs \(need), the entry has \(actual)", broken
      )
    case .gapOrOverlap(let path, let tensor, let begins, let expected):
      return (
        "cannot read '\(path)': tensors leave a gap or overlap",
        "'\(tensor)' begins at \(begins), the tensor before it ends at \(expected)", broken
      )
    case .wrongFileSize(let path, let dataSize, let tensorSize):
      return (
        "cannot read '\(path)': its size does not match its header",
        "the tensors need \(tensorSize) bytes, the file has \(dataSize)", broken
      )
    case .noSuchTensor(let path, let tensor, let examples):
      return (
        "no tensor '\(tensor)' in '\(path)'", "there are: \(examples.joined(separator: ", "))",
        "check the architecture's table of names"
      )
    case .notConvertible(let path, let tensor, let type, let target):
      return (
        "cannot convert '\(tensor)' of '\(path)' to \(target)", "its type is \(type.rawValue)",
        "read its bytes and decode them by the format they are in"
      )
    case .inexact(let path, let tensor, let index, let value, let target):
      return (
        "cannot convert '\(tensor)' of '\(path)' to \(target) exactly", "element \(index) is \(value)",
        "read it as a wider type"
      )
    case .invalidName(let path, let tensor):
      return (
        "cannot write '\(path)': tensor name not allowed", "'\(tensor)' is given twice or reserved",
        "give every tensor a name of its own"
      )
    case .wrongData(let path, let tensor, let problem):
      return (
        "cannot write '\(path)': wrong data for '\(tensor)'", problem,
        "append the tensors in the writer's order, each with all its bytes"
      )
    }
  }
}
