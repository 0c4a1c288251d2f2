extension OperandFormat {
  mutating func setEstimator(_ text: String) throws(SyntaxError) {
    guard let known = GradientEstimator(rawValue: text) else {
      throw SyntaxError(
        "there is no estimator '\(text)'",
        hint: "estimator=" + GradientEstimator.allCases.map(\.rawValue).joined(separator: ", "))
    }
    estimator = known
  }

  /// Refuses estimators whose derivative is not that of the whole rounding.
  func checkEstimator(_ text: String) throws(SyntaxError) {
    guard estimator != .straightThrough else { return }
    if block.scaling == .none {
      throw SyntaxError(
        "'\(text)' has an estimator, but no scale below whose largest value numbers stay",
        hint: "a scale=, or estimator=straight_through")
    }
    if hadamard != nil {
      throw SyntaxError(
        "'\(text)' has an estimator, which does not go with a Hadamard transform of the same operand",
        hint: "hadamard=none, or estimator=straight_through")
    }
    if estimator == .full, block.tile == .wholeMatrix {
      throw SyntaxError(
        "'\(text)' differentiates the scales of blocks, but there is one for the whole tensor",
        hint: "estimator=differentiable, or a block=")
    }
  }
}
