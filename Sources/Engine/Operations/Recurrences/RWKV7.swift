import Kernels

/// RWKV-7's generalized delta rule: a state with a diagonal and a rank-one transition, fused and in blocks.
///
/// `S_t = diag(exp(w_t)) S_{t-1} + b_t (a_t^T S_{t-1}) + k_t v_t^T`, `o_t = scale S_t^T r_t`
///
/// Inputs: receptance r, log_decay w, key k, removal a, replacement b [batch, time, heads, k], value [batch, time, heads,
/// v], and where the options say so initial_state [batch, heads, k, v] and documents int32 [batch, time]. Outputs: output
/// [batch, time, heads, v], final_state [batch, heads, k, v]. Log decays are natural logarithms, at most 0; below -20 they
/// count as -20, without a gradient. The removal reads the state in front of its token, before it decays. States are
/// [k, v]; RWKV-LM stores their transposes.
///
/// - SeeAlso: Peng et al., "RWKV-7 Goose with Expressive Dynamic State Evolution", 2025.
public struct RWKV7: DifferentiableOperation {
  public static let name = "rwkv7"
  public let options: RecurrenceOptions

  public init(_ options: RecurrenceOptions) { self.options = options }

  /// Position of the first input behind the value.
  static let extrasPosition = 6

  var operands: String {
    "receptance [batch, time, heads, k], log_decay [batch, time, heads, k], key [batch, time, heads, k]"
      + ", removal [batch, time, heads, k], replacement [batch, time, heads, k], value [batch, time, heads, v]"
      + options.operands
  }

  public var signature: String {
    operands + " > output [batch, time, heads, v], final_state [batch, heads, k, v]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape)
      .validate(operation: Self.name, signature: signature)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape)
    // The state is read twice and written twice per token.
    return Cost(
      flops: 4 * size.flopsPerStatePass, bytes: (inputs + outputs).reduce(0) { $0 + Double($1.byteCount) })
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[5].shape)
    for batch in 0..<size.batch {
      for head in 0..<size.heads {
        let steps = steps(inputs, size, batch: batch, head: head)
        for (time, step) in steps.enumerated() {
          let read = size.row(batch, time, head, width: size.width)
          let row = size.row(batch, time, head, width: size.valueWidth)
          for column in 0..<size.valueWidth {
            var sum: Scalar = 0
            for index in 0..<size.width {
              sum += step.after[index * size.valueWidth + column] * inputs[0][read + index]
            }
            outputs[0][row + column] = Scalar(options.scale) * sum
          }
        }
        let place = (batch * size.heads + head) * size.stateCount
        guard let last = steps.last else { continue }
        for index in 0..<size.stateCount { outputs[1][place + index] = last.after[index] }
      }
    }
  }

  /// One token of one head.
  struct Step<Scalar: ReferenceScalar> {
    /// The state in front of the token, 0 behind the end of a document.
    let before: [Scalar]
    /// The factors of its rows.
    let decays: [Scalar]
    /// What the removal reads of it.
    let read: [Scalar]
    /// The state behind the token.
    let after: [Scalar]
  }

  /// The tokens of one head.
  func steps<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents, batch: Int, head: Int,
  ) -> [Step<Scalar>] {
    let (initial, documents) = options.extras(of: inputs, from: Self.extrasPosition)
    let place = (batch * size.heads + head) * size.stateCount
    let empty = [Scalar](repeating: 0, count: size.stateCount)
    var steps: [Step<Scalar>] = []
    var state = initial.map { Array($0.values[place..<place + size.stateCount]) } ?? empty
    for time in 0..<size.time {
      if RecurrenceOptions.isReset(documents, batch: batch, time: time, of: size.time) { state = empty }
      let row = size.row(batch, time, head, width: size.width)
      let value = size.row(batch, time, head, width: size.valueWidth)
      let decays = (0..<size.width).map { index -> Scalar in
        .exp(max(inputs[1][row + index], ScalarGatedLinearAttention.leastGate()))
      }
      var read = [Scalar](repeating: 0, count: size.valueWidth)
      for index in 0..<size.stateCount {
        read[index % size.valueWidth] += inputs[3][row + index / size.valueWidth] * state[index]
      }
      let before = state
      for index in 0..<size.stateCount {
        let (channel, column) = (index / size.valueWidth, index % size.valueWidth)
        state[index] =
          decays[channel] * state[index] + inputs[4][row + channel] * read[column]
          + inputs[2][row + channel] * inputs[5][value + column]
      }
      steps.append(Step(before: before, decays: decays, read: read, after: state))
    }
    return steps
  }

  public var saved: SavedTensors {
    SavedTensors(inputs: Set(0..<Self.extrasPosition + options.extraCount))
  }

  public func backward(_ context: GradientContext) {
    let final = context.cotangent(1)
    guard context.cotangent(0) != nil || final != nil else { return }
    let inputs = (0..<Self.extrasPosition + options.extraCount).map { context.input($0) }
    let gradient = RWKV7Gradient(self, hasFinalCotangent: final != nil)
    let results = context.tape.apply(
      gradient, inputs + [context.cotangentOrZero(0)] + (final.map { [$0] } ?? []))
    for position in 0..<(Self.extrasPosition + (options.hasInitialState ? 1 : 0)) {
      context.add(results[position], to: position)
    }
  }
}

extension Tape {
  /// RWKV-7's recurrence; see ``RWKV7``.
  ///
  /// - Parameters:
  ///   - receptance: [batch, time, heads, k], what reads the state.
  ///   - logDecay: Like receptance, natural logarithms of decays.
  ///   - key: Like receptance.
  ///   - value: [batch, time, heads, v].
  ///   - removal: Like receptance; in RWKV-7 the negated, normalized key.
  ///   - replacement: Like receptance; in RWKV-7 the normalized key times the learning rate.
  ///   - scale: Multiplies the output.
  ///   - initialState: [batch, heads, k, v]; nil for 0.
  ///   - documents: int32 [batch, time].
  /// - Returns: The output [batch, time, heads, v] and the state behind the last token.
  public func rwkv7(
    receptance: Tensor, logDecay: Tensor, key: Tensor, value: Tensor, removal: Tensor, replacement: Tensor,
    scale: Float = 1, initialState: Tensor? = nil, documents: Tensor? = nil,
  ) -> (output: Tensor, finalState: Tensor) {
    let options = RecurrenceOptions(
      scale: scale, hasInitialState: initialState != nil, hasDocuments: documents != nil)
    let outputs = apply(
      RWKV7(options),
      [receptance, logDecay, key, removal, replacement, value]
        + [initialState, documents].compactMap { $0 })
    return (outputs[0], outputs[1])
  }
}
