import Files
import Glibc
import Kernels
import NumberFormats
import Testing

@testable import Engine

/// States of optimizers in eight bits.
@Suite(.serialized, .exclusiveDevices) struct DynamicStateTests {
  @Test(arguments: [true, false]) func codesAreThoseOfTheNearestValues(isSigned: Bool) {
    let map = DynamicMap(isSigned: isSigned)
    let (values, thresholds) = (map.values, map.thresholds)
    #expect(values.count == 256 && values == values.sorted() && values.last == 1)
    let random = CounterRandom(seed: 3)
    for index in 0..<20_000 {
      let magnitude = Float(exp2(-26 * random.uniform(UInt64(2 * index))))
      let value = isSigned && random.uniform(UInt64(2 * index + 1)) < 0.5 ? -magnitude : magnitude
      let code = map.codes(of: [value], scale: 1, thresholds)[0]
      let error = abs(values[Int(code)] - value)
      // Nothing but zero becomes zero where there is no sign.
      let others = isSigned ? values[...] : values[1...]
      #expect(others.allSatisfy { abs($0 - value) >= error })
    }
    #expect(map.codes(of: [0], scale: 1, thresholds) == [isSigned ? 127 : 0])
    #expect(map.scale(of: [0.5, -2]) == (isSigned ? -2 : 2) && map.scale(of: [2, -2, 1]) == 2)
  }

  @Test(arguments: [true, false]) func storedNumbersAreStoredAgainAsTheyAre(isSigned: Bool) throws {
    for device in try TestDevices.all() {
      let tape = Tape(on: device, isRecording: false)
      let count = 5 * 256
      let arena = DynamicArena(count, isSigned: isSigned, on: device)
      #expect(try arena.floats(0..<count, on: tape).floats(on: device).allSatisfy { $0 == 0 })
      let codes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
      device.write(codes, to: arena.codes)
      device.write([Float(1), 0.37, 3e-9, 1e-30, 7e12], to: arena.scales)
      let floats = arena.floats(0..<count, on: tape)
      arena.store(floats, 0..<count, on: tape)
      #expect(try device.read(arena.codes, as: UInt8.self) == codes)
      #expect(try device.read(arena.scales, as: Float.self) == [1, 0.37, 3e-9, 1e-30, 7e12])
      // Whatever was stored: the largest magnitude is met exactly.
      let random = CounterRandom(seed: 5).normals(count, deviation: 1).map { isSigned ? $0 : abs($0) }
      arena.store(Tensor(random, shape: [count], on: device), 0..<count, on: tape)
      let once = arena.floats(0..<count, on: tape)
      let values = try once.floats(on: device)
      arena.store(once, 0..<count, on: tape)
      #expect(try arena.floats(0..<count, on: tape).floats(on: device) == values)
      for start in stride(from: 0, to: count, by: 256) {
        let block = start..<start + 256
        #expect(random[block].map(\.magnitude).max() == values[block].map(\.magnitude).max())
      }
    }
  }

  private func widen(_ configuration: inout ModelConfiguration) {
    configuration.modelDimension = 64
    configuration.headDimension = 16
    configuration.hiddenDimension = 96
  }

  @Test func aRunWithStatesInEightBitsGoesOnAsItWas() throws {
    for device in try TestDevices.all() {
      let runs = try [Optimizer.StateFormat.fp32, .int8].map { format in
        let run = try TinyRun(on: device, steps: 8)
        run.adjust = widen
        run.options.optimizerState = format
        run.options.checkpointInterval = 4
        return run
      }
      let (full, small) = (RecordingObserver(), RecordingObserver())
      try runs[0].train(full)
      try runs[1].train(small)
      let files = try runs[1].files(8)
      try runs[1].train(from: runs[1].checkpoint(4))
      #expect(try runs[1].files(8) == files)
      let (a, b) = (try #require(full.steps.last), try #require(small.steps.last))
      #expect(a.loss != b.loss && abs(a.loss - b.loss) < 0.05)
      let sizes = try runs.map { try $0.files(8)["optimizer.safetensors"]?.count ?? 0 }
      #expect(sizes[1] * 2 < sizes[0])
      let file = try SafetensorsFile(path: runs[1].checkpoint(8) + "/optimizer.safetensors")
      let types = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, $0.type) })
      let layer = "second_moment.model.layers.1.mlp.up_proj.weight"
      #expect(types[layer] == .uint8 && types[layer + ".scales"] == .float32)
      // 19 x 64 numbers, and a gain.
      #expect(types["first_moment.model.embed_tokens.weight"] == .float32)
      #expect(types["first_moment.model.norm.weight"] == .float32)
      // What is stored otherwise is no state of this optimizer.
      runs[1].options.optimizerState = .fp32
      #expect(throws: ModelError.self) { try runs[1].train(from: runs[1].checkpoint(4)) }
    }
  }

  @Test func largeMatricesTakeAQuarter() {
    let device = PlanningDevice(for: HostDevice.describe(threads: 1))
    let store = ParameterStore(
      [.init("small", [64], decays: true), .init("large", [4096, 256], decays: true)], on: device,
      trains: true)
    #expect(store.range(of: "large")?.lowerBound == 0)
    func bytes(_ format: Optimizer.StateFormat) -> Int {
      let before = device.memoryUse.live
      let optimizer = Optimizer(AdamW(), for: store, stateFormat: format)
      defer { withExtendedLifetime(optimizer) {} }
      return device.memoryUse.live - before
    }
    #expect(Double(bytes(.int8)) < 0.28 * Double(bytes(.fp32)))
  }

  @Test func modelsOfSmallMatricesAloneAreRefused() throws {
    var options = TinyRun.options(steps: 1)
    options.optimizerState = .int8
    var configuration = TinyModel.llama.configuration()
    let description = HostDevice.describe(threads: 1)
    #expect(throws: PrecisionError.self) {
      try TrainingPlanner.estimate(configuration, options: options, rule: AdamW(), device: description)
    }
    widen(&configuration)
    let small = try TrainingPlanner.estimate(
      configuration, options: options, rule: AdamW(), device: description)
    options.optimizerState = .fp32
    let full = try TrainingPlanner.estimate(
      configuration, options: options, rule: AdamW(), device: description)
    #expect(small.optimizerByteCount < full.optimizerByteCount * 6 / 10)
  }

  /// Large and small matrices are stored by chance, each by its own.
  @Test func noTwoMatricesAreRoundedByTheSameChances() throws {
    for device in try TestDevices.all() {
      let store = ParameterStore(
        [.init("large", [64, 64], decays: true), .init("small", [32, 32], decays: true)], on: device,
        trains: true, weights: .bf16)
      for parameter in store.parameters {
        parameter.write([Float](repeating: 1, count: parameter.shape.count), on: device)
        parameter.gradientIsEmpty = false
      }
      let count = try #require(store.gradients).count
      device.write([Float](repeating: 1, count: count), to: try #require(store.gradients))
      let optimizer = Optimizer(SGD(momentum: 0.9), for: store, stateFormat: .int8, seed: 1)
      let one = Tensor([Float(1)], shape: [1], on: device)
      let clip = GradientClip.Result(factor: one, isFinite: one, norm: one)
      // Half a step between two BF16 numbers.
      optimizer.step(
        learningRate: 0x1p-9, peakLearningRate: 0x1p-9, clip: clip, on: Tape(on: device, isRecording: false))
      let values = try store.parameters.map { try $0.floats(on: device) }
      #expect(Set(values[0]).count == 2 && Set(values[1]).count == 2)
      #expect(Array(values[0].prefix(1024)) != values[1])
    }
  }

  /// Second moments are divided by: a small one beside a large one must not become zero.
  @Test func smallSecondMomentsBesideLargeOnesGiveBoundedUpdates() throws {
    for device in try TestDevices.all() {
      let count = 4096
      let store = ParameterStore([.init("weight", [count], decays: true)], on: device, trains: true)
      let optimizer = Optimizer(AdamW(weightDecay: 0), for: store, stateFormat: .int8)
      let tape = Tape(on: device, isRecording: false)
      let one = Tensor([Float(1)], shape: [1], on: device)
      let clip = GradientClip.Result(factor: one, isFinite: one, norm: one)
      for step in 0..<20 {
        // One element of a block has gradients a million times those of the others, which then have none.
        let gradient = (0..<count).map { Float($0 % 256 == 0 ? 1 : step < 3 ? 1e-6 : 0) }
        device.write(gradient, to: try #require(store.gradients))
        store.parameters[0].gradientIsEmpty = false
        optimizer.step(learningRate: 0.01, peakLearningRate: 0.01, clip: clip, on: tape)
      }
      let values = try device.read(store.values, as: Float.self)
      #expect(values.allSatisfy { $0.isFinite && abs($0) < 0.25 })
    }
  }
}
