import CHost
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
public struct GatedDeltaRule: Recurrence {
  public static let name = "gated_delta_rule"
  /// log_gate [batch, time, heads] is given; else the state does not decay (DeltaNet).
  public let hasGate: Bool
  public let options: RecurrenceOptions

  public init(hasGate: Bool, _ options: RecurrenceOptions) {
    self.hasGate = hasGate
    self.options = options
  }

  var operands: [RecurrenceOperand] {
    [
      .init("query", .sharedRow), .init("key", .sharedRow), .init("value", .value), .init("beta", .number),
    ] + (hasGate ? [.init("log_gate", .number)] : [])
  }

  var optionalGradient: Int? { hasGate ? 4 : nil }

  /// The state is read for the key, written, and read for the query.
  ///
  /// In the backward states are made again (2); query, key (twice), value, the output's cotangent and the state's gradient
  /// itself each meet a state or its gradient.
  static let statePasses = (forward: 3.0, backward: 8.0)

  private func decay<Scalar: ReferenceScalar>(_ token: RecurrenceToken<Scalar>) -> Scalar {
    hasGate ? Self.decay(token.number(4)) : 1
  }

  /// What a decayed state misses of a token's value: `v_t - S^T k_t`.
  private func errors<Scalar: ReferenceScalar>(
    of decayed: [Scalar], _ token: RecurrenceToken<Scalar>,
  ) -> [Scalar] {
    zip(token[2], token.read(decayed, with: token[1])).map { $0 - $1 }
  }

  func advance<Scalar: ReferenceScalar>(_ state: inout [Scalar], by token: RecurrenceToken<Scalar>) {
    let (decay, beta) = (decay(token), token.number(3))
    for index in state.indices { state[index] *= decay }
    let errors = errors(of: state, token)
    token.write(token[1].map { beta * $0 }, errors, to: &state)
  }

  func retreat<Scalar: ReferenceScalar>(
    _ gradient: inout [Scalar], from token: RecurrenceToken<Scalar>, behind state: [Scalar],
    into results: inout [[Scalar]],
  ) {
    let (decay, beta) = (decay(token), token.number(3))
    let decayed = state.map { decay * $0 }
    let errors = errors(of: decayed, token)
    let written = token.read(gradient, with: token[1])
    let (write, read) = (token.readRows(gradient, with: errors), token.readRows(decayed, with: written))
    results[1] = zip(write, read).map { beta * ($0 - $1) }
    results[2] = written.map { beta * $0 }
    for (column, error) in errors.enumerated() { results[3][0] += written[column] * error }
    token.write(token[1].map { -beta * $0 }, written, to: &gradient)
    if hasGate, token.number(4) >= Self.leastGate() {
      for index in gradient.indices { results[4][0] += decayed[index] * gradient[index] }
    }
    for index in gradient.indices { gradient[index] *= decay }
  }
}

// The kernels: `kernels/delta_rule*.cl`, on graphics processors GatedDeltaRule+Graphics.swift.
extension GatedDeltaRule {
  static let kernels = RecurrenceKernels(
    name: "delta_rule", forward: nibble_delta_rule_forward, step: nibble_delta_rule_step,
    backward: nibble_delta_rule_backward)
  static let kernelOperands = 5

  static func scratch(_ extents: ChunkExtents) -> RecurrenceScratch {
    let (chunk, keys, values) = (extents.chunk, extents.keys, extents.values)
    return RecurrenceScratch(
      forward: chunk * (7 + 4 * keys + 2 * values + chunk),
      backward: chunk * (8 + 6 * keys + 4 * values + 3 * chunk) + values + extents.stateCount,
      // The states in front of every chunk and behind the last, and the errors of prediction of every token.
      kept: (extents.chunks + 1) * extents.stateCount + extents.chunks * chunk * values)
  }

  static func chunkPasses(_ extents: ChunkExtents) -> (forward: Double, backward: Double) {
    (
      3 * extents.statePass + 2 * extents.chunkKeys + 2 * extents.chunkValues,
      8 * extents.statePass + 7 * extents.chunkKeys + 5 * extents.chunkValues
    )
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
    recurrence(
      [query, key, value, beta] + [gate].compactMap { $0 }, scale: scale, initialState: initialState,
      documents: documents
    ) { GatedDeltaRule(hasGate: gate != nil, $0) }
  }
}
