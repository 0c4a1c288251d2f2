import Engine
import Files
import Kernels
import Testing

/// What is wrong with a model folder is an error that names it, never a trap.
@Suite struct ModelFolderErrorTests {
  private func cpu() throws -> any OperationDevice { try DeviceCatalog.openForOperations("cpu") }

  /// The error of loading a model whose config.json was changed; nil when it loads.
  private func error(_ kind: TinyModel, _ changes: [(String, JSON?)]) throws -> String? {
    let folder = try TemporaryFolder()
    try ModelFolder.write(kind.make(on: cpu()), to: folder.path)
    var object = try #require(try JSON.read(folder.path + "/config.json").objectValue)
    for (key, value) in changes { object[key] = value }
    try JSON.object(object).write(to: folder.path + "/config.json")
    return try message { _ = try ModelFolder(folder.path).load(on: cpu()) }
  }

  private func message(_ body: () throws -> Void) throws -> String? {
    do {
      try body()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func aFolderThatIsNotThereOrNotAModelIsNamed() throws {
    let folder = try TemporaryFolder()
    let missing = try #require(try message { _ = try ModelFolder(folder.path + "/none") })
    #expect(missing.contains(folder.path + "/none") && missing.contains("hint:"))
    try AtomicFile.write([1], to: folder.path + "/weights.bin")
    let empty = try #require(try message { _ = try ModelFolder(folder.path) })
    #expect(empty.contains("config.json") && empty.contains("weights.bin"))
    try AtomicFile.write(Array("[1]".utf8), to: folder.path + "/config.json")
    #expect(try #require(try message { _ = try ModelFolder(folder.path) }).contains("expected: an object"))
    try AtomicFile.write(Array("{\"model_type\": ".utf8), to: folder.path + "/config.json")
    #expect(try message { _ = try ModelFolder(folder.path) } != nil)
  }

  @Test func anUnknownArchitectureTellsTheKnownOnes() throws {
    let message = try #require(try error(.llama, [("model_type", "mamba")]))
    for name in ["mamba", "llama", "mistral", "qwen3", "gpt2"] { #expect(message.contains(name)) }
    #expect(try #require(try error(.llama, [("model_type", nil)])).contains("model_type"))
  }

  @Test(arguments: [
    (TinyModel.llama, "hidden_size"), (.llama, "num_attention_heads"), (.llama, "num_hidden_layers"),
    (.llama, "intermediate_size"), (.llama, "vocab_size"), (.gpt2, "n_head"), (.gpt2, "n_embd"),
    (.gpt2, "n_layer"), (.gpt2, "vocab_size"),
  ])
  func aMissingOrMistypedKeyIsNamed(kind: TinyModel, key: String) throws {
    for value in [nil, "12", 1.5, [12], true] as [JSON?] {
      let message = try #require(try error(kind, [(key, value)]))
      #expect(message.contains("'\(key)'") && message.contains("config.json"), "\(message)")
      #expect(message.contains("hint:") || message.contains("expected:"), "\(message)")
    }
  }

  static let impossible: [(TinyModel, [(String, JSON?)])] = [
    (.llama, [("hidden_size", 0)]), (.llama, [("hidden_size", -12)]), (.llama, [("vocab_size", 0)]),
    (.llama, [("vocab_size", .integer(.max))]), (.llama, [("hidden_size", .integer(.max))]),
    (.llama, [("intermediate_size", .integer(.max))]), (.llama, [("head_dim", .integer(.max))]),
    (.llama, [("head_dim", .integer(.min))]), (.llama, [("num_hidden_layers", .integer(.max))]),
    (.llama, [("num_hidden_layers", -1)]), (.llama, [("num_hidden_layers", 0)]),
    (.llama, [("num_attention_heads", .integer(.max)), ("head_dim", nil)]),
    (.llama, [("num_attention_heads", 0), ("head_dim", nil)]), (.llama, [("num_attention_heads", 3)]),
    (.llama, [("num_key_value_heads", 3)]), (.llama, [("num_key_value_heads", 0)]),
    (.llama, [("head_dim", 5)]), (.llama, [("head_dim", 6)]), (.llama, [("head_dim", 260)]),
    (.llama, [("rms_norm_eps", 0)]), (.llama, [("rms_norm_eps", -1)]), (.llama, [("rms_norm_eps", 1e300)]),
    (.llama, [("initializer_range", -1)]),
    (.llama, [("max_position_embeddings", 0)]), (.llama, [("rope_parameters", ["rope_theta": 0])]),
    (.llama, [("rope_parameters", ["rope_theta": 1])]), (.llama, [("rope_parameters", ["rope_theta": -3])]),
    (.llama, [("rope_parameters", ["partial_rotary_factor": 0])]),
    (.llama, [("rope_parameters", ["partial_rotary_factor": 1.5])]),
    (.llama, [("rope_parameters", ["rope_type": "dynamic"])]),
    (.llama, [("rope_parameters", ["rope_type": "linear", "factor": 0])]),
    (.llama, [("rope_parameters", ["rope_type": "yarn", "factor": 2, "beta_fast": -1])]),
    (.llama, [("rope_parameters", ["rope_type": "llama3", "original_max_position_embeddings": 0])]),
    (.llama, [("rope_parameters", "default")]), (.llama, [("hidden_act", "maxout")]),
    (.llama, [("eos_token_id", .integer(.max))]), (.llama, [("tie_word_embeddings", "yes")]),
    (.mistralWindow, [("sliding_window", 0)]), (.mistralWindow, [("sliding_window", -4)]),
    (.gpt2, [("n_embd", .integer(.max)), ("n_inner", nil)]), (.gpt2, [("n_embd", 0)]),
    (.gpt2, [("n_embd", -48)]), (.gpt2, [("n_head", 5)]), (.gpt2, [("n_head", 0)]), (.gpt2, [("n_head", -4)]),
    (.gpt2, [("n_positions", .integer(.max))]), (.gpt2, [("n_layer", 65536)]),
    (.gpt2, [("scale_attn_by_inverse_layer_idx", true)]),
  ]

  @Test(arguments: impossible.indices)
  func impossibleValuesAreErrors(index: Int) throws {
    let (kind, changes) = Self.impossible[index]
    let message = try error(kind, changes)
    #expect(message != nil, "\(changes) was accepted")
  }

  /// A model of 2^60 parameters fails while it is described, before anything is counted or allocated.
  @Test func aModelThatNoMachineHoldsIsRefused() throws {
    var configuration = TinyModel.llama.configuration()
    configuration.modelDimension = 1 << 28
    configuration.hiddenDimension = 1 << 28
    #expect(!configuration.problems.isEmpty)
    #expect(throws: ModelError.self) {
      try ModelInitialization.make(configuration, seed: 1, on: cpu(), trains: false)
    }
  }

  @Test func tensorsThatAreMissingMisshapenOrLeftOverAreNamed() throws {
    let message = try #require(try error(.llama, [("num_hidden_layers", 3)]))
    #expect(message.contains("model.layers.2.input_layernorm.weight") && message.contains("found:"))
    let leftOver = try #require(try error(.llama, [("num_hidden_layers", 1)]))
    #expect(leftOver.contains("model.layers.1.") && leftOver.contains("hint:"))
    let misshapen = try #require(try error(.llama, [("intermediate_size", 24)]))
    #expect(
      misshapen.contains("gate_proj") && misshapen.contains("[20, 12]") && misshapen.contains("[24, 12]"))
    let otherKind = try #require(try error(.qwen3, [("model_type", "llama")]))
    #expect(otherKind.contains("q_norm") && otherKind.contains("model_type"))
  }

  /// Every length of a truncated weights file, in steps; and no file at all.
  @Test func truncatedWeightsAreErrors() throws {
    let folder = try TemporaryFolder()
    try ModelFolder.write(TinyModel.qwen3.make(on: cpu()), to: folder.path)
    let path = folder.path + "/model.safetensors"
    let whole = try FixtureFolders.bytes(path)
    for count in Array(stride(from: 0, to: whole.count, by: 997)) + [whole.count - 1] {
      try AtomicFile.write(Array(whole[..<count]), to: path)
      let message = try message { _ = try ModelFolder(folder.path).load(on: cpu()) }
      #expect(try #require(message).contains("model.safetensors"))
    }
    try Folder.remove(path)
    #expect(try message { _ = try ModelFolder(folder.path).load(on: cpu()) } != nil)
  }
}
