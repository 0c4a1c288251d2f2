/// What a model learns.
public enum DataTask: String, Sendable, CaseIterable {
  /// The next token of a text.
  case text
  /// Multi-query associative recall, generated: the values of keys seen before.
  case mqar
}

/// The generated task.
public struct TaskSettings: Sendable, Equatable {
  /// Pairs of key and value in a sequence.
  public var pairs = 8
  /// Sequences that evaluations measure on.
  public var heldOut = 128

  /// The defaults.
  public init() {}
}
