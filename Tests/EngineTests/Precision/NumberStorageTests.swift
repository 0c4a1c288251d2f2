import Files
import Kernels
import NumberFormats
import Testing

@testable import Engine

/// Training that keeps its numbers in two bytes.
@Suite(.serialized, .exclusiveDevices) struct NumberStorageTests {
  private static let activations = NumberStorage(activations: .bf16)

  private func hiddenStates(
    of kind: TinyModel, _ storage: NumberStorage, on device: any OperationDevice, records: Bool,
    observer: ((String, String, [Tensor]) -> Void)? = nil,
  ) throws -> [UInt32] {
    var configuration = kind.configuration()
    configuration.storage = storage
    let model = try TinyModel.make(configuration, on: device, trains: records)
    let tape = Tape(on: device, isRecording: records)
    tape.observer = observer
    let ids = Tensor((0..<16).map { Int32($0 * 7 % 19) }, shape: [2, 8], on: device)
    let states = model.hiddenStates(ids, ForwardContext(tape: tape))
    return try states.floats(on: device).map(\.bitPattern)
  }

  @Test(arguments: [TinyModel.llama, .gpt2])
  func whatOperationsHandOnIsBF16InTrainingAndEvaluationAlike(kind: TinyModel) throws {
    for device in try TestDevices.all() {
      var seen = 0
      let trained = try hiddenStates(of: kind, Self.activations, on: device, records: true) {
        name, scope, outputs in
        let bits = (try? outputs[0].floats(on: device).map(\.bitPattern)) ?? [1]
        #expect(bits.allSatisfy { $0 & 0xFFFF == 0 }, "\(name) in \(scope)")
        seen += 1
      }
      #expect(seen > 15)
      #expect(try hiddenStates(of: kind, Self.activations, on: device, records: false) == trained)
      let full = try hiddenStates(of: kind, NumberStorage(), on: device, records: true)
      #expect(full != trained)
      for (a, b) in zip(full, trained) { #expect(abs(Float(bitPattern: a) - Float(bitPattern: b)) < 0.1) }
    }
  }

  @Test func forwardKeepsAboutHalfTheBytes() throws {
    let kept = try [NumberStorage(), Self.activations].map { storage in
      let device = PlanningDevice(for: HostDevice.describe(threads: 1))
      var configuration = TinyModel.llama.configuration(layers: 4, contextLength: 256)
      configuration.modelDimension = 64
      configuration.headDimension = 16
      configuration.hiddenDimension = 192
      configuration.storage = storage
      let model = try TinyModel.make(configuration, on: device, trains: true)
      let before = device.memoryUse.live
      let tape = Tape(on: device, isRecording: true)
      let ids = Tensor([Int32](repeating: 0, count: 1024), shape: [4, 256], on: device)
      let states = model.hiddenStates(ids, ForwardContext(tape: tape))
      defer { withExtendedLifetime((tape, states)) {} }
      return device.memoryUse.live - before
    }
    #expect(kept[0] > 4_000_000)
    // Log-sum-exp and the norms' statistics stay floats.
    #expect(Double(kept[1]) < 0.56 * Double(kept[0]))
  }

  @Test func recomputedLayersHaveTheSameBits() throws {
    for device in try TestDevices.all() {
      let runs = try [false, true].map { recomputes in
        let run = try TinyRun(on: device, steps: 3)
        run.storage = Self.activations
        run.options.recomputesLayers = recomputes
        try run.train()
        return try run.files(3)
      }
      #expect(runs[0] == runs[1])
    }
  }

  @Test func aRunGoesOnAsItWas() throws {
    for device in try TestDevices.all() {
      let run = try TinyRun(on: device, steps: 6)
      run.storage = Self.activations
      // Rounded products read and save activations, too.
      var formats = LinearFormats()
      try formats.set("wgrad_input", to: "mxfp8_e4m3 block=4")
      run.precision = LinearPrecision(formats)
      run.options.checkpointInterval = 3
      let observer = RecordingObserver()
      try run.train(observer)
      let files = try run.files(6)
      try run.train(from: run.checkpoint(3))
      #expect(try run.files(6) == files)
      let folder = try ModelFolder(run.checkpoint(6))
      #expect(folder.configuration.storage == Self.activations)
      let windows = try EvaluationWindows(TinyRun.tokens().slice(500..<600), context: 8, rule: .everyToken)
      let loss = try Evaluator(folder.load(on: device), batch: 2, softcap: 0).run(windows) { _ in true }.loss
      #expect(observer.evaluations[6] == loss)
    }
  }

  // MARK: Weights

  private static let weights = NumberStorage(weights: .bf16)
  private static let both = NumberStorage(activations: .bf16, weights: .bf16)

  @Test func weightsTakeTwoBytesAndGainsFour() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    var configuration = TinyModel.llamaTiedWithBiases.configuration()
    configuration.storage = Self.weights
    let model = try TinyModel.make(configuration, on: device, trains: true)
    var plain = configuration
    plain.storage = NumberStorage()
    let full = try TinyModel.make(plain, on: device, trains: true)
    for (parameter, other) in zip(model.parameters.parameters, full.parameters.parameters) {
      #expect(parameter.memory.element == (parameter.decays ? .bfloat16 : .float32), "\(parameter.name)")
      let values = try other.floats(on: device)
      let wanted = parameter.decays ? values.map { BFloat16($0).float } : values
      #expect(try parameter.floats(on: device) == wanted)
    }
  }

  /// Means of many updates of a thousandth of a step of the format: to nearest none of them would be seen.
  @Test func smallUpdatesAreKeptInTheMean() throws {
    for device in try TestDevices.all() {
      let count = 4096
      let store = ParameterStore(
        [.init("weight", [count], decays: true), .init("gain", [3], decays: false)], on: device, trains: true,
        weights: .bf16)
      let weight = store.parameters[0]
      weight.write([Float](repeating: 1.5, count: count), on: device)
      let optimizer = Optimizer(SGD(momentum: 0), for: store, seed: 4)
      let tape = Tape(on: device, isRecording: false)
      let one = Tensor([Float(1)], shape: [1], on: device)
      let clip = GradientClip.Result(factor: one, isFinite: one, norm: one)
      let steps = 100
      for _ in 0..<steps {
        device.write([Float](repeating: 1, count: count), to: try #require(weight.gradient))
        weight.gradientIsEmpty = false
        optimizer.step(learningRate: 0x1p-17, peakLearningRate: 1, clip: clip, on: tape)
      }
      let values = try weight.floats(on: device)
      // One step of the format is 2^-7: 100 updates are 0.0977 of it, and about one weight in ten took it.
      let mean = values.reduce(0.0) { $0 + Double($1) } / Double(count)
      #expect(abs(mean - (1.5 - Double(steps) * 0x1p-17)) < 2e-4)
      let moved = values.count { $0 != 1.5 }
      #expect(moved > 300 && moved < 520)
    }
  }

  @Test func aStepThatIsNotFiniteChangesNoWeight() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let store = ParameterStore(
      [.init("weight", [64], decays: true)], on: device, trains: true, weights: .bf16)
    let values = (0..<64).map { Float($0) * 0.37 }
    store.parameters[0].write(values, on: device)
    let optimizer = Optimizer(AdamW(), for: store)
    let (one, zero) = (Tensor([Float(1)], shape: [1], on: device), Tensor([Float(0)], shape: [1], on: device))
    optimizer.step(
      learningRate: 1, peakLearningRate: 1, clip: .init(factor: one, isFinite: zero, norm: one),
      on: Tape(on: device, isRecording: false))
    #expect(try store.parameters[0].floats(on: device) == values.map { BFloat16($0).float })
  }

  @Test(arguments: [TinyModel.llama, .gpt2])
  func weightsGoOnAsTheyWere(kind: TinyModel) throws {
    for device in try TestDevices.all() {
      let run = try TinyRun(on: device, steps: 6)
      run.kind = kind
      run.storage = Self.both
      run.options.checkpointInterval = 3
      run.options.recomputesLayers = kind == .gpt2
      let observer = RecordingObserver()
      try run.train(observer)
      let files = try run.files(6)
      try run.train(from: run.checkpoint(3))
      #expect(try run.files(6) == files)
      let stored = try SafetensorsFile(path: run.checkpoint(6) + "/model.safetensors")
      #expect(Set(stored.entries.map(\.type)) == [.bfloat16, .float32])
      let folder = try ModelFolder(run.checkpoint(6))
      let windows = try EvaluationWindows(TinyRun.tokens().slice(500..<600), context: 8, rule: .everyToken)
      let loss = try Evaluator(folder.load(on: device), batch: 2, softcap: 0).run(windows) { _ in true }.loss
      #expect(observer.evaluations[6] == loss)
      let full = try TinyRun(on: device, steps: 6)
      full.kind = kind
      let other = RecordingObserver()
      try full.train(other)
      let first = try #require(observer.steps.first)
      let last = try #require(observer.steps.last)
      #expect(last.loss < first.loss)
      #expect(try abs(last.loss - #require(other.steps.last).loss) < 0.2)
    }
  }

  @Test func storageThatNobodyKnowsIsRefused() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 1)
    run.storage = Self.both
    try run.train()
    let path = run.checkpoint(1) + "/config.json"
    var json = try #require(try JSON.read(path).objectValue)
    json[NumberStorage.key] = ["activations": "fp16"]
    try JSON.object(json).write(to: path)
    #expect(throws: ModelError.self) { try ModelFolder(run.checkpoint(1)) }
  }
}
