import Files
import Glibc
import Kernels
import NumberFormats
import Testing

@testable import Engine

/// Training whose products are rounded.
@Suite(.serialized, .exclusiveDevices) struct LowPrecisionTrainingTests {
  private func formats(_ texts: [String: String]) throws -> LinearFormats {
    var formats = LinearFormats()
    for (operand, text) in texts { try formats.set(operand, to: text) }
    return formats
  }

  /// FP4 everywhere, gradients rounded at random.
  private func fp4() throws -> LinearFormats {
    try formats([
      "fprop_input": "mxfp4 block=4", "fprop_weight": "nvfp4 block=4x4",
      "dgrad_cotangent": "mxfp4 block=4 rounding=stochastic",
      "dgrad_weight": "mxfp4 block=4",
      "wgrad_cotangent": "mxfp4 rounding=stochastic hadamard=16 block=16",
      "wgrad_input": "mxfp4 block=16 hadamard=16",
    ])
  }

  @Test(arguments: [TinyModel.llama, .gpt2])
  func aResumedRunRepeatsTheUninterruptedOneBitForBit(kind: TinyModel) throws {
    for device in try TestDevices.all() {
      let run = try TinyRun(on: device, steps: 6)
      run.kind = kind
      run.precision = LinearPrecision(try fp4(), seed: 3)
      run.options.checkpointInterval = 3
      run.options.microBatch = 2
      let whole = RecordingObserver()
      try run.train(whole)
      let files = try run.files(6)
      try run.train(from: run.checkpoint(3))
      #expect(try run.files(6) == files)
      let full = try TinyRun(on: device, steps: 6)
      full.kind = kind
      let other = RecordingObserver()
      try full.train(other)
      #expect(zip(whole.steps, other.steps).allSatisfy { $0.loss != $1.loss && abs($0.loss - $1.loss) < 1 })
    }
  }

  @Test func layersAreRecomputedWithTheSameBits() throws {
    for device in try TestDevices.all() {
      let runs = try [false, true].map { recomputes in
        let run = try TinyRun(on: device, steps: 3)
        run.precision = LinearPrecision(
          try formats([
            "fprop_input": "mxfp4 block=4 rounding=stochastic", "fprop_weight": "mxfp4 block=4",
          ]))
        run.options.recomputesLayers = recomputes
        try run.train()
        return try run.files(3)
      }
      #expect(runs[0] == runs[1])
    }
  }

  @Test func layersAndStepsThatAreLeftOutAreInSinglePrecision() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    func losses(_ precision: LinearPrecision?) throws -> [Double] {
      let run = try TinyRun(on: device, steps: 4)
      run.precision = precision
      let observer = RecordingObserver()
      try run.train(observer)
      return observer.steps.map(\.loss)
    }
    let full = try losses(nil)
    #expect(try losses(LinearPrecision(fp4(), fullFrom: 0)) == full)
    #expect(try losses(LinearPrecision(fp4(), fullFrom: 2))[0] != full[0])
    let names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    let first = try losses(LinearPrecision(fp4(), exclude: ["layers.1"]))
    #expect(try losses(LinearPrecision(fp4(), fullLast: 1)) == first)
    #expect(throws: PrecisionError.self) { try losses(LinearPrecision(fp4(), exclude: names)) }
    #expect(throws: PrecisionError.self) { try losses(LinearPrecision(fp4(), exclude: ["proj"])) }
  }

  @Test func aCheckpointEvaluatesAsItWasTrained() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 2)
    run.precision = LinearPrecision(
      try formats(["fprop_input": "mxfp4 block=4", "fprop_weight": "int4 block=4"]),
      exclude: ["layers.0.mlp"],
      seed: 1 << 60)
    try run.train()
    var folder = try ModelFolder(run.checkpoint(2))
    #expect(folder.configuration.precision?.seed == 1 << 60)
    #expect(folder.configuration.precision?.exclude == ["layers.0.mlp"])
    func loss(_ model: any LanguageModel) throws -> Double {
      let windows = try EvaluationWindows(TinyRun.tokens().slice(500..<600), context: 8, rule: .everyToken)
      return try Evaluator(model, batch: 2, softcap: 0).run(windows) { _ in true }.loss
    }
    let rounded = try loss(folder.load(on: device))
    let observer = RecordingObserver()
    try run.train(observer)
    #expect(observer.evaluations[2] == rounded)
    folder.configuration.precision = nil
    #expect(try loss(folder.load(on: device)) != rounded)
  }

  @Test func whatEndedInSinglePrecisionIsEvaluatedInIt() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 4)
    run.precision = LinearPrecision(try fp4(), fullFrom: 3)
    run.options.checkpointInterval = 2
    run.options.evaluationInterval = 2
    let observer = RecordingObserver()
    try run.train(observer)
    for step in [2, 4] {
      let windows = try EvaluationWindows(TinyRun.tokens().slice(500..<600), context: 8, rule: .everyToken)
      let model = try ModelFolder(run.checkpoint(step)).load(on: device)
      #expect(
        try Evaluator(model, batch: 2, softcap: 0).run(windows) { _ in true }.loss
          == observer.evaluations[step])
    }
  }

  @Test(arguments: [false, true]) func whatRoundingDoesIsMeasured(recomputes: Bool) throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 3)
    run.precision = LinearPrecision(try fp4())
    run.options.roundingInterval = 2
    run.options.recomputesLayers = recomputes
    let observer = RecordingObserver()
    try run.train(observer)
    #expect(observer.steps.map { $0.rounding.isEmpty } == [false, true, false])
    let found = observer.steps[0].rounding
    // Seven layers twice: a weight and a cotangent for each product, and the inputs that layers share once.
    #expect(Set(found.map(\.layer)).count == 14 && Set(found.map(\.operand)).count == 6)
    #expect(found.allSatisfy { $0.signalToNoise > 8 && $0.signalToNoise < 40 && abs($0.bias) < 0.2 })
    let line = try #require(try run.metrics().first)
    #expect(line["rounding"]?.arrayValue?.count == found.count)
  }

  @Test func aStepThatFailsNamesTheOperand() throws {
    for device in try TestDevices.all() {
      var configuration = TinyModel.llama.configuration()
      configuration.precision = LinearPrecision(try fp4())
      let model = try TinyModel.make(configuration, on: device, trains: true, seed: 1)
      let step = TrainingStep(
        model: model, optimizer: Optimizer(AdamW(), for: model.parameters), loss: LossOptions(), clip: 1)
      let sampler = try BatchSampler(TinyRun.tokens(), context: 8, sequencesPerStep: 4, seed: 1)
      let weight = try #require(model.parameters["model.layers.1.mlp.up_proj.weight"])
      var values = try device.read(weight.memory, as: Float.self)
      values[7] = .infinity
      device.write(values, to: weight.memory)
      #expect(
        try !step.run([sampler.batch(step: 0)], learningRate: 0.01, peakLearningRate: 0.01).isFinite)
      let place = try #require(try step.firstNonFinite([sampler.batch(step: 0)]))
      // The weight's scale is one of its tensor: a number that is not finite makes all of them so.
      #expect(
        place.contains(
          "in low precision: model.layers.1.mlp.up_proj fprop_weight: 240 numbers are not finite"),
        "\(place)")
      #expect(place.hasSuffix("before they are rounded"), "\(place)")
    }
  }

  @Test func statisticsOfAKnownMatrix() {
    let x: [Float] = [6, 1, 0.1, 0, -7.9, 0.2, 3, 1]
    let format = BlockFormat.mxfp4.tiled(.alongRow(4))
    let matrix = format.quantize(x, rows: 2, columns: 4)
    let found = OperandStatistics(
      layer: "a", operand: "b", x: x, rounded: matrix.values, rows: 2, columns: 4, format: format)
    #expect(matrix.values == [6, 1, 0, 0, -6, 0, 3, 1])
    #expect(found.underflow == 2.0 / 7 && found.saturation == 1.0 / 8 && found.scale == 0)
    #expect(abs(found.bias + 2.2 / 19.2) < 1e-6)
    let noise = 0.01 + 1.9 * 1.9 + 0.04
    let signal = 36 + 1 + 0.01 + 7.9 * 7.9 + 0.04 + 9 + 1
    #expect(abs(found.signalToNoise - 10 * log10(signal / noise)) < 1e-4 && found.nonFinite == 0)
  }
}
