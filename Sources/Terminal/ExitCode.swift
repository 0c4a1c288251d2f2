/// What the program tells its caller when it ends.
public enum ExitCode: Int32, Sendable, CaseIterable {
  /// Done.
  case done = 0
  /// The work failed: diverged, verification red, comparison worse than the limit.
  case failed = 1
  /// The user's input: unknown verb, key or value, missing file.
  case invalidInput = 2
  /// Our fault: an unexpected error.
  case internalError = 3
  /// Does not fit: memory, device missing, format unsupported.
  case doesNotFit = 4
  /// Interrupted (SIGINT), checkpoint saved.
  case interrupted = 130
  /// Terminated (SIGTERM), checkpoint saved.
  case terminated = 143

  /// One line for the manual.
  public var meaning: String {
    switch self {
    case .done: "done"
    case .failed: "the work failed (diverged, verification red, comparison worse than the limit)"
    case .invalidInput: "your input: unknown verb, key or value, missing file"
    case .internalError: "our fault: an unexpected error"
    case .doesNotFit: "does not fit: memory, device missing, format unsupported"
    case .interrupted: "interrupted, checkpoint saved"
    case .terminated: "terminated, checkpoint saved"
    }
  }
}
