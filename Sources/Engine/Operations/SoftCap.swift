extension Tape {
  /// `cap * tanh(x / cap)`: bounds logits smoothly (Gemma Team, "Gemma 2", 2024).
  ///
  /// - Parameter cap: Positive.
  public func softcap(_ x: Tensor, _ cap: Double) -> Tensor { apply(Pointwise.softcap(cap), [x])[0] }
}

extension Pointwise {
  /// `cap * tanh(x / cap)` of every element.
  public static func softcap(_ cap: Double) -> Pointwise {
    precondition(cap > 0 && cap.isFinite, "softcap \(cap) is not a positive number")
    return Pointwise(PointwiseProgram(inputs: 1) { [cap * ($0[0] / cap).tanh()] })
  }
}
