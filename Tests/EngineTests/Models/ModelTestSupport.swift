import Kernels

@testable import Engine

/// Models of a few thousand parameters, one per architecture and variant.
enum TinyModel: String, CaseIterable, Sendable {
  case llama
  case llamaTiedWithBiases
  case qwen3
  case gpt2
  case gpt2Untied
  case mistralWindow

  static let vocabularySize = 19

  /// - Parameter heads: Query heads; keys and values have half of them, GPT-2 the same number.
  func configuration(layers: Int = 2, contextLength: Int = 32) -> ModelConfiguration {
    var configuration = ModelConfiguration(
      architecture: "llama", layers: layers, modelDimension: 12, heads: 4, keyValueHeads: 2, headDimension: 4,
      hiddenDimension: 20, vocabularySize: Self.vocabularySize, contextLength: contextLength,
      tiesEmbeddings: false, rope: RotarySettings(theta: 100, rotaryDimensions: 4), initialDeviation: 0.3)
    switch self {
    case .llama: break
    case .llamaTiedWithBiases:
      configuration.tiesEmbeddings = true
      configuration.attentionBias = true
      configuration.mlpBias = true
    case .qwen3: configuration.architecture = "qwen3"
    case .gpt2, .gpt2Untied:
      configuration.architecture = "gpt2"
      configuration.tiesEmbeddings = self == .gpt2
      configuration.keyValueHeads = 4
      configuration.modelDimension = 16
      configuration.activation = .geluTanh
      configuration.rope = nil
      configuration.attentionBias = true
      configuration.mlpBias = true
    case .mistralWindow:
      configuration.architecture = "mistral"
      configuration.windows = [Int?](repeating: 4, count: layers)
    }
    return configuration
  }

  /// The model with all parameters random: gains and biases too, so that nothing hides behind a 1 or a 0.
  func make(
    on device: any OperationDevice, layers: Int = 2, trains: Bool = false, seed: UInt64 = 5,
  ) throws -> any LanguageModel {
    try Self.make(configuration(layers: layers), on: device, trains: trains, seed: seed)
  }

  /// A hybrid with every mixer's sizes small, so that blocks and windows end inside short sequences.
  static func hybrid(_ kinds: [String]) -> ModelConfiguration {
    var configuration = TinyModel.llama.configuration(layers: kinds.count)
    configuration.architecture = Hybrid.modelType
    configuration.mixers.kinds = kinds
    configuration.mixers.block = 4
    configuration.mixers.stateSize = 6
    if kinds.contains(MixerSettings.sliding) { configuration.windows = configuration.mixers.windows(of: 3) }
    return configuration
  }

  /// Two groups of three heads.
  static var mamba2: ModelConfiguration {
    var configuration = ModelConfiguration(
      architecture: "mamba2", layers: 2, modelDimension: 12, heads: 6, keyValueHeads: 6, headDimension: 4,
      hiddenDimension: 24, vocabularySize: vocabularySize, contextLength: 2048, tiesEmbeddings: true,
      initialDeviation: 0.3)
    configuration.mixers = MixerSettings(layers: 2)
    configuration.mixers.kinds = ["mamba2", "mamba2"]
    configuration.stateSpace = StateSpaceSettings(stateSize: 6, groups: 2, convolution: 4)
    return configuration
  }

  /// Without rotation, as released checkpoints are.
  static var olmoHybrid: ModelConfiguration {
    var configuration = TinyModel.llama.configuration()
    configuration.architecture = "olmo_hybrid"
    configuration.rope = nil
    configuration.mixers.kinds = ["gated_delta", MixerSettings.attention]
    configuration.mixers.heads = LinearHeads(keyHeads: 2, heads: 4, keyWidth: 6, valueWidth: 4)
    configuration.mixers.allowsNegativeEigenvalues = true
    return configuration
  }

  /// The model with all parameters random.
  static func make(
    _ configuration: ModelConfiguration, on device: any OperationDevice, trains: Bool = false,
    seed: UInt64 = 5,
  ) throws -> any LanguageModel {
    let model = try ModelInitialization.make(configuration, seed: seed, on: device, trains: trains)
    for parameter in model.parameters.parameters {
      // Learned scales start where their weights are.
      guard parameter.packed == nil, !parameter.name.hasSuffix("_scale") else { continue }
      // Matrices are random already, but for those that start at 0.
      let isZero = try parameter.floats(on: device).allSatisfy { $0 == 0 }
      guard !parameter.decays || isZero else { continue }
      let noise = CounterRandom(seed: seed, stream: "\(parameter.name) in tests")
        .normals(parameter.shape.count, deviation: 0.2)
      let center: Float = parameter.decays || parameter.name.hasSuffix(".bias") ? 0 : 1
      parameter.write(noise.map { center + $0 }, on: device)
    }
    return model
  }
}

enum TinyTokens {
  /// Random ids below the vocabulary size of ``TinyModel``.
  static func ids(_ count: Int, seed: UInt64 = 3) -> [Int32] {
    let random = CounterRandom(seed: seed, stream: "ids in tests")
    return (0..<count).map { Int32(random.integer(UInt64($0), below: TinyModel.vocabularySize)) }
  }
}

extension LanguageModel {
  /// Logits of every position, row by row, with the vocabulary's width.
  func logits(_ sequences: [[Int32]], documents: [[Int32]]? = nil, cache: DecodingCache? = nil) throws
    -> [[Float]]
  {
    let device = parameters.device
    let shape: Shape = [sequences.count, sequences[0].count]
    let tape = Tape(on: device, isRecording: false)
    let states = hiddenStates(
      Tensor(sequences.flatMap { $0 }, shape: shape, on: device),
      ForwardContext(
        tape: tape, documents: documents.map { Tensor($0.flatMap { $0 }, shape: shape, on: device) },
        cache: cache))
    let rows = states.reshaped(to: [shape.count, configuration.modelDimension])
    let values = try tape.linear(rows, weight: head.value).floats(on: device)
    let width = configuration.vocabularySize
    return (0..<shape.count).map { Array(values[$0 * width..<($0 + 1) * width]) }
  }
}

/// The largest difference of two lists of rows; infinite where one is not a number or lengths differ.
func largestDifference(_ a: [[Float]], _ b: [[Float]]) -> Float {
  guard a.count == b.count else { return .infinity }
  var largest: Float = 0
  for (x, y) in zip(a, b) {
    guard x.count == y.count else { return .infinity }
    for (u, v) in zip(x, y) {
      guard (u - v).isFinite else { return .infinity }
      largest = max(largest, abs(u - v))
    }
  }
  return largest
}
