import CHost
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
public struct RWKV7: Recurrence {
  public static let name = "rwkv7"
  public let options: RecurrenceOptions

  public init(_ options: RecurrenceOptions) { self.options = options }

  var operands: [RecurrenceOperand] {
    ["receptance", "log_decay", "key", "removal", "replacement"].map { .init($0, .row) }
      + [.init("value", .value)]
  }

  /// The state is read twice and written twice per token.
  ///
  /// In the backward the same for the states, twice as many passes for what meets them and for their gradients.
  static let statePasses = (forward: 4.0, backward: 10.0)

  func advance<Scalar: ReferenceScalar>(_ state: inout [Scalar], by token: RecurrenceToken<Scalar>) {
    let read = token.read(state, with: token[3])
    token.scaleRows(of: &state, by: token[1].map { Self.decay($0) })
    token.write(token[4], read, to: &state)
    token.write(token[2], token[5], to: &state)
  }

  func retreat<Scalar: ReferenceScalar>(
    _ gradient: inout [Scalar], from token: RecurrenceToken<Scalar>, behind state: [Scalar],
    into results: inout [[Scalar]],
  ) {
    let readGradient = token.read(gradient, with: token[4])
    results[2] = token.readRows(gradient, with: token[5])
    results[3] = token.readRows(state, with: readGradient)
    results[4] = token.readRows(gradient, with: token.read(state, with: token[3]))
    results[5] = token.read(gradient, with: token[2])
    token.scaleRows(of: &gradient, by: token[1].map { Self.decay($0) })
    results[1] = zip(token[1], token.rowDots(state, gradient)).map { $0 < Self.leastGate() ? 0 : $1 }
    token.write(token[3], readGradient, to: &gradient)
  }
}

// The kernels: `kernels/rwkv7*.cl`.
extension RWKV7 {
  static let kernels = RecurrenceKernels(
    name: "rwkv7", forward: nibble_rwkv7_forward, step: nibble_rwkv7_step, backward: nibble_rwkv7_backward)
  static let kernelOperands = 6

  static func scratch(_ extents: ChunkExtents) -> RecurrenceScratch {
    let (block, pair, keys, values) = (extents.block, 2 * extents.block, extents.keys, extents.values)
    // `PAIR_BLOCK_FLOATS`
    let forward = (3 * block + 3 * pair + 2) * keys + 3 * block * values + (pair + 1) * pair
    let rowGradients = (3 * pair + block + 2) * keys
    let valueGradients = (3 * block + 2 * pair) * values
    return RecurrenceScratch(
      forward: forward,
      backward: forward + rowGradients + valueGradients + (pair + 1) * pair + extents.chunk
        + extents.blocksPerChunk * extents.stateCount,
      // The states in front of every chunk and behind the last, and what the removals read.
      kept: (extents.chunks + 1) * extents.stateCount + extents.size.time * values)
  }

  /// Two reads and two writes, each pair with scores of its own; a key that ages costs half a multiply-add.
  static func chunkPasses(_ extents: ChunkExtents) -> (forward: Double, backward: Double) {
    (
      4 * extents.statePass + 5 * extents.blockKeys + 4 * extents.blockValues,
      13 * extents.statePass + 18 * extents.blockKeys + 10 * extents.blockValues
    )
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
    recurrence(
      [receptance, logDecay, key, removal, replacement, value], scale: scale, initialState: initialState,
      documents: documents
    ) { RWKV7($0) }
  }
}

extension RWKV7 {
  public static var samples: [Sample] {
    RecurrenceSample.usual.map { sample($0.label, $0.sample) } + [
      sample("t70 slow decay", .init(time: 70, width: 4, valueWidth: 4), -1e-4...0),
      // Gradients of decays are sums of differences q dq - k dk, which cancel where a channel is about to be forgotten.
      sample("t37 strong decay", .init(time: 37, width: 6, valueWidth: 4, initial: true), -8...0),
      sample("t20 below the least", .init(time: 20, width: 4, valueWidth: 4), -40 ... -10),
    ]
  }

  private static func sample(
    _ label: String, _ sample: RecurrenceSample, _ decays: ClosedRange<Double> = -0.6 ... -0.01,
  ) -> Sample {
    // Lengths of about 0.6: as in the model, the removal takes back less than there is, or states would grow.
    let short = Sample.Fill.normal(deviation: 0.6 / Double(sample.width).squareRoot())
    let fills = ["log_decay": Sample.Fill.uniform(decays), "removal": short, "replacement": short]
    return sample(label, fills) {
      var options = $0
      options.scale = 1
      return Self(options)
    }
  }
}
