/// Why a tokenizer cannot be loaded or trained.
///
/// Text that is no JSON throws `JSONError` instead, files
/// that cannot be read or written throw `FileError`.
public enum TokenizerError: Error, Sendable, Equatable {
  /// A folder has no tokenizer file.
  case missingFile(folder: String, expected: [String])
  /// A value has the wrong type.
  case wrongType(source: String, place: String, expected: String, found: String)
  /// A component of a kind this program does not know.
  case unknownComponent(source: String, place: String, name: String, known: [String])
  /// A setting this program knows but does not support.
  case unsupported(source: String, place: String, problem: String, hint: String)
  /// Values that contradict one another.
  case inconsistent(source: String, place: String, problem: String)
  /// A training request that cannot be met.
  case invalidTraining(problem: String, hint: String)
}

extension TokenizerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missingFile(let folder, let expected):
      """
      cannot load a tokenizer: \(folder) has none
        looked for: \(expected.joined(separator: ", "))
        hint: give the folder of a checkpoint with its tokenizer.json, or train one
      """
    case .wrongType(let source, let place, let expected, let found):
      """
      cannot load the tokenizer \(source): '\(place)' is \(found)
        expected: \(expected)
        hint: the file may be damaged; fetch it again
      """
    case .unknownComponent(let source, let place, let name, let known):
      """
      cannot load the tokenizer \(source): '\(place)' is of the unknown kind '\(name)'
        known kinds: \(known.joined(separator: ", "))
        hint: byte-level BPE files (GPT-2, Llama 3, Qwen and their relatives) can be loaded
      """
    case .unsupported(let source, let place, let problem, let hint):
      """
      cannot load the tokenizer \(source): '\(place)': \(problem)
        hint: \(hint)
      """
    case .inconsistent(let source, let place, let problem):
      """
      cannot load the tokenizer \(source): '\(place)': \(problem)
        hint: the file contradicts itself; fetch it again or write it anew
      """
    case .invalidTraining(let problem, let hint):
      """
      cannot train a tokenizer: \(problem)
        hint: \(hint)
      """
    }
  }
}
