public import Files

/// One family of checkpoints: how its config.json is read and written, which tensors it has and how they make
/// a decoder.
///
/// Adding a model is one file with a conforming type and one line in ``ArchitectureCatalogue``.
public protocol Architecture: Sendable {
  /// Values of `model_type` that this type reads.
  static var modelTypes: [String] { get }
  /// The name in `architectures` of config.json.
  static func className(of modelType: String) -> String

  static func configuration(from reader: ConfigurationReader) throws -> ModelConfiguration
  /// The keys that describe the model; keys of `configuration.source` that are not among them are kept as they are.
  static func json(of configuration: ModelConfiguration) -> JSONObject
  /// All tensors of a checkpoint under their names there, in file order.
  static func parameters(of configuration: ModelConfiguration) -> [ParameterSpecification]
  /// What a parameter of a new model starts with.
  static func start(of name: String, _ configuration: ModelConfiguration) -> ParameterStart
  /// Other spellings of a tensor's name in files.
  static func alternativeNames(of name: String) -> [String]
  /// Tensors in files that carry nothing (masks, tables) and may be passed over.
  static func isIgnorable(_ name: String) -> Bool
  static func makeModel(_ configuration: ModelConfiguration, _ store: ParameterStore) throws
    -> any LanguageModel
}

extension Architecture {
  public static func alternativeNames(of name: String) -> [String] { [] }
  public static func isIgnorable(_ name: String) -> Bool { false }
}

public enum ArchitectureCatalogue {
  public static let all: [any Architecture.Type] = [
    Llama.self, Qwen3.self, GPT2.self, Hybrid.self, Mamba2.self, OlmoHybrid.self,
  ]

  public static var modelTypes: [String] { all.flatMap { $0.modelTypes } }

  /// - Throws: ``ModelError/unknownArchitecture`` with the known ones.
  public static func architecture(_ modelType: String) throws -> any Architecture.Type {
    guard let match = all.first(where: { $0.modelTypes.contains(modelType) }) else {
      throw ModelError.unknownArchitecture(modelType, known: modelTypes)
    }
    return match
  }
}

/// A decoder-only language model.
public protocol LanguageModel: AnyObject {
  var configuration: ModelConfiguration { get }
  var parameters: ParameterStore { get }
  /// The output projection [vocabulary, modelDimension]; the embedding table when tied.
  var head: Parameter { get }

  /// States after the final norm.
  ///
  /// - Parameter ids: int32 [batch, time], each below the vocabulary size.
  /// - Returns: [batch, time, modelDimension].
  func hiddenStates(_ ids: Tensor, _ context: ForwardContext) -> Tensor
}

/// What a forward pass shares between layers.
public struct ForwardContext {
  public var tape: Tape
  /// int32 [batch, time]: tokens attend only to tokens of their own document; nil means one document.
  public var documents: Tensor?
  /// Keys and values of earlier tokens; nil when the whole sequence is given.
  public var cache: DecodingCache?
  /// Layers keep only their inputs and run again in the backward; no effect on a tape that does not record.
  public var recomputesLayers = false
  /// What layers of this pass leave to later ones.
  var exchange = LayerExchange()
  /// Receives the residual stream: embeddings (not of models of ``MixerBlock``s, which instead report every layer's result),
  /// after each layer but the last, and last after the final norm.
  public var onHiddenState: ((Tensor) -> Void)?

  public init(
    tape: Tape, documents: Tensor? = nil, cache: DecodingCache? = nil,
    onHiddenState: ((Tensor) -> Void)? = nil,
  ) {
    self.tape = tape
    self.documents = documents
    self.cache = cache
    self.onHiddenState = onHiddenState
  }

  /// Position of the first token given.
  public var position: Int { cache?.count ?? 0 }
}

/// What layers of one forward pass leave to later ones besides the residual stream.
final class LayerExchange {
  /// Values [batch, time, width] of the first RWKV-7 layer.
  var firstValue: Tensor?

  init(firstValue: Tensor? = nil) { self.firstValue = firstValue }
}

/// What can be wrong with a model folder.
public enum ModelError: Error, CustomStringConvertible {
  case unknownArchitecture(String, known: [String])
  case missingKey(String, path: String)
  case badValue(key: String, value: String, expected: String, path: String)
  case impossible(path: String, problems: [String])
  case missingTensor(name: String, path: String, found: [String])
  case wrongShape(name: String, expected: [Int], found: [Int], path: String)
  case unexpectedTensors([String], path: String)
  case notAModel(path: String, found: [String])

  public var description: String {
    switch self {
    case .unknownArchitecture(let name, let known):
      "unknown architecture '\(name)'\n  known: \(known.joined(separator: ", "))"
    case .missingKey(let key, let path):
      "\(path) lacks the key '\(key)'\n  hint: is this the config.json of a Hugging Face model folder?"
    case .badValue(let key, let value, let expected, let path):
      "\(path): '\(key)' is \(value)\n  expected: \(expected)"
    case .impossible(let path, let problems):
      "\(path) describes an impossible model\n  " + problems.joined(separator: "\n  ")
    case .missingTensor(let name, let path, let found):
      "\(path) has no tensor '\(name)'\n  found: \(found.prefix(8).joined(separator: ", "))"
        + (found.count > 8 ? " and \(found.count - 8) more" : "")
    case .wrongShape(let name, let expected, let found, let path):
      "\(path): tensor '\(name)' has shape \(found)\n  expected by config.json: \(expected)"
    case .unexpectedTensors(let names, let path):
      """
      \(path) has tensors that config.json does not account for
        \(names.prefix(8).joined(separator: ", "))\(names.count > 8 ? " and \(names.count - 8) more" : "")
        hint: does model_type in config.json name the right architecture?
      """
    case .notAModel(let path, let found):
      "\(path) is not a model folder: it has no config.json\n  there: \(found.joined(separator: ", "))"
    }
  }
}
