import Kernels

extension KernelBenchmark {
  /// One more token of a text: a forward pass of one row with cached keys and values, up to the logits on the host.
  ///
  /// - Parameters:
  ///   - name: The model's name in the result.
  ///   - context: Tokens before, at least 1.
  public static func decode(_ configuration: ModelConfiguration, named name: String, context: Int)
    -> KernelBenchmark
  {
    let parameters: [BenchmarkRow.Parameter] = [.init("model", name), .init("context", "\(context)")]
    let width = configuration.keyValueHeads * configuration.headDimension
    let cache = [Shape](repeating: [context + 1, width], count: 2 * configuration.layers)
    return KernelBenchmark("decode", parameters, tensors: cache) { device in
      let step = try DecodingStep(configuration, context: context, on: device)
      return PreparedBenchmark(
        cost: step.cost, tokens: 1, run: { _ = try step.logits().floats(on: device) },
        verify: {
          // The references are gone before the next one is made: a model in fp64 is large.
          let truth = try referenceLogits(configuration, context, Double.self)
          let plain = try referenceLogits(configuration, context, Float.self)
          var check = BenchmarkCheck([], factor: 3)
          check.further = [.init(output: 0, elements: Array(truth.indices)) { _, _ in (truth, plain) }]
          return try check.compare([step.logits().floats(on: device)], inputs: [])
        })
    }
  }

  private static func referenceLogits<Scalar: ReferenceScalar>(
    _ configuration: ModelConfiguration, _ context: Int, _ type: Scalar.Type,
  ) throws -> [Double] {
    let device = ReferenceDevice<Scalar>()
    let step = try DecodingStep(configuration, context: context, on: device)
    return device.values(step.logits().memory).map { Double($0) }
  }
}

/// A model of random weights with a cache of random keys and values, the same on every device.
private final class DecodingStep {
  private static let token: Int32 = 1

  private let model: any LanguageModel
  private let cache: DecodingCache
  private let device: any OperationDevice

  init(_ configuration: ModelConfiguration, context: Int, on device: any OperationDevice) throws {
    self.device = device
    let architecture = try ArchitectureCatalogue.architecture(configuration.architecture)
    let store = ParameterStore(architecture.parameters(of: configuration), on: device, trains: false)
    for parameter in store.parameters {
      let start = architecture.start(of: parameter.name, configuration)
      device.write(
        start.values(count: parameter.shape.count, seed: 1, name: parameter.name), to: parameter.memory)
    }
    model = try architecture.makeModel(configuration, store)
    cache = DecodingCache(for: configuration, capacity: context + 1, on: device)
    let tape = Tape(on: device, isRecording: false)
    for (layer, rows) in configuration.cachedRows.enumerated() {
      guard let rows else { continue }
      func random(_ name: String, _ heads: Int, _ width: Int) -> Tensor {
        let shape: Shape = [1, context, heads, width]
        let values = BenchmarkValues.make(
          .normal(deviation: 0.5), count: shape.count, stream: "\(name) \(layer)")
        return Tensor(values, shape: shape, on: device)
      }
      _ = cache.append(
        key: random("key", rows.keyHeads, rows.keyWidth),
        value: random("value", rows.valueHeads, rows.valueWidth), layer: layer, tape)
    }
    cache.advance(by: context)
  }

  /// Logits of the token after the cached ones, in a branch of the cache: every execution is the same.
  func logits() -> Tensor {
    let tape = Tape(on: device, isRecording: false)
    let ids = Tensor([Self.token], shape: [1, 1], on: device)
    let states = model.hiddenStates(ids, ForwardContext(tape: tape, cache: cache.branch()))
    return tape.linear(
      states.reshaped(to: [1, model.configuration.modelDimension]), weight: tape.parameter(model.head))
  }

  /// Every weight of a product is read once; keys and values are not counted.
  var cost: Cost {
    let tied = model.configuration.tiesEmbeddings
    let weights = model.parameters.parameters.filter { parameter in
      parameter.decays && (parameter === model.head || tied || !parameter.name.contains("embed"))
    }.reduce(0) { $0 + Double($1.shape.count) }
    return Cost(flops: 2 * weights, bytes: 4 * weights)
  }
}
