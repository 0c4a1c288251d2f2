public import Files
import Kernels
import NumberFormats

/// A model on disk as the transformers library lays it out: config.json, model.safetensors (or shards with an index),
/// tokenizer files beside them.
public struct ModelFolder {
  public let path: String
  /// As config.json has it; whoever trains on may choose another ``ModelConfiguration/precision`` and put an
  /// ``ModelConfiguration/adapter`` on it.
  public var configuration: ModelConfiguration
  public let architecture: any Architecture.Type
  /// The adapters that the folder holds; nil where it holds the model itself.
  public let adapter: AdapterFolder?
  /// How the weights are quantized; nil for floats.
  public let compression: CompressedTensors?
  /// How the weights were trained, whatever ``configuration`` is changed to.
  private let trainedPrecision: LinearPrecision?

  /// Reads and checks config.json; weights are not touched.
  ///
  /// - Parameter path: A model folder, or a run folder, which stands for its latest checkpoint.
  public init(_ path: String) throws {
    let resolved = ModelFolder.resolve(path)
    let file = resolved + "/config.json"
    if !Folder.exists(file), AdapterFolder.exists(in: resolved) {
      self = try ModelFolder(adapter: AdapterFolder(resolved))
      return
    }
    guard Folder.exists(file) else {
      let names = Folder.isFolder(resolved) ? try Folder.names(in: resolved) : []
      guard Folder.exists(resolved) else {
        throw FileError.missing(path: resolved, folder: "there is neither a model nor a run")
      }
      throw ModelError.notAModel(path: resolved, found: names)
    }
    let json = try JSON.readPython(file)
    guard let object = json.objectValue else {
      throw ModelError.badValue(key: "config.json", value: json.kind, expected: "an object", path: file)
    }
    let reader = ConfigurationReader(object, path: file)
    guard let modelType = try reader.string("model_type") else {
      throw ModelError.missingKey("model_type", path: file)
    }
    architecture = try ArchitectureCatalogue.architecture(modelType)
    var configuration = try architecture.configuration(from: reader)
    configuration.precision = try LinearPrecision.read(from: reader)
    compression = try CompressedTensors.read(from: reader)
    // What is written from it has floats.
    configuration.source[CompressedTensors.key] = nil
    configuration.storage = try NumberStorage.read(from: reader)
    let problems = configuration.problems
    guard problems.isEmpty else { throw ModelError.impossible(path: file, problems: problems) }
    let generation = resolved + "/generation_config.json"
    if configuration.endOfText.isEmpty, Folder.exists(generation),
      let object = try JSON.read(generation).objectValue
    {
      configuration.endOfText = try ConfigurationReader(object, path: generation).tokens("eos_token_id")
    }
    self.path = resolved
    self.configuration = configuration
    trainedPrecision = configuration.precision
    adapter = nil
  }

  /// A model with the adapters of a folder on top.
  private init(adapter: AdapterFolder) throws {
    let base = try ModelFolder(adapter.basePath)
    guard base.adapter == nil else { throw AdapterError.baseIsAdapter(path: base.path) }
    path = adapter.path
    configuration = base.configuration
    configuration.adapter = adapter.settings
    architecture = base.architecture
    compression = base.compression
    trainedPrecision = base.trainedPrecision
    if let precision = adapter.precision {
      (configuration.precision, configuration.storage) = (precision.linear, precision.storage)
    }
    self.adapter = adapter
  }

  /// Where the weights of the model itself are.
  public var weightsPath: String { adapter.map { ModelFolder.resolve($0.basePath) } ?? path }

  /// Whether a folder holds a model, or adapters on one.
  public static func isModel(_ folder: String) -> Bool {
    Folder.exists(folder + "/config.json") || AdapterFolder.exists(in: folder)
  }

  /// A run folder stands for its latest checkpoint.
  public static func resolve(_ path: String) -> String {
    let latest = path + "/checkpoints/latest"
    return !isModel(path) && Folder.isFolder(latest) ? latest : path
  }

  /// Loads the weights into a model on `device`.
  ///
  /// - Parameters:
  ///   - trains: Allocates gradients as well; remembered scales start anew (``TrainingCheckpoint/restore(_:_:from:on:)``).
  ///   - unpacks: Weights that would be packed have the same values as floats.
  public func load(
    on device: any OperationDevice, trains: Bool = false, unpacks: Bool = false,
  ) throws -> any LanguageModel {
    let tensors = try ShardedTensors(folder: weightsPath)
    let scales = try LinearPrecision.scales(of: configuration, architecture, on: device)
    let specifications = architecture.parameters(of: configuration) + scales
    let compressed = try compression.map {
      try CompressedWeights($0, configuration, architecture, in: tensors, path: weightsPath, on: device)
    }
    // Whoever trains may have chosen learned scales just now, for which those of another format are no start.
    let fresh = trains ? Set(scales.map(\.name).filter { !tensors.contains($0) || !hasStart($0) }) : []
    let places = try locate(specifications, in: tensors, without: fresh, compressed: compressed)
    let packing = try WeightPacking(configuration, architecture, on: device)
    let isTrained = trains && configuration.adapter == nil
    // Rounded inputs, what adapters begin by changing, and what is packed otherwise or trained, need floats.
    let staysPacked =
      isTrained || unpacks || configuration.adapter?.initialization == .gradient || !packing.names.isEmpty
        || configuration.precision != nil
      ? [] : compressed?.packable ?? []
    let store = ParameterStore(
      specifications, on: device, trains: isTrained,
      packed: unpacks ? [] : packing.names.union(staysPacked),
      // Who only reads them has no use for rounding again.
      weights: trains ? configuration.storage.weights : .fp32)
    for parameter in store.parameters {
      if let compressed, compressed.names.contains(parameter.name) {
        guard !staysPacked.contains(parameter.name) else {
          let weight = try compressed.weight(parameter.name, shape: parameter.shape)
          parameter.packed = PackedWeight(weight, on: device)
          continue
        }
        let values = try compressed.values(parameter.name, shape: parameter.shape)
        packing.write(values, to: parameter, on: device, unpacks: unpacks)
      } else if let place = places[parameter.name] {
        try packing.write(tensors.floats(place), to: parameter, on: device, unpacks: unpacks)
      }
    }
    try device.finish()
    try configuration.precision?.apply(to: store)
    // A run that begins has none yet; one that goes on takes them with its optimizer.
    if !trains, let maxima = store.precision?.maxima {
      try maxima.read(from: RememberedMaxima.exists(in: path) ? path : weightsPath)
    }
    let model = try architecture.makeModel(configuration, store)
    configuration.precision?.initialize(Set(scales.map(\.name)).subtracting(places.keys), in: store)
    try addAdapters(to: store, trains: trains)
    return model
  }

  /// Whether a learned scale was trained for the format that it is to have.
  private func hasStart(_ scale: String) -> Bool {
    let (trained, wanted) = (trainedPrecision?.formats, configuration.precision?.formats)
    return scale.hasSuffix(".input_scale")
      ? trained?.fpropInput == wanted?.fpropInput : trained?.fpropWeight == wanted?.fpropWeight
  }

  /// New adapters, or those of the folder.
  private func addAdapters(to store: ParameterStore, trains: Bool) throws {
    guard let settings = configuration.adapter else { return }
    let adapters = try AdapterSet(settings, for: store, trains: trains)
    adapters.basePath = AdapterFolder.lastingPath(weightsPath)
    try adapter.map { try $0.fill(adapters, of: store) } ?? adapters.initialize()
  }

  /// Name in the file by name of the parameter; checks that nothing is missing, misshapen or left over.
  ///
  /// - Parameter fresh: Parameters that are not taken from the file.
  private func locate(
    _ specifications: [ParameterSpecification], in tensors: ShardedTensors, without fresh: Set<String>,
    compressed: CompressedWeights?,
  ) throws -> [String: String] {
    let found = tensors.entries.map(\.name)
    var places: [String: String] = [:]
    let others = specifications.filter {
      compressed?.names.contains($0.name) != true && !fresh.contains($0.name)
    }
    for specification in others {
      let spellings = [specification.name] + architecture.alternativeNames(of: specification.name)
      guard let name = spellings.first(where: { tensors.contains($0) }) else {
        throw ModelError.missingTensor(name: specification.name, path: weightsPath, found: found)
      }
      let shape = try tensors.entry(name).shape
      guard shape == specification.shape.dimensions else {
        throw ModelError.wrongShape(
          name: name, expected: specification.shape.dimensions, found: shape, path: weightsPath)
      }
      places[specification.name] = name
    }
    // A tied head may be stored once more; it is the embedding.
    let used = Set(places.values).union(configuration.tiesEmbeddings ? ["lm_head.weight"] : []).union(
      compressed.map { compressed in compressed.names.flatMap { compressed.places(of: $0) } } ?? [])
    // Learned scales belong to the precision they were trained with, which may have been another one.
    let known = Set(specifications.map(\.name))
    let unexpected = found.filter {
      !used.contains($0) && !architecture.isIgnorable($0) && !LinearPrecision.isScale($0, of: known)
    }
    guard unexpected.isEmpty else { throw ModelError.unexpectedTensors(unexpected, path: weightsPath) }
    return places
  }

  /// Writes config.json and the weights of `model` into an existing folder.
  ///
  /// - Parameters:
  ///   - type: F32, or BF16 and F16 (rounded to nearest even). Weights that are stored in BF16 are written so instead of F32.
  ///   - shardByteCount: Weights above this size are split into shards with an index.
  public static func write(
    _ model: any LanguageModel, to folder: String, as type: SafetensorsType = .float32,
    shardByteCount: Int = 5_000_000_000,
  ) throws {
    var configuration = model.configuration
    configuration.precision?.step = model.parameters.precision?.step ?? 0
    let architecture = try ArchitectureCatalogue.architecture(configuration.architecture)
    let parameters = model.parameters
    let weights = type == .float32 && parameters.packedValues != nil ? .bfloat16 : type
    try JSON.object(configurationJSON(configuration, architecture, weights)).write(
      to: folder + "/config.json")
    try parameters.precision?.maxima?.write(to: folder)
    let tensors = parameters.parameters.map { parameter in
      SafetensorsDeclaration(
        parameter.name, parameter.memory.element == .bfloat16 ? weights : type, parameter.shape.dimensions)
    }
    try WeightsWriter(shardByteCount: shardByteCount).write(tensors, to: folder) { name in
      try parameters[name]?.floats(on: parameters.device) ?? []
    }
  }

  static func configurationJSON(
    _ configuration: ModelConfiguration, _ architecture: any Architecture.Type, _ type: SafetensorsType,
  ) -> JSONObject {
    var json = configuration.source
    for entry in architecture.json(of: configuration) { json[entry.key] = entry.value }
    json[LinearPrecision.key] = configuration.precision.map { .object($0.json) }
    let storage = configuration.storage
    json[NumberStorage.key] = storage.isFull ? nil : .object(storage.json)
    json["model_type"] = .string(configuration.architecture)
    json["architectures"] = [.string(architecture.className(of: configuration.architecture))]
    let names: [SafetensorsType: String] = [.float32: "float32", .bfloat16: "bfloat16", .float16: "float16"]
    json[json["torch_dtype"] == nil ? "dtype" : "torch_dtype"] = names[type].map { .string($0) }
    switch configuration.endOfText.count {
    case 0: json["eos_token_id"] = json["eos_token_id"] ?? .null
    case 1: json["eos_token_id"] = .integer(Int64(configuration.endOfText[0]))
    default: json["eos_token_id"] = .array(configuration.endOfText.map { .integer(Int64($0)) })
    }
    json["bos_token_id"] =
      configuration.beginOfText.map { .integer(Int64($0)) } ?? json["bos_token_id"] ?? .null
    return json
  }
}

/// A new model with initial weights, a pure function of the seed and the parameters' names.
public enum ModelInitialization {
  public static func make(
    _ configuration: ModelConfiguration, seed: UInt64, on device: any OperationDevice, trains: Bool,
  ) throws -> any LanguageModel {
    let problems = configuration.problems
    guard problems.isEmpty else { throw ModelError.impossible(path: "the configuration", problems: problems) }
    let architecture = try ArchitectureCatalogue.architecture(configuration.architecture)
    let packing = try WeightPacking(configuration, architecture, on: device)
    let scales = try LinearPrecision.scales(of: configuration, architecture, on: device)
    let scaleNames = Set(scales.map(\.name))
    let store = ParameterStore(
      architecture.parameters(of: configuration) + scales, on: device,
      trains: trains && configuration.adapter == nil, packed: packing.names,
      weights: configuration.storage.weights)
    for parameter in store.parameters where !scaleNames.contains(parameter.name) {
      if device is PlanningDevice {
        packing.reserve(parameter, on: device)
      } else {
        let start = architecture.start(of: parameter.name, configuration)
        let values = start.values(count: parameter.shape.count, seed: seed, name: parameter.name)
        packing.write(values, to: parameter, on: device)
      }
    }
    try configuration.precision?.apply(to: store)
    let model = try architecture.makeModel(configuration, store)
    configuration.precision?.initialize(scaleNames, in: store)
    if let settings = configuration.adapter {
      try AdapterSet(settings, for: store, trains: trains).initialize()
    }
    return model
  }
}
