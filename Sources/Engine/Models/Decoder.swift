/// A stack of pre-norm blocks between an embedding and a final norm.
final class Decoder: LanguageModel {
  /// One layer: `x += mixer(norm(x)); x += feedForward(norm(x))`.
  struct Block {
    let mixerNorm: NormLayer
    let mixer: any Mixer
    let feedForwardNorm: NormLayer
    let feedForward: FeedForward

    /// Adds the block before, normalizes and mixes; the last addition is left to the norm that follows.
    ///
    /// - Parameters:
    ///   - stream: The residual stream [batch, time, modelDimension] without the last update.
    ///   - update: What the block before adds to it; nil in front of the first block.
    /// - Returns: The stream and what this block adds to it.
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

  let configuration: ModelConfiguration
  let parameters: ParameterStore
  let head: Parameter
  private let embedding: Parameter
  /// Learned positions [context, modelDimension]; nil for models that rotate.
  private let positions: Parameter?
  private let learnedPositions: LearnedPositions
  let blocks: [Block]
  private let finalNorm: NormLayer

  init(
    _ configuration: ModelConfiguration, parameters: ParameterStore, embedding: Parameter,
    positions: Parameter?,
    blocks: [Block], finalNorm: NormLayer, head: Parameter,
  ) {
    self.configuration = configuration
    self.parameters = parameters
    self.embedding = embedding
    self.positions = positions
    learnedPositions = LearnedPositions(on: parameters.device)
    self.blocks = blocks
    self.finalNorm = finalNorm
    self.head = head
  }

  func hiddenStates(_ ids: Tensor, _ context: ForwardContext) -> Tensor {
    let tape = context.tape
    var stream = tape.scope("embedding") { embed(ids, context) }
    var update: Tensor?
    for (layer, block) in blocks.enumerated() {
      tape.scope("layers.\(layer)") {
        (stream, update) = run(block, stream, adding: update, layer: layer, context)
      }
    }
    let result = tape.scope("final norm") { finalNorm(stream, adding: update, tape).normalized }
    context.onHiddenState?(result)
    return result
  }

  private func run(
    _ block: Block, _ stream: Tensor, adding update: Tensor?, layer: Int, _ context: ForwardContext,
  ) -> (Tensor, Tensor?) {
    guard context.recomputesLayers else {
      let result = block(stream, adding: update, layer: layer, context)
      return (result.stream, result.update)
    }
    precondition(context.cache == nil && context.onHiddenState == nil, "recomputation is for training alone")
    let results = context.tape.recomputed([stream] + (update.map { [$0] } ?? [])) { tape, inputs in
      var inner = context
      inner.tape = tape
      let result = block(inputs[0], adding: inputs.count > 1 ? inputs[1] : nil, layer: layer, inner)
      return [result.stream, result.update]
    }
    return (results[0], results[1])
  }

  private func embed(_ ids: Tensor, _ context: ForwardContext) -> Tensor {
    let tape = context.tape
    let tokens = tape.embedding(ids, weight: tape.parameter(embedding))
    guard let positions else { return tokens }
    let numbers = learnedPositions.tensor(from: context.position, shape: ids.shape)
    return tape.add(tokens, tape.embedding(numbers, weight: tape.parameter(positions)))
  }
}
