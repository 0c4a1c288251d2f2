import Files
import Glibc
import Kernels

/// Adapters on disk as the PEFT library lays them out: adapter_config.json, adapter_model.safetensors.
///
/// The configuration names the folder of the model that they belong to. What PEFT does not know of a run that goes on
/// stands under ``key``.
public struct AdapterFolder: Sendable {
  static let configurationFile = "adapter_config.json"
  public static let weightsFile = "adapter_model.safetensors"
  /// Nibble's own part of the configuration.
  private static let key = "nibble"
  private static let prefix = "base_model.model."

  public let path: String
  /// The folder of the model below.
  public let basePath: String
  public let settings: LowRankAdapter
  /// How the run rounded and stored its numbers; nil where the configuration does not say.
  let precision: (linear: LinearPrecision?, storage: NumberStorage)?

  static func exists(in folder: String) -> Bool { Folder.exists(folder + "/" + configurationFile) }

  init(_ path: String) throws {
    let file = path + "/" + Self.configurationFile
    let json = try JSON.readPython(file)
    guard let object = json.objectValue else {
      throw ModelError.badValue(
        key: Self.configurationFile, value: json.kind, expected: "an object", path: file)
    }
    let reader = ConfigurationReader(object, path: file)
    try Self.checkSupport(reader)
    self.path = path
    basePath = try Self.base(reader, path)
    if let own = try reader.section(Self.key) {
      settings = try Self.settings(own)
      precision =
        own.object[NumberStorage.key] == nil
        ? nil : (try LinearPrecision.read(from: own), try NumberStorage.read(from: own))
    } else {
      precision = nil
      settings = LowRankAdapter(
        rank: try reader.integer("r"), alpha: try reader.number("lora_alpha", default: 8),
        dropout: try reader.number("lora_dropout", default: 0), targets: try Self.layers(in: path),
        isRankStabilized: try reader.bool("use_rslora", default: false))
    }
    let limits: [(String, Bool)] = [
      ("r", settings.rank > 0 && settings.rank <= 1 << 16), ("lora_alpha", settings.alpha.isFinite),
      ("lora_dropout", settings.dropout >= 0 && settings.dropout < 1),
    ]
    for (key, isRight) in limits where !isRight {
      throw ModelError.badValue(
        key: key, value: "\(settings)", expected: "a positive rank, a finite alpha, a dropout in [0, 1)",
        path: file)
    }
  }

  /// What PEFT can write and nothing here reads is refused.
  private static func checkSupport(_ reader: ConfigurationReader) throws {
    func refuse(_ what: String) -> AdapterError { .unsupported(what, path: reader.path) }
    let type = try reader.string("peft_type") ?? "LORA"
    guard type == "LORA" else { throw refuse("peft_type is '\(type)'") }
    guard try reader.string("bias") ?? "none" == "none" else { throw refuse("biases are trained, too") }
    guard try !reader.bool("use_dora", default: false) else { throw refuse("the adapters are DoRA's") }
    guard try reader.strings("modules_to_save") ?? [] == [] else {
      throw refuse("whole layers are saved, too")
    }
    for key in ["rank_pattern", "alpha_pattern"] {
      guard try reader.section(key)?.object.isEmpty ?? true else { throw refuse("layers differ by \(key)") }
    }
  }

  /// The folder that the configuration names: as it stands, or from the adapters' own folder.
  private static func base(_ reader: ConfigurationReader, _ path: String) throws -> String {
    guard let name = try reader.string("base_model_name_or_path") else {
      throw ModelError.missingKey("base_model_name_or_path", path: reader.path)
    }
    guard let found = [name, path + "/" + name].first(where: { Folder.exists($0) }) else {
      throw AdapterError.missingBase(path: name, adapter: path)
    }
    return found
  }

  /// The layers that the file has adapters for.
  private static func layers(in path: String) throws -> [String] {
    let ending = ".lora_A.weight"
    return try SafetensorsFile(path: path + "/" + weightsFile).entries.map(\.name)
      .filter { $0.hasPrefix(prefix) && $0.hasSuffix(ending) }
      .map { String($0.dropFirst(prefix.count).dropLast(ending.count)) }
  }

  // MARK: Values

  /// Fills adapters, and takes from the weights below what they began with.
  func fill(_ adapters: AdapterSet, of store: ParameterStore) throws {
    let file = try SafetensorsFile(path: path + "/" + Self.weightsFile)
    let names = adapters.parameters.parameters.map { Self.prefix + $0.name }
    let found = file.entries.map(\.name)
    if let missing = names.first(where: { !file.contains($0) }) {
      throw ModelError.missingTensor(name: missing, path: file.path, found: found)
    }
    let unexpected = Set(found).subtracting(names).sorted()
    guard unexpected.isEmpty else { throw ModelError.unexpectedTensors(unexpected, path: file.path) }
    let tape = Tape(on: store.device, isRecording: false)
    let hasStarts = settings.initialization == .gradient
    for name in adapters.weights {
      guard let weight = store[name], let adapter = weight.adapter else { continue }
      let a = try values(of: adapter.a, in: file, times: hasStarts ? 2 : 1, axis: 0)
      let b = try values(of: adapter.b, in: file, times: hasStarts ? 2 : 1, axis: 1)
      guard hasStarts else {
        store.device.write(a, to: adapter.a.memory)
        store.device.write(b, to: adapter.b.memory)
        continue
      }
      let rank = settings.rank
      store.device.write(Array(a[..<adapter.a.shape.count]), to: adapter.a.memory)
      store.device.write(b.columns(0..<rank, of: 2 * rank), to: adapter.b.memory)
      let start = AdapterStart(
        a: Array(a[adapter.a.shape.count...]), b: b.columns(rank..<2 * rank, of: 2 * rank).map { -$0 })
      weight.take(start, scale: adapter.scale, on: tape)
      adapters.starts[name] = start
    }
    try store.device.finish()
  }

  /// A tensor of the file, whose shape is the parameter's `times` along `axis`.
  private func values(of parameter: Parameter, in file: SafetensorsFile, times: Int, axis: Int) throws
    -> [Float]
  {
    let name = Self.prefix + parameter.name
    var expected = parameter.shape.dimensions
    expected[axis] *= times
    let shape = try file.entry(name).shape
    guard shape == expected else {
      throw ModelError.wrongShape(name: name, expected: expected, found: shape, path: file.path)
    }
    return try file.floats(name)
  }

  /// Writes the adapters of a model into an existing folder.
  ///
  /// Adapters that began by changing the weights below are written so that they fit the unchanged ones: with what they
  /// began with, negative, behind them, at twice the rank.
  static func write(_ adapters: AdapterSet, of model: any LanguageModel, to folder: String) throws {
    let device = model.parameters.device
    try configuration(adapters, of: model).write(to: folder + "/" + configurationFile)
    let times = adapters.starts.isEmpty ? 1 : 2
    let declarations = adapters.parameters.parameters.enumerated().map { index, parameter in
      var shape = parameter.shape.dimensions
      shape[index % 2] *= times
      return SafetensorsDeclaration(prefix + parameter.name, .float32, shape)
    }
    let writer = try SafetensorsWriter(
      path: folder + "/" + weightsFile, tensors: declarations, metadata: ["format": "pt"])
    var values: [String: [Float]] = [:]
    for name in adapters.weights {
      guard let adapter = model.parameters[name]?.adapter else { continue }
      let a = try device.read(adapter.a.memory, as: Float.self)
      let b = try device.read(adapter.b.memory, as: Float.self)
      let start = adapters.starts[name]
      values[prefix + adapter.a.name] = a + (start?.a ?? [])
      values[prefix + adapter.b.name] =
        start.map { b.joined(withColumnsOf: $0.b.map { -$0 }, width: adapters.settings.rank) } ?? b
    }
    for declaration in writer.order {
      try writer.append(declaration.name, floats: values[declaration.name] ?? [])
    }
    try writer.finish()
  }
}

extension [Float] {
  /// Some columns of a row-major matrix.
  fileprivate func columns(_ range: Range<Int>, of width: Int) -> [Float] {
    stride(from: 0, to: count, by: width).flatMap { self[$0 + range.lowerBound..<$0 + range.upperBound] }
  }

  /// Rows of two matrices of the same width behind each other.
  fileprivate func joined(withColumnsOf other: [Float], width: Int) -> [Float] {
    stride(from: 0, to: count, by: width).flatMap { self[$0..<$0 + width] + other[$0..<$0 + width] }
  }
}

// MARK: The configuration

extension AdapterFolder {
  fileprivate static func settings(_ own: ConfigurationReader) throws -> LowRankAdapter {
    let name = try own.string("initialization") ?? "standard"
    guard let initialization = LowRankAdapter.Initialization(rawValue: name) else {
      throw ModelError.badValue(
        key: "initialization", value: name,
        expected: LowRankAdapter.Initialization.allCases.map(\.rawValue).joined(separator: " or "),
        path: own.path)
    }
    // As a text: JSON's numbers end at 2^53 in many readers.
    guard let seed = UInt64(try own.string("seed") ?? "0") else {
      throw ModelError.badValue(key: "seed", value: "no number", expected: "a whole number", path: own.path)
    }
    let base = try own.string("base") ?? "fp32"
    guard base == "fp32" || PackedFormat(rawValue: base) != nil else {
      throw ModelError.badValue(
        key: "base", value: base, expected: "fp32, nf4, int4 or mxfp4", path: own.path)
    }
    return LowRankAdapter(
      rank: try own.integer("rank"), alpha: try own.number("alpha", default: 16),
      dropout: try own.number("dropout", default: 0), targets: try own.strings("targets") ?? [],
      isRankStabilized: try own.bool("rslora", default: false), initialization: initialization,
      base: PackedFormat(rawValue: base), seed: seed)
  }

  fileprivate static func configuration(_ adapters: AdapterSet, of model: any LanguageModel) -> JSON {
    let settings = adapters.settings
    let times = adapters.starts.isEmpty ? 1 : 2
    let alpha = settings.alpha * (settings.isRankStabilized ? Double(times).squareRoot() : Double(times))
    let layers = adapters.weights.map { AdapterSet.layer($0) }
    // PEFT takes the last word for all layers that end in it.
    let targets =
      settings.targets.isEmpty
      ? Set(layers.compactMap { $0.split(separator: ".").last.map(String.init) }) : Set(layers)
    var own = settings.json
    var precision = model.configuration.precision
    precision?.step = model.parameters.precision?.step ?? 0
    own[LinearPrecision.key] = precision.map { .object($0.json) }
    own[NumberStorage.key] = .object(model.configuration.storage.json)
    let isTransposed = adapters.weights.contains { model.parameters[$0]?.linearLayout == .inOut }
    return [
      "peft_type": "LORA", "task_type": "CAUSAL_LM",
      "base_model_name_or_path": .string(adapters.basePath), "r": .integer(Int64(times * settings.rank)),
      "lora_alpha": .number(alpha), "lora_dropout": .number(settings.dropout),
      "use_rslora": .bool(settings.isRankStabilized),
      "target_modules": .array(targets.sorted().map { .string($0) }),
      "bias": "none", "fan_in_fan_out": .bool(isTransposed), "init_lora_weights": true,
      "inference_mode": true, "modules_to_save": .null,
      "nibble": .object(own),
    ]
  }

  /// The path by which a checkpoint names the model below it, wherever it is read.
  static func lastingPath(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

extension LowRankAdapter {
  fileprivate var json: JSONObject {
    [
      "rank": .integer(Int64(rank)), "alpha": .number(alpha), "dropout": .number(dropout),
      "targets": .array(targets.map { .string($0) }), "rslora": .bool(isRankStabilized),
      "initialization": .string(initialization.rawValue), "base": .string(base?.rawValue ?? "fp32"),
      "seed": .string(String(seed)),
    ]
  }
}
