import Files
import Kernels
import NumberFormats
import Testing

@testable import Engine

/// Adapters on frozen models: their gradients, their files, and what becomes of them.
@Suite(.serialized, .exclusiveDevices) struct LowRankAdapterTests {
  private static let batch = 2
  private static let time = 6

  private func adapted(
    _ configuration: ModelConfiguration, _ settings: LowRankAdapter, on device: any OperationDevice,
    isTrained: Bool = true,
  ) throws -> any LanguageModel {
    var configuration = configuration
    configuration.adapter = settings
    let model = try TinyModel.make(configuration, on: device, trains: true)
    guard isTrained else { return model }
    for parameter in model.parameters.trained.parameters {
      let noise = CounterRandom(seed: 2, stream: "\(parameter.name) in tests")
      device.write(noise.normals(parameter.shape.count, deviation: 0.3), to: parameter.memory)
    }
    return model
  }

  private func loss(_ model: any LanguageModel, recording: Bool, recomputes: Bool = false) -> (Tape, Tensor) {
    let device = model.parameters.device
    let shape: Shape = [Self.batch, Self.time]
    let tape = Tape(on: device, isRecording: recording)
    var context = ForwardContext(tape: tape)
    context.recomputesLayers = recomputes
    let states = model.hiddenStates(Tensor(TinyTokens.ids(shape.count), shape: shape, on: device), context)
    let labels = Tensor(TinyTokens.ids(shape.count, seed: 8), shape: [shape.count], on: device)
    let result = tape.linearCrossEntropy(
      hidden: states, weight: tape.parameter(model.head), labels: labels, CrossEntropyOptions(scale: 1 / 12))
    return (tape, result.loss)
  }

  private static let mixers = MixerCatalogue.all.map { TinyModel.hybrid([$0.name, $0.name]) }

  @Test(arguments: TinyModel.allCases.map { $0.configuration() } + mixers)
  func gradientsMatchFiniteDifferences(configuration: ModelConfiguration) throws {
    try expectFiniteDifferences(
      configuration, LowRankAdapter(rank: 1, alpha: 2, dropout: 0.3, seed: 3))
  }

  private func expectFiniteDifferences(
    _ configuration: ModelConfiguration, _ settings: LowRankAdapter,
  ) throws {
    let device = ReferenceDevice<Double>()
    let model = try adapted(configuration, settings, on: device)
    #expect(model.parameters.gradients == nil)
    // The same mask in every evaluation of the loss.
    model.parameters.adapters?.beginTraining(step: 4, microBatch: 1)
    let (tape, start) = loss(model, recording: true)
    tape.backward(from: start)
    let random = CounterRandom(seed: 1, stream: "elements")
    let parameters = model.parameters.trained.parameters
    for (number, parameter) in parameters.enumerated() {
      let gradients = device.values(try #require(parameter.gradient))
      #expect(gradients.contains { $0 != 0 }, "\(parameter.name)")
      // Six of them, A's and B's: each takes four losses.
      guard number % max(1, parameters.count / 6 | 1) == 0 else { continue }
      let element = random.integer(UInt64(number), below: gradients.count)
      let original = device.values(parameter.memory)
      func value(_ steps: Double) -> Double {
        var moved = original
        moved[element] += steps * 1e-5
        let tensor = device.tensor(moved, TensorType(parameter.shape, .float32))
        device.copy(tensor.memory, to: parameter.memory)
        return device.values(loss(model, recording: false).1.memory)[0]
      }
      let expected = (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / 12e-5
      _ = value(0)
      #expect(
        abs(gradients[element] - expected) <= 1e-8 + 1e-6 * abs(expected),
        "\(parameter.name)[\(element)]: \(gradients[element]), finite difference \(expected)")
    }
  }

  /// Weights of four bits below: the backward unpacks them again.
  @Test(arguments: [TinyModel.llama, .llamaTiedWithBiases, .gpt2], [PackedFormat.nf4, .int4])
  func gradientsOverPackedWeightsMatchFiniteDifferences(kind: TinyModel, base: PackedFormat) throws {
    try expectFiniteDifferences(kind.configuration(), LowRankAdapter(rank: 2, base: base))
  }

  @Test(arguments: PackedFormat.allCases) func packedWeightsAreTheRoundedOnes(format: PackedFormat) throws {
    let shape: Shape = [40, 96]
    let values = CounterRandom(seed: 5, stream: "packed").normals(shape.count, deviation: 0.02)
    let expected = PackedWeight.rounded(values, shape: shape, format: format)
    let error = zip(values, expected).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    // A tenth of the deviation: four bits.
    #expect((error / Double(values.count)).squareRoot() < 0.003 && error > 0)
    for device in try TestDevices.all() {
      let packed = PackedWeight(values, shape: shape, format: format, on: device)
      let tape = Tape(on: device, isRecording: false)
      let got = try tape.apply(packed.unpacking, packed.operands)[0].floats(on: device)
      #expect(zip(got, expected).allSatisfy { abs($0 - $1) <= 1e-6 * abs($1) })
    }
  }

  /// Merged, packed weights become the floats that they stood for.
  @Test(arguments: [TinyModel.llama, .gpt2]) func mergedPackedWeightsKeepTheFunction(kind: TinyModel) throws {
    for device in try TestDevices.all() {
      let scratch = try TemporaryFolder()
      try ModelFolder.write(try kind.make(on: device), to: scratch.path)
      var folder = try ModelFolder(scratch.path)
      let plain = try folder.load(on: device).logits([TinyTokens.ids(7)])
      folder.configuration.adapter = LowRankAdapter(rank: 2, base: .nf4, seed: 1)
      let models = try [false, true].map { try folder.load(on: device, trains: true, unpacks: $0) }
      for model in models {
        for parameter in model.parameters.trained.parameters {
          let noise = CounterRandom(seed: 6, stream: parameter.name)
          device.write(noise.normals(parameter.shape.count, deviation: 0.1), to: parameter.memory)
        }
      }
      #expect(models[0].parameters.packedWeights.count > 0 && models[1].parameters.packedWeights.count == 0)
      let expected = try models[0].logits([TinyTokens.ids(7)])
      #expect(largestDifference(expected, plain) > 1e-2)
      models[1].parameters.adapters?.merge(into: models[1].parameters)
      #expect(largestDifference(try models[1].logits([TinyTokens.ids(7)]), expected) <= 1e-4)
    }
  }

  @Test(arguments: [TinyModel.llama, .gpt2])
  func recomputedLayersGiveTheSameBits(kind: TinyModel) throws {
    let device = ReferenceDevice<Double>()
    let gradients = try [false, true].map { recomputes in
      let settings = LowRankAdapter(rank: 2, dropout: 0.2)
      let model = try adapted(kind.configuration(), settings, on: device)
      model.parameters.adapters?.beginTraining(step: 1, microBatch: 0)
      let (tape, start) = loss(model, recording: true, recomputes: recomputes)
      tape.backward(from: start)
      return try model.parameters.trained.parameters.map { device.values(try #require($0.gradient)) }
    }
    #expect(gradients[0] == gradients[1])
  }

  @Test(arguments: [TinyModel.llama, .gpt2])
  func newAdaptersChangeNoLogit(kind: TinyModel) throws {
    for device in try TestDevices.all() {
      let settings = LowRankAdapter(rank: 3, dropout: 0.5)
      let model = try adapted(kind.configuration(), settings, on: device, isTrained: false)
      let plain = try TinyModel.make(kind.configuration(), on: device)
      let (a, b) = (try model.logits([TinyTokens.ids(7)]), try plain.logits([TinyTokens.ids(7)]))
      // An activation that follows an adapter is not part of the product, which may cost GPT-2 the last bit.
      if kind == .llama { #expect(a == b) } else { #expect(largestDifference(a, b) <= 1e-5) }
    }
  }

  @Test func onlyTargetsAreAdapted() throws {
    let device = ReferenceDevice<Double>()
    let settings = LowRankAdapter(rank: 2, targets: ["q_proj", "layers.1"])
    let model = try adapted(TinyModel.llama.configuration(), settings, on: device)
    let names = try #require(model.parameters.adapters).weights
    #expect(names.count == 8 && names.first == "model.layers.0.self_attn.q_proj.weight")
    #expect(throws: AdapterError.self) {
      try self.adapted(
        TinyModel.llama.configuration(), LowRankAdapter(rank: 2, targets: ["proj"]), on: device)
    }
    #expect(throws: AdapterError.self) {
      try self.adapted(TinyModel.llama.configuration(), LowRankAdapter(rank: 13), on: device)
    }
  }

  /// Evaluation rounds as training did, whatever the model below says.
  @Test func foldersKeepTheirPrecision() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let scratch = try TemporaryFolder()
    let (base, folder) = (scratch.path + "/base", scratch.path + "/adapters")
    try Folder.create(base)
    try Folder.create(folder)
    try ModelFolder.write(TinyModel.llama.make(on: device), to: base)
    var start = try ModelFolder(base)
    start.configuration.adapter = LowRankAdapter(rank: 2)
    var formats = LinearFormats()
    try formats.set("fprop_input", to: "int8 block=row scale=fp32")
    start.configuration.precision = LinearPrecision(formats, seed: 5)
    start.configuration.storage.activations = .bf16
    let model = try start.load(on: device, trains: true)
    try AdapterFolder.write(try #require(model.parameters.adapters), of: model, to: folder)
    let read = try ModelFolder(folder).configuration
    #expect(read.precision == start.configuration.precision && read.storage == start.configuration.storage)
  }

  /// What a folder of adapters gives back: as it was trained, and merged into the weights.
  @Test(
    arguments: [TinyModel.llama, .gpt2],
    [LowRankAdapter.Initialization.standard, .gradient])
  func foldersKeepTheFunction(kind: TinyModel, initialization: LowRankAdapter.Initialization) throws {
    for device in try TestDevices.all() {
      let scratch = try TemporaryFolder()
      let (base, folder) = (scratch.path + "/base", scratch.path + "/adapters")
      try Folder.create(base)
      try Folder.create(folder)
      try ModelFolder.write(try kind.make(on: device), to: base)
      var start = try ModelFolder(base)
      start.configuration.adapter = LowRankAdapter(
        rank: 2, alpha: 4, isRankStabilized: true, initialization: initialization, seed: 9)
      let model = try start.load(on: device, trains: true)
      let before = try ModelFolder(base).load(on: device).logits([TinyTokens.ids(7)])
      if initialization == .gradient {
        let batch = try TinyRun.tokens()
        let sampler = try BatchSampler(batch, context: 8, sequencesPerStep: 2, seed: 1)
        try GradientInitialization.run(
          model, from: start, batches: [sampler.batch(step: 0, sequences: 0..<2)], loss: LossOptions())
        #expect(largestDifference(try model.logits([TinyTokens.ids(7)]), before) <= 1e-4)
        let values = try device.read(
          try #require(model.parameters.trained.parameters.last).memory, as: Float.self)
        #expect(values.contains { $0 != 0 })
      }
      for parameter in model.parameters.trained.parameters {
        let old = try device.read(parameter.memory, as: Float.self)
        let noise = CounterRandom(seed: 6, stream: parameter.name).normals(old.count, deviation: 0.1)
        device.write(zip(old, noise).map { $0 + $1 }, to: parameter.memory)
      }
      let expected = try model.logits([TinyTokens.ids(7)])
      #expect(largestDifference(expected, before) > 1e-2)
      let adapters = try #require(model.parameters.adapters)
      try AdapterFolder.write(adapters, of: model, to: folder)
      let read = try ModelFolder(folder).load(on: device)
      #expect(try read.logits([TinyTokens.ids(7)]) == expected)
      // As another program reads it: rank and scale of the tensors, nothing of our own.
      let file = folder + "/" + AdapterFolder.configurationFile
      var json = try #require(try JSON.read(file).objectValue)
      #expect(json["fan_in_fan_out"] == .bool(kind == .gpt2))
      _ = json.removeValue(forKey: "nibble")
      try JSON.object(json).write(to: file)
      let foreign = try ModelFolder(folder).load(on: device)
      #expect(largestDifference(try foreign.logits([TinyTokens.ids(7)]), expected) <= 1e-4)
      foreign.parameters.adapters?.merge(into: foreign.parameters)
      #expect(foreign.parameters.adapters == nil)
      #expect(largestDifference(try foreign.logits([TinyTokens.ids(7)]), expected) <= 1e-4)
    }
  }

  @Test func foldersThatOtherProgramsFillDifferentlyAreRefused() throws {
    let scratch = try TemporaryFolder()
    let file = scratch.path + "/" + AdapterFolder.configurationFile
    let cases: [(JSONObject, String)] = [
      (["peft_type": "IA3"], "IA3"), (["bias": "all"], "biases"), (["use_dora": true], "DoRA"),
      (["base_model_name_or_path": "/nowhere/at all"], "not there"), ([:], "base_model_name_or_path"),
    ]
    for (json, part) in cases {
      try JSON.object(json).write(to: file)
      let error = #expect(throws: (any Error).self) { try ModelFolder(scratch.path) }
      #expect("\(try #require(error))".contains(part))
    }
  }

  /// Stopped and resumed adapters are the uninterrupted ones, byte for byte, and the model below stays as it is.
  @Test(arguments: [LowRankAdapter.Initialization.standard, .gradient])
  func resumedRunsRepeat(initialization: LowRankAdapter.Initialization) throws {
    for device in try TestDevices.all() {
      let scratch = try TemporaryFolder()
      try ModelFolder.write(try TinyModel.llama.make(on: device), to: scratch.path)
      var start = try ModelFolder(scratch.path)
      start.configuration.adapter = LowRankAdapter(
        rank: 2, dropout: 0.1, initialization: initialization,
        base: initialization == .standard ? .nf4 : nil, seed: 4)
      let (whole, parts) = (try TinyRun(on: device), try TinyRun(on: device))
      (whole.adapted, parts.adapted) = (start, start)
      #expect(try whole.train() == .finished)
      #expect(try parts.train(RecordingObserver([3: .stop])) == .stopped)
      #expect(try parts.train(from: parts.path + "/checkpoints/latest") == .finished)
      let (first, second) = (try whole.files(8), try parts.files(8))
      #expect(
        first.keys.sorted() == [
          "adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors", "tokenizer.json",
          "training_state.json",
        ])
      #expect(first == second)
    }
  }
}

/// Singular vectors against what defines them.
@Suite struct SingularVectorsTests {
  private func matrix(_ rows: Int, _ columns: Int, decay: Double) -> [Double] {
    let random = CounterRandom(seed: 3, stream: "\(rows) \(columns)")
    let rank = min(rows, columns)
    func normal(_ index: Int) -> Double { random.normal(UInt64(index)) }
    var result = [Double](repeating: 0, count: rows * columns)
    for part in 0..<rank {
      let size = Double.exp(-decay * Double(part))
      for row in 0..<rows {
        for column in 0..<columns {
          result[row * columns + column] +=
            size * normal(part * 1000 + row) * normal(1_000_000 + part * 1000 + column)
        }
      }
    }
    return result
  }

  @Test(arguments: [(1, 1), (5, 3), (3, 5), (20, 14), (90, 70), (70, 90)])
  func vectorsAreOrthonormalAndFit(rows: Int, columns: Int) throws {
    let matrix = matrix(rows, columns, decay: 0.5)
    let count = min(4, min(rows, columns))
    let found = SingularVectors(of: matrix, rows: rows, columns: columns, count: count)
    #expect(found.values == found.values.sorted(by: >) && found.values.count == count)
    for a in 0..<count {
      for b in 0..<count {
        for vectors in [found.left, found.right] {
          let product = zip(vectors[a], vectors[b]).reduce(0) { $0 + $1.0 * $1.1 }
          #expect(abs(product - (a == b ? 1 : 0)) < 1e-9)
        }
      }
      // matrix v = value u.
      for row in 0..<rows {
        let product = (0..<columns).reduce(0) { $0 + matrix[row * columns + $1] * found.right[a][$1] }
        #expect(abs(product - found.values[a] * found.left[a][row]) < 1e-6 * found.values[0])
      }
    }
    if count == min(rows, columns) {
      let norm = matrix.reduce(0) { $0 + $1 * $1 }
      #expect(abs(found.values.reduce(0) { $0 + $1 * $1 } - norm) < 1e-9 * norm)
    }
  }
}
