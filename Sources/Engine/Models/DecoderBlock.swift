import Kernels

/// One layer of a decoder.
protocol DecoderBlock {
  /// Adds what the block before left and computes its own update; the last addition is left to the norm that follows.
  ///
  /// Tells ``ForwardContext/onHiddenState`` the residual stream in front of it.
  ///
  /// - Parameters:
  ///   - stream: The residual stream [batch, time, modelDimension] without the last update.
  ///   - update: What the block before adds to it; nil in front of the first block.
  /// - Returns: The stream and what this block adds to it.
  func callAsFunction(
    _ stream: Tensor, adding update: Tensor?, layer: Int, _ context: ForwardContext,
  ) -> (stream: Tensor, update: Tensor)
}

/// `x += mixer(norm(x)); x += feedForward(norm(x))`: Llama, GPT-2.
struct PreNormBlock: DecoderBlock {
  let mixerNorm: NormLayer
  let mixer: any Mixer
  let feedForwardNorm: NormLayer
  let feedForward: FeedForward

  func callAsFunction(
    _ stream: Tensor, adding update: Tensor?, layer: Int, _ context: ForwardContext,
  ) -> (stream: Tensor, update: Tensor) {
    let tape = context.tape
    let (mixed, x) = tape.scope("norm") { mixerNorm(stream, adding: update, tape) }
    context.onHiddenState?(mixed)
    let attended = tape.scope("mixer") { mixer(x, layer: layer, context) }
    let (summed, y) = tape.scope("norm") { feedForwardNorm(mixed, adding: attended, tape) }
    return (summed, tape.scope("mlp") { feedForward(y, tape) })
  }
}

/// `x += mixer(norm(x))`: Mamba-2.
///
/// Reports what the block before has made, not the embeddings: hidden states of such models are counted so elsewhere, too.
struct MixerBlock: DecoderBlock {
  let norm: NormLayer
  let mixer: any Mixer

  func callAsFunction(
    _ stream: Tensor, adding update: Tensor?, layer: Int, _ context: ForwardContext,
  ) -> (stream: Tensor, update: Tensor) {
    let tape = context.tape
    let (mixed, x) = tape.scope("norm") { norm(stream, adding: update, tape) }
    if update != nil { context.onHiddenState?(mixed) }
    return (mixed, tape.scope("mixer") { mixer(x, layer: layer, context) })
  }
}

/// `x += norm(mixer(x)); x += norm(feedForward(x))`: the attention layers of OLMo hybrids.
struct PostNormBlock: DecoderBlock {
  let mixer: any Mixer
  let mixerNorm: NormLayer
  let feedForward: FeedForward
  let feedForwardNorm: NormLayer

  func callAsFunction(
    _ stream: Tensor, adding update: Tensor?, layer: Int, _ context: ForwardContext,
  ) -> (stream: Tensor, update: Tensor) {
    let tape = context.tape
    let x = update.map { tape.add(stream, $0) } ?? stream
    context.onHiddenState?(x)
    let attended = tape.scope("mixer") { mixer(x, layer: layer, context) }
    let y = tape.add(x, tape.scope("norm") { mixerNorm(attended, adding: nil, tape).normalized })
    let forwarded = tape.scope("mlp") { feedForward(y, tape) }
    return (y, tape.scope("norm") { feedForwardNorm(forwarded, adding: nil, tape).normalized })
  }
}
