import Kernels

extension Tape {
  /// Mamba-2's state space recurrence: linear attention with a scalar gate, in its own variables.
  ///
  /// `S_t = exp(dt_t a_h) S_{t-1} + b_t (dt_t x_t)^T [state, p]`, `y_t = S_t^T c_t + d_h x_t`
  ///
  /// - Parameters:
  ///   - x: [batch, time, heads, p].
  ///   - step: dt [batch, time, heads], positive (behind the softplus).
  ///   - decay: a [heads], negative.
  ///   - write: b [batch, time, groups, state], shared by heads / groups neighbouring heads.
  ///   - read: c, like b.
  ///   - skip: d [heads]; nil for none.
  ///   - initialState: [batch, heads, state, p]; nil for 0.
  ///   - documents: int32 [batch, time].
  /// - Returns: y [batch, time, heads, p] and the state behind the last token.
  /// - SeeAlso: Dao and Gu, "Transformers are SSMs", 2024.
  public func stateSpaceDual(
    x: Tensor, step: Tensor, decay: Tensor, write: Tensor, read: Tensor, skip: Tensor?,
    initialState: Tensor? = nil,
    documents: Tensor? = nil,
  ) -> (output: Tensor, finalState: Tensor) {
    let (tokens, heads) = (x.shape[0] * x.shape[1], x.shape[2])
    let gate = apply(Self.scaledColumns, [step.reshaped(to: [tokens, heads]), decay])[0]
    let (output, state) = scalarGatedLinearAttention(
      query: read, key: write, value: scaleRows(x, by: step), gate: gate.reshaped(to: step.shape), scale: 1,
      initialState: initialState, documents: documents)
    guard let skip else { return (output, state) }
    let rows = apply(RepeatRow(rows: tokens), [skip])[0]
    return (add(output, scaleRows(x, by: rows.reshaped(to: step.shape))), state)
  }

  /// x [tokens, heads] times one factor per column.
  private static let scaledColumns = Pointwise(
    PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] }, operands: [.init(0), .init(1, .row)])
}
