import Engine
import Files
import Kernels
import Testing

/// Thousands of damaged config.json: each is an error or a model that runs.
@Suite struct ConfigurationFuzzTests {
  private static let values: [JSON] = [
    0, -1, 1, 2, 3, 5, 8, 64, 255, 65535, 65536, .integer(1 << 28), .integer(1 << 31), .integer(1 << 40),
    .integer(.max), .integer(.min), 0.5, 1.5, -0.25, .number(.leastNonzeroMagnitude), 1e19, 1e308, -1e308,
    .null, true, false, "",
    "text",
    "12", "yarn", "llama3", "linear", "gpt2", "qwen3", "mistral", "sliding_attention", [], [1],
    ["sliding_attention"],
    [:], ["rope_type": "yarn"], ["factor": -1],
    ["rope_theta": 1e308, "rope_type": "linear", "factor": 1e308],
    ["rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 1],
    ["rope_type": "llama3", "factor": 1e300, "low_freq_factor": 1e-300, "high_freq_factor": 1e300],
  ]

  private static let keys = [
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim",
    "vocab_size", "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters",
    "partial_rotary_factor", "sliding_window", "use_sliding_window", "layer_types", "max_window_layers",
    "attention_bias", "mlp_bias", "tie_word_embeddings", "hidden_act", "initializer_range", "eos_token_id",
    "bos_token_id", "model_type", "n_head", "n_embd", "n_layer", "n_inner", "n_positions",
    "layer_norm_epsilon",
    "activation_function", "scale_attn_weights", "n_groups", "state_size", "expand", "num_heads",
    "conv_kernel", "time_step_limit", "mixers", "mixer_value_expansion", "mixer_block", "mixer_state_size",
    "linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim",
    "linear_conv_kernel_dim",
  ]

  /// Reads the object as ModelFolder does and plans one forward of what is accepted.
  private func run(_ object: JSONObject, _ device: PlanningDevice) throws {
    let reader = ConfigurationReader(object, path: "config.json")
    guard let modelType = try reader.string("model_type") else { return }
    let configuration = try ArchitectureCatalogue.architecture(modelType).configuration(from: reader)
    guard configuration.problems.isEmpty, configuration.layers < 9 else { return }
    let model = try ModelInitialization.make(configuration, seed: 1, on: device, trains: true)
    let tape = Tape(on: device, isRecording: true)
    let ids = Tensor([Int32](repeating: 0, count: 6), shape: [2, 3], on: device)
    let states = model.hiddenStates(ids, ForwardContext(tape: tape))
    #expect(states.shape == [2, 3, configuration.modelDimension])
  }

  @Test func replacedAndRemovedKeysNeverTrap() throws {
    let random = CounterRandom(seed: 77, stream: "configurations")
    let description = try DeviceCatalog.openForOperations("cpu").description
    let bases = try Self.bases()
    var (accepted, refused) = (0, 0)
    for round in 0..<6000 {
      var counter = UInt64(round) * 16
      func draw(_ bound: Int) -> Int {
        counter += 1
        return random.integer(counter, below: bound)
      }
      var object = bases[draw(bases.count)]
      for _ in 0...draw(3) {
        let key = draw(3) == 0 ? Self.keys[draw(Self.keys.count)] : object.map(\.key)[draw(object.count)]
        object[key] = draw(8) == 0 ? nil : Self.values[draw(Self.values.count)]
        if object.isEmpty { break }
      }
      do {
        try run(object, PlanningDevice(for: description))
        accepted += 1
      } catch {
        #expect(!"\(error)".isEmpty)
        refused += 1
      }
    }
    // Both happen often, else the test would say nothing.
    #expect(accepted > 500 && refused > 500, "\(accepted) accepted, \(refused) refused")
  }

  @Test func flippedBytesNeverTrap() throws {
    let random = CounterRandom(seed: 78, stream: "bytes")
    let description = try DeviceCatalog.openForOperations("cpu").description
    let bases = try Self.bases().map { JSON.object($0).serializedBytes(.compact) }
    var parsed = 0
    for round in 0..<6000 {
      var counter = UInt64(round) * 32
      func draw(_ bound: Int) -> Int {
        counter += 1
        return random.integer(counter, below: bound)
      }
      var bytes = bases[draw(bases.count)]
      for _ in 0...draw(4) {
        let place = draw(bytes.count)
        switch draw(4) {
        case 0: bytes[place] = UInt8(draw(256))
        case 1: bytes[place] = UInt8(ascii: "0") + UInt8(draw(10))
        case 2: bytes.insert(UInt8(ascii: "9"), at: place)
        default: bytes.remove(at: place)
        }
      }
      guard let object = (try? JSON.parse(bytes))?.objectValue else { continue }
      parsed += 1
      do { try run(object, PlanningDevice(for: description)) } catch { #expect(!"\(error)".isEmpty) }
    }
    #expect(parsed > 1000, "only \(parsed) were JSON")
  }

  private static func bases() throws -> [JSONObject] {
    let others = [TinyModel.hybrid(["gated_delta", "sliding", "mamba2", "rwkv7"]), TinyModel.mamba2]
    return try (TinyModel.allCases.map { $0.configuration() } + others + [TinyModel.olmoHybrid]).map(json)
  }

  private static func json(of configuration: ModelConfiguration) throws -> JSONObject {
    var json = try ArchitectureCatalogue.architecture(configuration.architecture).json(of: configuration)
    json["model_type"] = .string(configuration.architecture)
    return json
  }
}
