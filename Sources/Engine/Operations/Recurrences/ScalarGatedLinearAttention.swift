import Kernels

/// Linear attention whose state decays by one factor per head and token, fused and in chunks.
///
/// `S_t = exp(g_t) S_{t-1} + k_t v_t^T`, `o_t = scale S_t^T q_t`
///
/// Inputs: query and key [batch, time, groups, k], value [batch, time, heads, v], the gates, and where the options say so
/// initial_state [batch, heads, k, v] and documents int32 [batch, time]. Outputs: output [batch, time, heads, v],
/// final_state [batch, heads, k, v]. `heads` is a multiple of `groups`. Gates are natural logarithms, at most 0; below
/// -20 they count as -20, without a gradient. Plain linear attention (no gate), retention and Lightning Attention (one
/// gate per head) and Mamba-2's SSD (one per token) are cases of it.
///
/// - SeeAlso: Dao and Gu, "Transformers are SSMs", 2024; Sun et al., "Retentive Network", 2023; Qin et al., "Lightning
///   Attention-2", 2024.
public struct ScalarGatedLinearAttention: DifferentiableOperation {
  /// Where the gates come from.
  public enum Gate: Sendable, Hashable {
    /// No decay.
    case none
    /// log_decay [heads], the same at every token.
    case perHead
    /// log_gate [batch, time, heads].
    case perToken

    var operand: String {
      switch self {
      case .none: ""
      case .perHead: ", log_decay [heads]"
      case .perToken: ", log_gate [batch, time, heads]"
      }
    }
  }

  public static let name = "scalar_gated_linear_attention"
  public let gate: Gate
  public let options: RecurrenceOptions

  public init(_ gate: Gate, _ options: RecurrenceOptions) {
    self.gate = gate
    self.options = options
  }

  /// Position of the first input behind the gate.
  var extrasPosition: Int { gate == .none ? 3 : 4 }

  var operands: String {
    "query [batch, time, groups, k], key [batch, time, groups, k], value [batch, time, heads, v]"
      + gate.operand
      + options.operands
  }

  public var signature: String {
    operands + " > output [batch, time, heads, v], final_state [batch, heads, k, v]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
      .validate(operation: Self.name, signature: signature)
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    // The state is written and read once per token.
    return Cost(
      flops: 2 * size.flopsPerStatePass, bytes: (inputs + outputs).reduce(0) { $0 + Double($1.byteCount) })
  }

  /// Gates below this count as this, without a gradient: e^-20 is below the resolution of 1.
  static func leastGate<Scalar: ReferenceScalar>() -> Scalar { -20 }

  /// The factor of the state in front of a token.
  func decay<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents, batch: Int, time: Int, head: Int,
  ) -> Scalar {
    let documents = options.extras(of: inputs, from: extrasPosition).documents
    if RecurrenceOptions.isReset(documents, batch: batch, time: time, of: size.time) { return 0 }
    switch gate {
    case .none: return 1
    case .perHead: return .exp(max(inputs[3][head], Self.leastGate()))
    case .perToken: return .exp(max(inputs[3][size.row(batch, time, head, width: 1)], Self.leastGate()))
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    for batch in 0..<size.batch {
      for head in 0..<size.heads {
        let states = states(inputs, size, batch: batch, head: head)
        for time in 0..<size.time {
          let query = size.keyRow(batch, time, size.keyHead(head))
          let row = size.row(batch, time, head, width: size.valueWidth)
          for column in 0..<size.valueWidth {
            var sum: Scalar = 0
            for index in 0..<size.width {
              sum += states[time + 1][index * size.valueWidth + column] * inputs[0][query + index]
            }
            outputs[0][row + column] = Scalar(options.scale) * sum
          }
        }
        let place = (batch * size.heads + head) * size.stateCount
        for index in 0..<size.stateCount { outputs[1][place + index] = states[size.time][index] }
      }
    }
  }

  /// The states of one head: in front of the first token, then behind every token.
  func states<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents, batch: Int, head: Int,
  ) -> [[Scalar]] {
    let initial = options.extras(of: inputs, from: extrasPosition).initial
    let place = (batch * size.heads + head) * size.stateCount
    var states = [
      initial.map { Array($0.values[place..<place + size.stateCount]) }
        ?? [Scalar](repeating: 0, count: size.stateCount)
    ]
    for time in 0..<size.time {
      let decay: Scalar = decay(inputs, size, batch: batch, time: time, head: head)
      let key = size.keyRow(batch, time, size.keyHead(head))
      let value = size.row(batch, time, head, width: size.valueWidth)
      var state = states[time]
      for index in 0..<size.stateCount {
        let (row, column) = (index / size.valueWidth, index % size.valueWidth)
        state[index] = decay * state[index] + inputs[1][key + row] * inputs[2][value + column]
      }
      states.append(state)
    }
    return states
  }

  public var saved: SavedTensors { SavedTensors(inputs: Set(0..<extrasPosition + options.extraCount)) }

  public func backward(_ context: GradientContext) {
    let final = context.cotangent(1)
    guard context.cotangent(0) != nil || final != nil else { return }
    let inputs = (0..<extrasPosition + options.extraCount).map { context.input($0) }
    let needsGate = gate != .none && context.needs(3)
    let gradient = ScalarGatedLinearAttentionGradient(
      self, hasFinalCotangent: final != nil, needsGate: needsGate)
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    let results = context.tape.apply(
      gradient, inputs + [context.cotangentOrZero(0)] + (final.map { [$0] } ?? []))
    for position in 0..<2 {
      let shape = inputs[position].shape
      guard size.heads > size.keyHeads else {
        context.add(results[position], to: position)
        continue
      }
      let parts = results[position].reshaped(
        to: [size.batch * size.time * size.keyHeads, size.heads / size.keyHeads, size.width])
      context.add(context.tape.apply(SumParts(), [parts])[0].reshaped(to: shape), to: position)
    }
    context.add(results[2], to: 2)
    if needsGate { addGateGradient(results[3], size, context) }
    if options.hasInitialState, context.needs(extrasPosition), let last = results.last {
      context.add(last, to: extrasPosition)
    }
  }

  private func addGateGradient(_ gradient: Tensor, _ size: RecurrenceExtents, _ context: GradientContext) {
    guard gate == .perHead else { return context.add(gradient, to: 3) }
    context.add(SumRows(), [gradient.reshaped(to: [size.batch * size.time, size.heads])], to: 3)
  }
}

/// The gradient of ``ScalarGatedLinearAttention``; states are made again, not kept.
///
/// Gradients of query and key come per value head [batch, time, heads, k], those of gates per token.
struct ScalarGatedLinearAttentionGradient: Operation {
  static let name = "scalar_gated_linear_attention_gradient"
  let forward: ScalarGatedLinearAttention
  /// A cotangent of the final state is the last input.
  let hasFinalCotangent: Bool
  /// Gradients of the gates are among the outputs.
  let needsGate: Bool

  init(_ forward: ScalarGatedLinearAttention, hasFinalCotangent: Bool, needsGate: Bool) {
    self.forward = forward
    self.hasFinalCotangent = hasFinalCotangent
    self.needsGate = needsGate
  }

  /// Position of the output's cotangent.
  var cotangentPosition: Int { forward.extrasPosition + forward.options.extraCount }

  var signature: String {
    forward.operands + ", cotangent [batch, time, heads, v]"
      + (hasFinalCotangent ? ", final_cotangent [batch, heads, k, v]" : "")
      + " > query_gradient [batch, time, heads, k], key_gradient [batch, time, heads, k]"
      + ", value_gradient [batch, time, heads, v]" + (needsGate ? ", gate_gradient [batch, time, heads]" : "")
      + (forward.options.hasInitialState ? ", initial_state_gradient [batch, heads, k, v]" : "")
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) {
    try RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
      .validate(operation: Self.name, signature: signature)
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    // States and their gradients once per token, and each of query, key and value meets one of them.
    return Cost(
      flops: 5 * size.flopsPerStatePass, bytes: (inputs + outputs).reduce(0) { $0 + Double($1.byteCount) })
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = RecurrenceExtents(query: inputs[0].shape, value: inputs[2].shape)
    for batch in 0..<size.batch {
      for head in 0..<size.heads { reference(inputs, &outputs, size, batch: batch, head: head) }
    }
  }

  private func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
    _ size: RecurrenceExtents,
    batch: Int, head: Int,
  ) {
    let states = forward.states(inputs, size, batch: batch, head: head)
    let place = (batch * size.heads + head) * size.stateCount
    var gradient = [Scalar](repeating: 0, count: size.stateCount)
    if hasFinalCotangent {
      gradient = Array(inputs[cotangentPosition + 1].values[place..<place + size.stateCount])
    }
    let scale = Scalar(forward.options.scale)
    for time in (0..<size.time).reversed() {
      let key = size.keyRow(batch, time, size.keyHead(head))
      let target = size.row(batch, time, head, width: size.width)
      let value = size.row(batch, time, head, width: size.valueWidth)
      for row in 0..<size.width {
        (outputs[0][target + row], outputs[1][target + row]) = (0, 0)
      }
      for column in 0..<size.valueWidth { outputs[2][value + column] = 0 }
      var gate: Scalar = 0
      let decay: Scalar = forward.decay(inputs, size, batch: batch, time: time, head: head)
      for index in 0..<size.stateCount {
        let (row, column) = (index / size.valueWidth, index % size.valueWidth)
        let cotangent = inputs[cotangentPosition][value + column]
        gradient[index] += scale * inputs[0][key + row] * cotangent
        outputs[0][target + row] += scale * states[time + 1][index] * cotangent
        outputs[1][target + row] += gradient[index] * inputs[2][value + column]
        outputs[2][value + column] += gradient[index] * inputs[1][key + row]
        gate += decay * states[time][index] * gradient[index]
        gradient[index] *= decay
      }
      if needsGate {
        let row = size.row(batch, time, head, width: 1)
        let given = inputs[3][forward.gate == .perHead ? head : row]
        outputs[3][row] = given < ScalarGatedLinearAttention.leastGate() ? 0 : gate
      }
    }
    if forward.options.hasInitialState {
      let last = outputs.count - 1
      for index in 0..<size.stateCount { outputs[last][place + index] = gradient[index] }
    }
  }
}

extension Tape {
  /// Linear attention with a scalar gate; see ``ScalarGatedLinearAttention``.
  ///
  /// - Parameters:
  ///   - query: [batch, time, groups, k].
  ///   - key: [batch, time, groups, k].
  ///   - value: [batch, time, heads, v].
  ///   - gate: [heads] or [batch, time, heads], natural logarithms of decays; nil for none.
  ///   - initialState: [batch, heads, k, v]; nil for 0.
  ///   - documents: int32 [batch, time].
  /// - Returns: The output [batch, time, heads, v] and the state behind the last token.
  public func scalarGatedLinearAttention(
    query: Tensor, key: Tensor, value: Tensor, gate: Tensor? = nil, scale: Float, initialState: Tensor? = nil,
    documents: Tensor? = nil,
  ) -> (output: Tensor, finalState: Tensor) {
    let kind: ScalarGatedLinearAttention.Gate =
      gate.map { $0.shape.dimensions.count == 1 ? .perHead : .perToken } ?? .none
    let options = RecurrenceOptions(
      scale: scale, hasInitialState: initialState != nil, hasDocuments: documents != nil)
    let outputs = apply(
      ScalarGatedLinearAttention(kind, options),
      [query, key, value] + [gate, initialState, documents].compactMap { $0 })
    return (outputs[0], outputs[1])
  }
}
