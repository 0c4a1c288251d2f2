/// Why data cannot be read, split or cut into windows.
public enum DataError: Error, Sendable, Equatable {
  /// The ending of a file's name says nothing we can read.
  case unknownFormat(path: String, hint: String)
  /// A folder has no file we can read.
  case noDataFiles(folder: String, skipped: [String])
  /// A folder has text and ready tokens side by side.
  case mixedFolder(folder: String, text: String, tokens: String)
  /// There is nothing in the data.
  case empty(name: String)
  /// A line of a .jsonl file is not an object with `text`.
  case invalidLine(path: String, line: Int, problem: String, hint: String)
  /// A .bin file is damaged or of an unknown version.
  case invalidTokenFile(path: String, problem: String, hint: String)
  /// A token the vocabulary does not have; `position` counts tokens from 0.
  case tokenOutOfRange(name: String, position: Int, token: Int, vocabularySize: Int)
  /// Fewer tokens than the smallest use needs.
  case tooShort(use: String, tokens: Int, needed: Int, hint: String)
  /// A window or a batch too small to hold anything that is scored.
  case invalidSize(quantity: String, value: Int, minimum: Int)
  /// The data cannot be divided as asked.
  case cannotSplit(name: String, fraction: Double, problem: String, hint: String)
  /// A generated task whose sizes contradict each other.
  case impossibleTask(problem: String, needed: String, hint: String)
  /// End-of-text tokens were asked for and the tokenizer has none.
  case noEndOfText(name: String)
  /// The text of ready tokens was asked for.
  case noText(name: String)
}

extension DataError: CustomStringConvertible {
  /// What failed, the values and the way out.
  public var description: String {
    let (problem, values, hint) = parts
    return "\(problem)\n  \(values)\n  hint: \(hint)"
  }

  private var parts: (problem: String, values: String, hint: String) {
    switch self {
    case .unknownFormat(let path, let hint):
      let known = DataFormat.allCases.map(\.fileEnding).joined(separator: ", ")
      return (
        "cannot read '\(path)' as data: its format is unknown", "known: \(known), or a folder of such files",
        hint
      )
    case .noDataFiles(let folder, let skipped):
      return (
        "cannot use the folder '\(folder)' as data: it has no .txt, .jsonl or .bin file",
        "it has: \(skipped.isEmpty ? "nothing" : skipped.prefix(12).joined(separator: ", "))",
        "name the folder that holds the files themselves; folders inside it are not searched"
      )
    case .mixedFolder(let folder, let text, let tokens):
      return (
        "cannot use the folder '\(folder)' as data: it mixes text and ready tokens",
        "text: \(text), tokens: \(tokens)", "name one of the files, or move one kind to a folder of its own"
      )
    case .empty(let name):
      return (
        "cannot use '\(name)' as data: there is nothing in it", "size: no text and no tokens",
        "check that the file was written completely"
      )
    case .invalidLine(let path, let line, let problem, let hint):
      return (
        "cannot read line \(line) of '\(path)': \(problem)",
        "expected: one JSON object a line, such as {\"text\": \"Once upon a time\"}", hint
      )
    case .invalidTokenFile(let path, let problem, let hint):
      return ("cannot read the tokens of '\(path)': \(problem)", Self.tokenLayouts, hint)
    case .tokenOutOfRange(let name, let position, let token, let vocabularySize):
      return (
        "token \(position) of '\(name)' is \(token), which the vocabulary does not have",
        "vocabulary: ids 0 to \(vocabularySize - 1)",
        "set data.tokenizer to the tokenizer the file was made with"
      )
    case .tooShort(let use, let tokens, let needed, let hint):
      return ("too little data for \(use): \(tokens) tokens", "needed: at least \(needed) tokens", hint)
    case .invalidSize(let quantity, let value, let minimum):
      return (
        "cannot cut the data into windows: \(quantity) is \(value)", "smallest: \(minimum)",
        "use a larger value"
      )
    case .cannotSplit(let name, let fraction, let problem, let hint):
      return (
        "cannot split '\(name)' into training and validation: \(problem)",
        "validation fraction: \(fraction)", hint
      )
    case .impossibleTask(let problem, let needed, let hint):
      return ("cannot generate the task: \(problem)", "needed: \(needed)", hint)
    case .noEndOfText(let name):
      return (
        "cannot separate the documents of '\(name)': the tokenizer has no end-of-text token",
        "asked for: an end-of-text token after each document",
        "set data.end_of_text to false, or use a tokenizer that has such a token"
      )
    case .noText(let name):
      return (
        "cannot read text from '\(name)': it holds ready tokens",
        "asked for: the text itself, for example to train a tokenizer",
        "name the .txt or .jsonl files the tokens were made from"
      )
    }
  }

  private static let tokenLayouts = """
    known: bare little-endian uint16; a header of 256 int32 with magic 20240520, version 1 (uint16) or
      magic 20240801, version 7 (uint32)
    """
}
