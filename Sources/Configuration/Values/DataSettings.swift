/// How text becomes tokens.
public enum TokenizerChoice: Sendable, Equatable {
  /// One token a byte.
  case bytes
  /// A `tokenizer.json` or the folder that holds one.
  case file(path: String)
  /// A byte-pair encoding with this many tokens, trained on the run's text.
  case bytePairs(vocabulary: Int)
}

/// Where the text comes from.
public enum TextSource: Sendable, Equatable {
  /// The small corpus inside the program.
  case embedded
  /// A file or folder.
  case path(String)
}

/// The text and its tokens.
public struct DataSettings: Sendable, Equatable {
  /// The name that stands for the corpus inside the program.
  public static let embeddedName = "embedded"

  /// Text, or a task that is generated.
  public var task = DataTask.text
  /// Text file, token file or folder; `embedded` for the corpus inside the program.
  public var path: String?
  /// Validation text of its own.
  public var validation: String?
  /// The tokenizer.
  public var tokenizer = TokenizerChoice.bytes
  /// Share of the text, from its end, that validates when there is no `validation`.
  public var validationFraction = 0.1
  /// What stands between the documents of a .txt; empty if the file is one document.
  public var separator = ""
  /// Whether an end-of-text token follows each document.
  public var endOfText = false

  /// The defaults.
  public init() {}

  /// What a run is called after: its text, or its task; nil where no text was named.
  public var name: String? { task == .text ? path : task.rawValue }

  /// The training text, nil where none was named.
  public var source: TextSource? {
    path.map { $0 == DataSettings.embeddedName ? .embedded : .path($0) }
  }
}

/// Tokens per optimizer step and how they are cut.
public struct BatchSettings: Sendable, Equatable {
  /// Tokens per optimizer step.
  public var tokens = 2048
  /// Sequences per micro-batch.
  public var micro = 8
  /// Layers keep only their inputs for the backward.
  public var recompute = false

  /// The defaults.
  public init() {}
}
