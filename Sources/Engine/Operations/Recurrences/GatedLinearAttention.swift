import CHost
import Kernels

/// Linear attention whose state decays by one factor per key channel and token (GLA), fused and in blocks.
///
/// `S_t = diag(exp(g_t)) S_{t-1} + k_t v_t^T`, `o_t = scale S_t^T q_t`
///
/// Inputs: query, key [batch, time, heads, k], value [batch, time, heads, v], log_gate [batch, time, heads, k], and where
/// the options say so initial_state [batch, heads, k, v] and documents int32 [batch, time]. Outputs: output
/// [batch, time, heads, v], final_state [batch, heads, k, v]. Gates are natural logarithms, at most 0; below -20 they
/// count as -20, without a gradient.
///
/// - SeeAlso: Yang et al., "Gated Linear Attention Transformers with Hardware-Efficient Training", 2024.
public struct GatedLinearAttention: Recurrence {
  public static let name = "gated_linear_attention"
  public let options: RecurrenceOptions

  public init(_ options: RecurrenceOptions) { self.options = options }

  var operands: [RecurrenceOperand] {
    [.init("query", .row), .init("key", .row), .init("value", .value), .init("log_gate", .row)]
  }

  /// As in ``ScalarGatedLinearAttention``.
  static let statePasses = (forward: 2.0, backward: 5.0)

  func advance<Scalar: ReferenceScalar>(_ state: inout [Scalar], by token: RecurrenceToken<Scalar>) {
    token.scaleRows(of: &state, by: token[3].map { Self.decay($0) })
    token.write(token[1], token[2], to: &state)
  }

  func retreat<Scalar: ReferenceScalar>(
    _ gradient: inout [Scalar], from token: RecurrenceToken<Scalar>, behind state: [Scalar],
    into results: inout [[Scalar]],
  ) {
    results[1] = token.readRows(gradient, with: token[2])
    results[2] = token.read(gradient, with: token[1])
    token.scaleRows(of: &gradient, by: token[3].map { Self.decay($0) })
    results[3] = zip(token[3], token.rowDots(state, gradient)).map { $0 < Self.leastGate() ? 0 : $1 }
  }
}

// The kernels: `kernels/vector_gate*.cl`, on graphics processors GatedLinearAttention+Graphics.swift.
extension GatedLinearAttention {
  static let kernels = RecurrenceKernels(
    name: "vector_gate", forward: nibble_vector_gate_forward, step: nibble_vector_gate_step,
    backward: nibble_vector_gate_backward)
  static let kernelOperands = 4

  static func scratch(_ extents: ChunkExtents) -> RecurrenceScratch {
    let (block, keys, values) = (extents.block, extents.keys, extents.values)
    return RecurrenceScratch(
      forward: block * (6 * keys + 2 * values + block) + keys,
      backward: block * (11 * keys + 5 * values + 2 * block) + 2 * keys + extents.chunk
        + extents.blocksPerChunk * extents.stateCount,
      // The states in front of every chunk.
      kept: extents.chunks * extents.stateCount)
  }

  /// A key that ages on its way to a product costs half a multiply-add more.
  static func chunkPasses(_ extents: ChunkExtents) -> (forward: Double, backward: Double) {
    (
      2 * extents.statePass + 1.5 * extents.blockKeys + extents.blockValues,
      6 * extents.statePass + 4.5 * extents.blockKeys + 2 * extents.blockValues
    )
  }
}

extension Tape {
  /// Linear attention with a gate per key channel; see ``GatedLinearAttention``.
  ///
  /// - Parameters:
  ///   - query: [batch, time, heads, k].
  ///   - key: [batch, time, heads, k].
  ///   - value: [batch, time, heads, v].
  ///   - gate: [batch, time, heads, k], natural logarithms of decays.
  ///   - initialState: [batch, heads, k, v]; nil for 0.
  ///   - documents: int32 [batch, time].
  /// - Returns: The output [batch, time, heads, v] and the state behind the last token.
  public func gatedLinearAttention(
    query: Tensor, key: Tensor, value: Tensor, gate: Tensor, scale: Float, initialState: Tensor? = nil,
    documents: Tensor? = nil,
  ) -> (output: Tensor, finalState: Tensor) {
    recurrence(
      [query, key, value, gate], scale: scale, initialState: initialState, documents: documents
    ) { GatedLinearAttention($0) }
  }
}

extension GatedLinearAttention {
  public static var samples: [Sample] {
    RecurrenceSample.usual.map { sample($0.label, $0.sample) } + [
      sample("t130 near one", .init(time: 130, width: 4, valueWidth: 4), .uniform(-1e-5...0)),
      sample("t70 strong", .init(time: 70, width: 6, valueWidth: 4, initial: true), .uniform(-8 ... -2)),
      sample("t37 mixed", .init(time: 37, width: 4, valueWidth: 4), .values(mixedGates(37 * 4))),
      sample("t20 below the least gate", .init(time: 20, width: 4, valueWidth: 4), .uniform(-40 ... -10)),
      // More than one tile on all sides.
      sample("t70 wide", .init(time: 70, width: 70, valueWidth: 131, isLarge: true)),
    ]
  }

  /// Gates that keep, that halve and that end the memory, in every channel.
  private static func mixedGates(_ count: Int) -> [Float] {
    (0..<count).map { (index: Int) -> Float in
      switch index * 5 % 7 {
      case 0: -30
      case 1: -8
      case 2: -0.7
      default: -1e-4
      }
    }
  }

  private static func sample(
    _ label: String, _ sample: RecurrenceSample, _ gates: Sample.Fill = .uniform(-0.7 ... -0.01),
  ) -> Sample {
    sample(label, ["log_gate": gates]) { Self($0) }
  }
}
