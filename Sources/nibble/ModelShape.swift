import Configuration
import Engine
import Files
import Terminal
import Tokenizers

/// Between the keys of a configuration and the engine's description of a model.
enum ModelShape {
  /// The key of config.json for a soft cap of the logits, as other programs write it.
  static let softcapKey = "final_logit_softcapping"

  /// The soft cap that a checkpoint was trained with, 0 for none.
  ///
  /// - Throws: A failure for anything but a number from 0 to 1e6, the range of `loss.softcap`.
  static func softcap(of model: ModelFolder) throws -> Double {
    guard let written = model.configuration.source[softcapKey], written != .null else { return 0 }
    guard let value = written.doubleValue, (0...1e6).contains(value) else {
      throw ModelError.badValue(
        key: softcapKey, value: "\(written)", expected: "a number from 0 to 1000000, or null",
        path: model.path + "/config.json")
    }
    return value
  }

  /// A new model as the keys describe it.
  static func configuration(_ values: RunConfiguration, _ tokenizer: any Tokenizer) throws
    -> ModelConfiguration
  {
    let model = values.model
    let vocabulary = model.vocabulary > 0 ? model.vocabulary : tokenizer.vocabularySize
    guard vocabulary >= tokenizer.vocabularySize else {
      throw Failure(
        "model.vocabulary \(vocabulary) is smaller than the tokenizer's \(tokenizer.vocabularySize) ids",
        hints: ["model.vocabulary=\(tokenizer.vocabularySize), or 0 to take the tokenizer's"])
    }
    let isGPT2 = model.architecture == .gpt2
    let mixers = mixers(values)
    let isSliding = mixers.kinds.contains(MixerSettings.sliding)
    let window = model.window > 0 && (model.window < model.context || isSliding) ? model.window : nil
    var family = isGPT2 ? "gpt2" : model.architecture.rawValue
    if model.architecture == .llama {
      // With a window a llama is what other programs call mistral; with other mixers it is our own.
      if window != nil { family = "mistral" }
      if mixers.kinds.contains(where: { $0 != MixerSettings.attention }) || !model.rotary {
        family = Hybrid.modelType
      }
    }
    return configuration(
      model, mixers, family, vocabulary, tokenizer, window: window, softcap: values.loss.softcap)
  }

  private static func mixers(_ values: RunConfiguration) -> MixerSettings {
    let choices = values.mixer
    var settings = MixerSettings(layers: values.model.layers)
    settings.kinds = choices.names(layers: values.model.layers)
    settings.convolution = choices.convolution
    settings.valueExpansion = choices.valueExpansion
    settings.stateSize = choices.stateSize
    settings.hasOutputGate = choices.outputGate
    settings.hedgehog = same(choices.hedgehog)
    settings.block = choices.block
    settings.gateBias = choices.gateBias
    settings.gateName = choices.gate.rawValue
    settings.normalizes = choices.normalize
    settings.allowsNegativeEigenvalues = choices.negativeEigenvalues
    settings.featureMap = same(choices.featureMap)
    settings.decay = same(choices.decay)
    return settings
  }

  /// The engine's case of the configuration's name; a test compares the lists.
  private static func same<Name: RawRepresentable<String>, Value: RawRepresentable<String>>(
    _ name: Name,
  ) -> Value {
    guard let value = Value(rawValue: name.rawValue) else {
      preconditionFailure("the engine has no '\(name.rawValue)'")
    }
    return value
  }

  private static func configuration(
    _ model: ModelSettings, _ mixers: MixerSettings, _ architecture: String, _ vocabulary: Int,
    _ tokenizer: any Tokenizer,
    window: Int?,
    softcap: Double,
  ) -> ModelConfiguration {
    let isGPT2 = architecture == "gpt2"
    var configuration = ModelConfiguration(
      architecture: architecture, layers: model.layers, modelDimension: model.dimension, heads: model.heads,
      keyValueHeads: model.kvHeads, headDimension: model.headDimension, hiddenDimension: model.hidden,
      vocabularySize: vocabulary, contextLength: model.context, normEpsilon: model.normEpsilon,
      tiesEmbeddings: model.tied, attentionBias: model.attentionBias, mlpBias: model.mlpBias,
      activation: isGPT2 ? .geluTanh : .silu,
      rope: isGPT2 || !model.rotary
        ? nil : RotarySettings(theta: model.ropeTheta, rotaryDimensions: model.headDimension),
      windows: mixers.windows(of: window), mixers: mixers,
      initialDeviation: model.initialDeviation,
      endOfText: tokenizer.stopIDs, beginOfText: tokenizer.beginningOfText,
      source: softcap > 0 ? [softcapKey: .number(softcap)] : [:])
    configuration.embeddingDeviation = isGPT2 ? nil : model.embeddingDeviation
    return configuration
  }

  /// The keys that a checkpoint decides, with their values there.
  ///
  /// - Throws: `UsageError` for families that configurations do not describe.
  static func assignments(from folder: ModelFolder) throws -> [(key: String, value: String)] {
    let model = folder.configuration
    if (Mamba2.modelTypes + OlmoHybrid.modelTypes).contains(model.architecture) {
      let article = model.architecture.hasPrefix("o") ? "an" : "a"
      throw UsageError(
        "\(article) \(model.architecture) checkpoint cannot be trained further here",
        hints: [
          "'nibble eval' and 'nibble generate' read it; without init, mixer.kind=mamba2 or "
            + "mixer.kind=gated_delta trains such layers from the start"
        ])
    }
    let family = ["mistral", Hybrid.modelType].contains(model.architecture) ? "llama" : model.architecture
    var pairs = [
      ("model.architecture", family), ("model.dimension", "\(model.modelDimension)"),
      ("model.layers", "\(model.layers)"), ("model.heads", "\(model.heads)"),
      ("model.kv_heads", "\(model.keyValueHeads)"), ("model.head_dimension", "\(model.headDimension)"),
      ("model.hidden", "\(model.hiddenDimension)"), ("model.vocabulary", "\(model.vocabularySize)"),
      ("model.tied", "\(model.tiesEmbeddings)"), ("model.norm_epsilon", "\(model.normEpsilon)"),
      ("model.attention_bias", "\(model.attentionBias)"), ("model.mlp_bias", "\(model.mlpBias)"),
      ("loss.softcap", "\(try softcap(of: folder))"),
    ]
    if let rope = model.rope { pairs.append(("model.rope_theta", "\(rope.theta)")) }
    if let window = model.windows.compactMap({ $0 }).first { pairs.append(("model.window", "\(window)")) }
    switch model.architecture {
    case Hybrid.modelType:
      pairs += mixerPairs(model)
      let read = MixerChoices().keys(readBy: model.mixers.kinds)
      pairs.removeAll { MixerChoices.settingKeys.contains($0.0) && !read.contains($0.0) }
    case "llama", "mistral":
      pairs += [
        ("model.rotary", "true"), ("mixer.kind", MixerSettings.attention), ("mixer.pattern", "[]"),
      ]
    default: break
    }
    return pairs.map { (key: $0.0, value: $0.1) }
  }

  private static func mixerPairs(_ model: ModelConfiguration) -> [(String, String)] {
    let mixers = model.mixers
    return [
      ("model.rotary", "\(model.rope != nil)"),
      ("mixer.pattern", "[\(mixers.kinds.joined(separator: ", "))]"),
      ("mixer.convolution", "\(mixers.convolution)"), ("mixer.value_expansion", "\(mixers.valueExpansion)"),
      ("mixer.state_size", "\(mixers.stateSize)"), ("mixer.output_gate", "\(mixers.hasOutputGate)"),
      ("mixer.feature_map", mixers.featureMap.rawValue), ("mixer.normalize", "\(mixers.normalizes)"),
      ("mixer.hedgehog", mixers.hedgehog.rawValue), ("mixer.block", "\(mixers.block)"),
      ("mixer.decay", mixers.decay.rawValue), ("mixer.gate", mixers.gateName),
      ("mixer.negative_eigenvalues", "\(mixers.allowsNegativeEigenvalues)"),
    ]
  }
}
