import CHost
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
public struct ScalarGatedLinearAttention: Recurrence {
  /// Where the gates come from.
  public enum Gate: Sendable, Hashable {
    /// No decay.
    case none
    /// log_decay [heads], the same at every token.
    case perHead
    /// log_gate [batch, time, heads].
    case perToken
  }

  public static let name = "scalar_gated_linear_attention"
  public let gate: Gate
  public let options: RecurrenceOptions

  public init(_ gate: Gate, _ options: RecurrenceOptions) {
    self.gate = gate
    self.options = options
  }

  var operands: [RecurrenceOperand] {
    let rows: [RecurrenceOperand] = [
      .init("query", .sharedRow), .init("key", .sharedRow), .init("value", .value),
    ]
    switch gate {
    case .none: return rows
    case .perHead: return rows + [.init("log_decay", .perHead)]
    case .perToken: return rows + [.init("log_gate", .number)]
    }
  }

  var optionalGradient: Int? { gate == .none ? nil : 3 }

  /// The state is written and read once per token; in the backward states and their gradients, and each of query, key
  /// and value meets one of them.
  static let statePasses = (forward: 2.0, backward: 5.0)

  private func decay<Scalar: ReferenceScalar>(_ token: RecurrenceToken<Scalar>) -> Scalar {
    gate == .none ? 1 : Self.decay(token.number(3))
  }

  func advance<Scalar: ReferenceScalar>(_ state: inout [Scalar], by token: RecurrenceToken<Scalar>) {
    let decay = decay(token)
    for index in state.indices { state[index] *= decay }
    token.write(token[1], token[2], to: &state)
  }

  func retreat<Scalar: ReferenceScalar>(
    _ gradient: inout [Scalar], from token: RecurrenceToken<Scalar>, behind state: [Scalar],
    into results: inout [[Scalar]],
  ) {
    let decay = decay(token)
    results[1] = token.readRows(gradient, with: token[2])
    results[2] = token.read(gradient, with: token[1])
    if gate != .none, token.number(3) >= Self.leastGate() {
      for index in gradient.indices { results[3][0] += decay * state[index] * gradient[index] }
    }
    for index in gradient.indices { gradient[index] *= decay }
  }
}

// The kernels: `kernels/scalar_gate*.cl`, on graphics processors ScalarGate+Graphics.swift.
extension ScalarGatedLinearAttention {
  static let kernels = RecurrenceKernels(
    name: "scalar_gate", forward: nibble_scalar_gate_forward, step: nibble_scalar_gate_step,
    backward: nibble_scalar_gate_backward)
  static let kernelOperands = 4
  /// Whether gates differ between tokens.
  var kernelFlags: [Int] { [gate == .perToken ? 1 : 0] }

  static func scratch(_ extents: ChunkExtents) -> RecurrenceScratch {
    let (chunk, keys, values) = (extents.chunk, extents.keys, extents.values)
    return RecurrenceScratch(
      forward: chunk * (5 + 3 * keys + 2 * values + chunk),
      backward: chunk * (6 + 5 * keys + 4 * values + 2 * chunk) + values + extents.stateCount,
      // The states in front of every chunk and behind the last.
      kept: (extents.chunks + 1) * extents.stateCount)
  }

  static func chunkPasses(_ extents: ChunkExtents) -> (forward: Double, backward: Double) {
    (
      2 * extents.statePass + extents.chunkKeys + extents.chunkValues,
      5 * extents.statePass + 3 * extents.chunkKeys + 2 * extents.chunkValues
    )
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
    return recurrence(
      [query, key, value] + [gate].compactMap { $0 }, scale: scale, initialState: initialState,
      documents: documents
    ) { ScalarGatedLinearAttention(kind, $0) }
  }
}

extension ScalarGatedLinearAttention {
  public static var samples: [Sample] {
    [
      sample("plain t5 k4 v8", .none, .init(time: 5, width: 4, valueWidth: 8)),
      sample("plain t1 state", .none, .init(time: 1, width: 5, valueWidth: 3, initial: true)),
      // One number from 70: its gradient is a sum of differences q dq - k dk that cancel.
      sample("per head t70", .perHead, .init(time: 70, width: 8, valueWidth: 8, slack: 4)),
      sample("per token t65", .perToken, .init(time: 65, width: 16, valueWidth: 16)),
      sample("per token t33 odd widths", .perToken, .init(time: 33, width: 7, valueWidth: 19, heads: 3)),
      sample(
        "groups t67 state", .perToken,
        .init(time: 67, width: 6, valueWidth: 4, heads: 4, groups: 2, initial: true)),
      sample(
        "near zero t20", .perToken, .init(time: 20, width: 4, valueWidth: 4),
        gates: RecurrenceSample.nearZeroGates(20)),
      sample(
        "near one t130", .perToken, .init(time: 130, width: 4, valueWidth: 4), gates: .uniform(-1e-5...0)),
      sample(
        "documents t129", .perToken,
        .init(time: 129, width: 4, valueWidth: 6, initial: true, documents: 7)),
      sample(
        "documents per head t9", .perHead,
        .init(time: 9, width: 4, valueWidth: 4, heads: 2, documents: 7)),
      sample(
        "step t1 groups", .perToken,
        .init(time: 1, width: 20, valueWidth: 33, heads: 2, groups: 1, batch: 2, initial: true)),
      sample("step t3 documents", .perToken, .init(time: 3, width: 4, valueWidth: 16, documents: 7)),
      sample("two sequences t64", .perHead, .init(time: 64, width: 4, valueWidth: 4, heads: 2, batch: 2)),
      // More than one tile on all sides.
      sample("wide t70", .perToken, .init(time: 70, width: 70, valueWidth: 131, isLarge: true)),
    ]
  }

  private static func sample(
    _ label: String, _ gate: Gate, _ sample: RecurrenceSample, gates: Sample.Fill = .uniform(-0.7 ... -0.01),
  ) -> Sample {
    sample(label, ["log_decay": gates, "log_gate": gates]) { Self(gate, $0) }
  }
}
