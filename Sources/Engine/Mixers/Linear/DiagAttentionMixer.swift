import Kernels

/// DiagAttention: softmax attention inside blocks that do not overlap.
///
/// The first block starts with the sequence, and a document starts a block. The state is what the current block has so far:
/// its keys and values, none where the next token starts a block.
///
/// - SeeAlso: Qin et al., "The Devil in Linear Transformer", 2022, which has it in the first half of the layers and
///   ``NormAttentionMixer`` in the others.
struct DiagAttentionMixer: LinearMixerKind {
  static let name = "diag_attention"
  private let scale: Float
  /// Tokens of a block.
  private let block: Int

  static func problems(_ shape: MixerShape) -> [String] {
    shape.problems(
      of: name, keys: AttentionOptions.largestWidth, values: AttentionOptions.largestWidth)
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    scale = 1 / Float(shape.keyWidth).squareRoot()
    block = shape.settings.block
  }

  func callAsFunction(_ operands: LinearMixerOperands, _ tape: Tape) -> (output: Tensor, states: [Tensor]) {
    precondition(
      operands.states.isEmpty || operands.documents == nil, "a sequence that goes on is one document")
    var (key, value) = (operands.key, operands.value)
    if operands.states.count == 2 {
      key = joined(operands.states[0], key, tape)
      value = joined(operands.states[1], value, tape)
    }
    let (batch, time) = (key.shape[0], key.shape[1])
    var options = AttentionOptions(scale: scale, isCausal: true)
    var numbers: Tensor?
    if time > block || operands.documents != nil {
      // Nothing further back can be in the same block: with the window the cost is linear.
      options.windowLeft = block - 1
      numbers =
        tape.apply(
          BlockNumbers(length: block), [operands.documents ?? oneDocument([batch, time], tape)])[0]
    }
    let output = tape.attention(
      query: operands.query, key: key, value: value, options: options, documents: numbers)
    guard operands.cache != nil, time % block > 0 else { return (output, []) }
    return (output, [key, value].map { last(time % block, of: $0, tape) })
  }

  private func oneDocument(_ shape: Shape, _ tape: Tape) -> Tensor {
    let memory = tape.device.allocate(shape.count, of: .int32)
    tape.device.zero(memory)
    return Tensor(memory, shape: shape)
  }

  /// [batch, time, heads, width] behind each other in time.
  private func joined(_ a: Tensor, _ b: Tensor, _ tape: Tape) -> Tensor {
    let (batch, width) = (a.shape[0], a.shape[2] * a.shape[3])
    let widths = [a.shape[1] * width, b.shape[1] * width]
    let rows = zip([a, b], widths).map { $0.reshaped(to: [batch, $1]) }
    return tape.apply(JoinColumns(widths: widths), rows)[0]
      .reshaped(to: [batch, a.shape[1] + b.shape[1], a.shape[2], a.shape[3]])
  }

  /// The last tokens of x [batch, time, heads, width].
  private func last(_ count: Int, of x: Tensor, _ tape: Tape) -> Tensor {
    let (batch, time, width) = (x.shape[0], x.shape[1], x.shape[2] * x.shape[3])
    guard count < time else { return x }
    let widths = [(time - count) * width, count * width]
    return tape.apply(SplitColumns(widths: widths), [x.reshaped(to: [batch, time * width])])[1]
      .reshaped(to: [batch, count, x.shape[2], x.shape[3]])
  }
}
