/// A stack of blocks between an embedding and a final norm.
final class Decoder: LanguageModel {
  let configuration: ModelConfiguration
  let parameters: ParameterStore
  let head: Parameter
  private let embedding: Parameter
  /// Learned positions [context, modelDimension]; nil for models that rotate.
  private let positions: Parameter?
  private let learnedPositions: LearnedPositions
  let blocks: [any DecoderBlock]
  private let finalNorm: NormLayer

  init(
    _ configuration: ModelConfiguration, parameters: ParameterStore, embedding: Parameter,
    positions: Parameter?,
    blocks: [any DecoderBlock], finalNorm: NormLayer, head: Parameter,
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
    tape.storesBFloat16 = configuration.storage.activations == .bf16
    // Logits, losses and gradients stay in single precision.
    defer { tape.storesBFloat16 = false }
    var context = context
    context.exchange = LayerExchange()
    var stream = tape.scope("embedding") { embed(ids, context) }
    var update: Tensor?
    for (layer, block) in blocks.enumerated() {
      tape.scope("layers.\(layer)") {
        (stream, update) = run(block, stream, adding: update, layer: layer, context)
      }
    }
    let result = tape.scope("final norm") { finalNorm(stream, adding: update, tape) }
    if blocks.last is MixerBlock { context.onHiddenState?(result.stream) }
    context.onHiddenState?(result.normalized)
    return result.normalized
  }

  private func run(
    _ block: any DecoderBlock, _ stream: Tensor, adding update: Tensor?, layer: Int, _ context: ForwardContext,
  ) -> (Tensor, Tensor?) {
    guard context.recomputesLayers else {
      let result = block(stream, adding: update, layer: layer, context)
      return (result.stream, result.update)
    }
    precondition(context.cache == nil && context.onHiddenState == nil, "recomputation is for training alone")
    let carried = context.exchange.firstValue
    let inputs = [stream] + [update, carried].compactMap { $0 }
    let results = context.tape.recomputed(inputs) { tape, inputs in
      var inner = context
      inner.tape = tape
      inner.exchange = LayerExchange(firstValue: carried == nil ? nil : inputs.last)
      let result = block(inputs[0], adding: update == nil ? nil : inputs[1], layer: layer, inner)
      let left = carried == nil ? inner.exchange.firstValue : nil
      return [result.stream, result.update] + (left.map { [$0] } ?? [])
    }
    if results.count > 2 { context.exchange.firstValue = results[2] }
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
