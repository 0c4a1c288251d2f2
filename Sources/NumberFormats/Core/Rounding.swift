/// How a value between two neighbours of a format is rounded.
public enum Rounding: Sendable, Hashable {
  /// To the nearer one, from the middle to the one with the even code.
  case nearestEven
  /// To the nearer one, from the middle away from zero.
  case nearestAway
  /// To the larger one with the probability of its nearness, by these random bits; values of the format stay.
  case stochastic(UInt32)
}

/// What becomes of values whose rounding is above the largest finite one.
public enum Overflow: String, Sendable, Hashable, CaseIterable {
  /// The largest finite value, of infinities too.
  case saturate
  /// Infinity, or NaN in formats without infinities; formats without either saturate.
  case ieee
}
