import Kernels

/// Linear attention that replaces what its state says of a key, fused and in chunks: the (gated) delta rule.
///
/// `S = exp(g_t) S_{t-1}`, `u_t = beta_t (v_t - S^T k_t)`, `S_t = S + k_t u_t^T`, `o_t = scale S_t^T q_t`
///
/// Inputs: query and key [batch, time, groups, k], value [batch, time, heads, v], beta [batch, time, heads], the gates, and
/// where the options say so initial_state [batch, heads, k, v] and documents int32 [batch, time]. Outputs: output [batch,
/// time, heads, v], final_state [batch, heads, k, v]. `heads` is a multiple of `groups`. Gates are natural logarithms, at
/// most 0; below -20 they count as -20, without a gradient. The state stays bounded for keys of length 1 at most and beta
/// in [0, 2]; longer keys make it grow without limit.
///
/// - SeeAlso: Yang et al., "Parallelizing Linear Transformers with the Delta Rule over Sequence Length", 2024; Yang et al.,
///   "Gated Delta Networks", 2025.
public struct GatedDeltaRule: DifferentiableOperation {
  public static let name = "gated_delta_rule"
  /// log_gate [batch, time, heads] is given; else the state does not decay (DeltaNet).
  public let hasGate: Bool
  public let options: RecurrenceOptions

  public init(hasGate: Bool, _ options: RecurrenceOptions) {
    self.hasGate = hasGate
    self.options = options
  }

  /// Position of the first input behind the gate.
  var extrasPosition: Int { hasGate ? 5 : 4 }

  var operands: String {
    "query [batch, time, groups, k], key [batch, time, groups, k], value [batch, time, heads, v]"
      + ", beta [batch, time, heads]" + (hasGate ? ", log_gate [batch, time, heads]" : "") + options.operands
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
    // The state is read for the key, written, and read for the query.
    return Cost(
      flops: 3 * size.flopsPerStatePass, bytes: (inputs + outputs).reduce(0) { $0 + Double($1.byteCount) })
  }

  /// The factor of the state in front of a token.
  func decay<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents, batch: Int, time: Int, head: Int,
  ) -> Scalar {
    let documents = options.extras(of: inputs, from: extrasPosition).documents
    if RecurrenceOptions.isReset(documents, batch: batch, time: time, of: size.time) { return 0 }
    guard hasGate else { return 1 }
    return .exp(
      max(inputs[4][size.row(batch, time, head, width: 1)], ScalarGatedLinearAttention.leastGate()))
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
      let key = size.keyRow(batch, time, size.keyHead(head))
      let beta = inputs[3][size.row(batch, time, head, width: 1)]
      let decay: Scalar = decay(inputs, size, batch: batch, time: time, head: head)
      var state = states[time].map { decay * $0 }
      let errors = errors(of: state, inputs, size, batch: batch, time: time, head: head)
      for index in 0..<size.stateCount {
        let (row, column) = (index / size.valueWidth, index % size.valueWidth)
        state[index] += inputs[1][key + row] * beta * errors[column]
      }
      states.append(state)
    }
    return states
  }

  /// What a decayed state misses of a token's value: `v_t - S^T k_t`.
  func errors<Scalar: ReferenceScalar>(
    of state: [Scalar], _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents, batch: Int, time: Int,
    head: Int,
  ) -> [Scalar] {
    let key = size.keyRow(batch, time, size.keyHead(head))
    let value = size.row(batch, time, head, width: size.valueWidth)
    return (0..<size.valueWidth).map { column in
      var read: Scalar = 0
      for row in 0..<size.width { read += state[row * size.valueWidth + column] * inputs[1][key + row] }
      return inputs[2][value + column] - read
    }
  }

  public var saved: SavedTensors { SavedTensors(inputs: Set(0..<extrasPosition + options.extraCount)) }

  public func backward(_ context: GradientContext) {
    let final = context.cotangent(1)
    guard context.cotangent(0) != nil || final != nil else { return }
    let inputs = (0..<extrasPosition + options.extraCount).map { context.input($0) }
    let needsGate = hasGate && context.needs(4)
    let gradient = GatedDeltaRuleGradient(self, hasFinalCotangent: final != nil, needsGate: needsGate)
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
    context.add(results[3], to: 3)
    if needsGate { context.add(results[4], to: 4) }
    if options.hasInitialState, context.needs(extrasPosition), let last = results.last {
      context.add(last, to: extrasPosition)
    }
  }
}

extension Tape {
  /// The delta rule, gated or not; see ``GatedDeltaRule``.
  ///
  /// - Parameters:
  ///   - query: [batch, time, groups, k].
  ///   - key: [batch, time, groups, k], rows of length 1 at most.
  ///   - value: [batch, time, heads, v].
  ///   - beta: [batch, time, heads], in [0, 2].
  ///   - gate: [batch, time, heads], natural logarithms of decays; nil for none.
  ///   - initialState: [batch, heads, k, v]; nil for 0.
  ///   - documents: int32 [batch, time].
  /// - Returns: The output [batch, time, heads, v] and the state behind the last token.
  public func gatedDeltaRule(
    query: Tensor, key: Tensor, value: Tensor, beta: Tensor, gate: Tensor? = nil, scale: Float,
    initialState: Tensor? = nil, documents: Tensor? = nil,
  ) -> (output: Tensor, finalState: Tensor) {
    let options = RecurrenceOptions(
      scale: scale, hasInitialState: initialState != nil, hasDocuments: documents != nil)
    let outputs = apply(
      GatedDeltaRule(hasGate: gate != nil, options),
      [query, key, value, beta] + [gate, initialState, documents].compactMap { $0 })
    return (outputs[0], outputs[1])
  }
}
