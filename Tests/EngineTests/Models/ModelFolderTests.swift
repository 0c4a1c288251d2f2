import Engine
import Files
import Kernels
import Testing

/// Models written and read again.
@Suite struct ModelFolderTests {
  private func cpu() throws -> any OperationDevice { try DeviceCatalog.openForOperations("cpu") }

  private func values(_ model: any LanguageModel) throws -> [String: [Float]] {
    var values: [String: [Float]] = [:]
    for parameter in model.parameters.parameters {
      values[parameter.name] = try model.parameters.device.read(parameter.memory, as: Float.self)
    }
    return values
  }

  private func json(_ folder: TemporaryFolder) throws -> JSONObject {
    try #require(try JSON.read(folder.path + "/config.json").objectValue)
  }

  /// Keys of config.json replaced, nil removes one.
  private func change(_ folder: TemporaryFolder, _ changes: [(String, JSON?)]) throws {
    var object = try json(folder)
    for (key, value) in changes { object[key] = value }
    try JSON.object(object).write(to: folder.path + "/config.json")
  }

  @Test(arguments: TinyModel.allCases)
  func whatIsWrittenIsReadBitForBit(kind: TinyModel) throws {
    let folder = try TemporaryFolder()
    let model = try kind.make(on: cpu())
    try ModelFolder.write(model, to: folder.path)
    let loaded = try ModelFolder(folder.path).load(on: cpu())
    #expect(try values(loaded) == values(model))
    var (read, made) = (loaded.configuration, model.configuration)
    (read.source, made.source) = ([:], [:])
    #expect(read == made)
    #expect(try loaded.logits([TinyTokens.ids(7)]) == model.logits([TinyTokens.ids(7)]))
  }

  /// Half an ulp, relative to the lower end of a binade: 2^-8 for 8 significant bits, 2^-11 for 11.
  @Test(arguments: [
    (SafetensorsType.bfloat16, Float(0x1p-8), "bfloat16"), (.float16, Float(0x1p-11), "float16"),
  ])
  func halfPrecisionRoundsToNearest(type: SafetensorsType, bound: Float, name: String) throws {
    let folder = try TemporaryFolder()
    let model = try TinyModel.qwen3.make(on: cpu())
    try ModelFolder.write(model, to: folder.path, as: type)
    #expect(try json(folder)["dtype"] == .string(name))
    let loaded = try values(ModelFolder(folder.path).load(on: cpu()))
    for (key, expected) in try values(model) {
      let got = try #require(loaded[key])
      // 2^-25 is half of float16's smallest step.
      #expect(zip(expected, got).allSatisfy { abs($0 - $1) <= max(bound * abs($0), 0x1p-25) }, "\(key)")
      #expect(got != expected, "\(key)")
    }
  }

  @Test func shardsWithAnIndexEqualOneFile() throws {
    let (one, many) = (try TemporaryFolder(), try TemporaryFolder())
    let model = try TinyModel.llama.make(on: cpu())
    try ModelFolder.write(model, to: one.path)
    try ModelFolder.write(model, to: many.path, shardByteCount: 4_000)
    let names = try Folder.names(in: many.path)
    #expect(names.contains("model.safetensors.index.json") && !names.contains("model.safetensors"))
    #expect(names.count { $0.hasPrefix("model-0000") } > 2)
    #expect(
      try values(ModelFolder(many.path).load(on: cpu())) == values(ModelFolder(one.path).load(on: cpu())))
    let index = try #require(try JSON.read(many.path + "/model.safetensors.index.json").objectValue)
    #expect(index["metadata"]?["total_size"]?.integerValue == 4 * model.parameters.count)
  }

  @Test func keysThatAreNotOursAreKept() throws {
    let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
    try ModelFolder.write(TinyModel.llama.make(on: cpu()), to: first.path)
    try change(
      first,
      [
        ("task_specific_params", ["bits": 4]), ("torch_dtype", "float32"), ("dtype", nil),
        ("note", [1, "a"]),
      ])
    try ModelFolder.write(ModelFolder(first.path).load(on: cpu()), to: second.path)
    let (before, after) = (try json(first), try json(second))
    for key in ["task_specific_params", "torch_dtype", "note"] {
      #expect(after[key] == before[key], "\(key)")
    }
    #expect(after["dtype"] == nil)
  }

  /// The spelling of the rotation that a file came with is the one it is written with.
  @Test(
    arguments: [
      (["rope_theta": 500.0], ["rope_theta": 500.0], ["rope_scaling", "rope_parameters"]),
      (
        ["rope_theta": 500.0, "rope_scaling": ["type": "linear", "factor": 2.0]],
        ["rope_theta": 500.0, "rope_scaling": ["type": "linear", "factor": 2.0]], ["rope_parameters"]
      ),
      (
        ["rope_parameters": ["rope_theta": 500.0, "rope_type": "linear", "factor": 2.0]],
        ["rope_parameters": ["rope_theta": 500.0, "rope_type": "linear", "factor": 2.0]],
        ["rope_theta", "rope_scaling"]
      ),
    ] as [(JSONObject, JSONObject, [String])])
  func spellingsOfTheRotationAreKept(given: JSONObject, expected: JSONObject, absent: [String]) throws {
    let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
    try ModelFolder.write(TinyModel.llama.make(on: cpu()), to: first.path)
    try change(first, [("rope_parameters", nil)] + given.map { ($0.key, $0.value) })
    let model = try ModelFolder(first.path).load(on: cpu())
    #expect(model.configuration.rope?.theta == 500)
    if given.count > 1 || given["rope_parameters"] != nil {
      #expect(model.configuration.rope?.scaling == .linear(factor: 2))
    }
    try ModelFolder.write(model, to: second.path)
    let after = try json(second)
    for entry in expected { #expect(after[entry.key] == entry.value, "\(entry.key)") }
    for key in absent { #expect(after[key] == nil, "\(key)") }
    #expect(try ModelFolder(second.path).configuration.rope == model.configuration.rope)
  }

  /// A model made here, not read, writes its scaling too.
  @Test(arguments: [
    RotaryScaling.none, .linear(factor: 3),
    .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 64),
    .yarn(factor: 4, betaFast: 30, betaSlow: 2, originalContext: 128),
  ])
  func scalingsOfOwnModelsAreWritten(scaling: RotaryScaling) throws {
    let folder = try TemporaryFolder()
    var configuration = TinyModel.llama.configuration()
    configuration.headDimension = 8
    configuration.rope = RotarySettings(theta: 100, rotaryDimensions: 4, scaling: scaling)
    let model = try ModelInitialization.make(configuration, seed: 1, on: cpu(), trains: false)
    try ModelFolder.write(model, to: folder.path)
    #expect(try ModelFolder(folder.path).configuration.rope == configuration.rope)
  }

  /// Weights rewritten under other names, with other tensors added.
  private func rewrite(
    _ folder: TemporaryFolder, adding extra: [(String, [Int])] = [], _ rename: (String) -> String?,
  ) throws {
    let path = folder.path + "/model.safetensors"
    let file = try SafetensorsFile(path: path)
    let kept = file.entries.compactMap { entry in rename(entry.name).map { (entry, $0) } }
    var values = Dictionary(uniqueKeysWithValues: try kept.map { ($0.1, try file.floats($0.0.name)) })
    for (name, shape) in extra { values[name] = [Float](repeating: 0.5, count: shape.reduce(1, *)) }
    let declarations =
      kept.map { SafetensorsDeclaration($0.1, .float32, $0.0.shape) }
      + extra.map { SafetensorsDeclaration($0.0, .float32, $0.1) }
    let writer = try SafetensorsWriter(path: path, tensors: declarations)
    for declaration in writer.order {
      try writer.append(declaration.name, floats: values[declaration.name] ?? [])
    }
    try writer.finish()
  }

  @Test func aTiedHeadMayBeStoredOnceMore() throws {
    let folder = try TemporaryFolder()
    let model = try TinyModel.llamaTiedWithBiases.make(on: cpu())
    try ModelFolder.write(model, to: folder.path)
    #expect(
      try !SafetensorsFile(path: folder.path + "/model.safetensors").entries.contains {
        $0.name == "lm_head.weight"
      })
    try rewrite(folder, adding: [("lm_head.weight", [19, 12])]) { $0 }
    let loaded = try ModelFolder(folder.path).load(on: cpu())
    #expect(try values(loaded) == values(model))
    #expect(loaded.head === loaded.parameters["model.embed_tokens.weight"])
  }

  @Test func anUntiedModelNeedsItsHead() throws {
    let folder = try TemporaryFolder()
    try ModelFolder.write(TinyModel.llama.make(on: cpu()), to: folder.path)
    try rewrite(folder) { $0 == "lm_head.weight" ? nil : $0 }
    let error = #expect(throws: ModelError.self) { try ModelFolder(folder.path).load(on: cpu()) }
    #expect("\(try #require(error))".contains("lm_head.weight"))
  }

  @Test func oldGPT2FilesWithoutPrefixAndWithMasksAreRead() throws {
    let folder = try TemporaryFolder()
    let model = try TinyModel.gpt2.make(on: cpu())
    try ModelFolder.write(model, to: folder.path)
    try rewrite(folder, adding: [("h.0.attn.bias", [1, 1, 32, 32]), ("h.1.attn.masked_bias", [1])]) {
      String($0.dropFirst("transformer.".count))
    }
    #expect(try values(ModelFolder(folder.path).load(on: cpu())) == values(model))
  }

  @Test func aRunFolderStandsForItsLatestCheckpoint() throws {
    let folder = try TemporaryFolder()
    let checkpoint = folder.path + "/checkpoints/latest"
    try Folder.create(checkpoint)
    try ModelFolder.write(TinyModel.llama.make(on: cpu()), to: checkpoint)
    #expect(try ModelFolder(folder.path).path == checkpoint)
  }

  @Test func endOfTextComesFromTheGenerationConfigurationWhereNothingElseSays() throws {
    let folder = try TemporaryFolder()
    try ModelFolder.write(TinyModel.llama.make(on: cpu()), to: folder.path)
    try JSON.object(["eos_token_id": [3, 5]]).write(to: folder.path + "/generation_config.json")
    #expect(try ModelFolder(folder.path).configuration.endOfText == [3, 5])
    try change(folder, [("eos_token_id", 7)])
    #expect(try ModelFolder(folder.path).configuration.endOfText == [7])
  }
}
