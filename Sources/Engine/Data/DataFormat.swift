import Files

/// The kinds of files that hold data, told apart by the ending of their names.
public enum DataFormat: Sendable, Hashable, CaseIterable {
  /// Text; the whole file is one document unless a separator is given.
  case text
  /// One JSON object with `text` a line.
  case jsonLines
  /// Tokens as nanoGPT or llm.c write them.
  case tokens

  /// The ending of the name, with its dot.
  public var fileEnding: String {
    switch self {
    case .text: ".txt"
    case .jsonLines: ".jsonl"
    case .tokens: ".bin"
    }
  }

  /// The format of a file by its name, whatever the case of the letters; nil for any other ending.
  public init?(path: String) {
    guard let format = Self.allCases.first(where: { path.lowercased().hasSuffix($0.fileEnding) }) else {
      return nil
    }
    self = format
  }

  /// What to do about a file of another format.
  static func hint(for path: String) -> String {
    let name = path.lowercased()
    if name.hasSuffix(".gz") || name.hasSuffix(".zst") || name.hasSuffix(".zip") {
      return "unpack it first"
    }
    if name.hasSuffix(".json") { return "write one object a line, with the text under \"text\", as .jsonl" }
    if name.hasSuffix(".parquet") || name.hasSuffix(".csv") || name.hasSuffix(".npy") {
      return "convert it to .jsonl: one object a line, with the text under \"text\""
    }
    return "if it is plain text, give it a name that ends in .txt"
  }
}

/// The bytes of a file, or of a text made in memory.
enum DataBytes: Sendable {
  case memory([UInt8])
  case mapped(MappedFile)

  var count: Int {
    switch self {
    case .memory(let bytes): bytes.count
    case .mapped(let file): file.count
    }
  }

  func withBytes<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    switch self {
    case .memory(let bytes): try body(bytes.span)
    case .mapped(let file): try file.withBytes(body)
    }
  }
}

/// One file of the data.
struct DataFile: Sendable {
  /// The path, or what the text in memory is called.
  let name: String
  let format: DataFormat
  let bytes: DataBytes
}
