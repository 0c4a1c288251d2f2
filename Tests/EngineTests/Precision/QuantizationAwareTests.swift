import Files
import Glibc
import Kernels
import NumberFormats
import Testing

@testable import Engine

/// Training under learned and statistical scales.
@Suite(.serialized, .exclusiveDevices) struct QuantizationAwareTests {
  private func precision(_ texts: [String: String]) throws -> LinearPrecision {
    var formats = LinearFormats()
    for (operand, text) in texts { try formats.set(operand, to: text) }
    try formats.check()
    return LinearPrecision(formats)
  }

  private func learned(_ weight: String = "int4 block=4 scale=lsq") throws -> LinearPrecision {
    try precision([
      "fprop_input": "int8 block=tensor scale=lsq", "fprop_weight": weight, "dgrad_weight": "forward",
      "wgrad_input": "forward",
    ])
  }

  private func statistical() throws -> LinearPrecision {
    try precision(["fprop_weight": "int2 block=row scale=statsq", "dgrad_weight": "forward"])
  }

  @Test func aLearnedScaleHasTheGradientOfItsDefinition() throws {
    let (rows, columns) = (3, 40)
    let x = CounterRandom(seed: 4, stream: "lsq").normals(rows * columns, deviation: 1)
    let dy = CounterRandom(seed: 5, stream: "lsq").normals(rows * columns, deviation: 1)
    let scales: [Float] = [0.2, 0.4, 0.1]
    var (dx, ds) = ([Double](repeating: 0, count: x.count), [Double](repeating: 0, count: rows))
    for index in x.indices {
      let v = Double(x[index]) / Double(scales[index / columns])
      let slope: Double
      switch v {
      case ..<(-4): slope = -4
      case 3...: slope = 3
      default: (slope, dx[index]) = (v.rounded(.toNearestOrEven) - v, Double(dy[index]))
      }
      ds[index / columns] += Double(dy[index]) * slope / (3 * Double(columns)).squareRoot()
    }
    for device in try TestDevices.all() {
      let tape = Tape(on: device, isRecording: true)
      let inputs = [
        tape.watch(Tensor(x, shape: [rows, columns], on: device)),
        tape.watch(Tensor(scales, shape: [rows, 1], on: device)),
      ]
      let y = tape.apply(QuantizeUniform(UniformQuantizer(.signed(bits: 3), .row)), inputs)
      let found = tape.gradients(
        of: y, with: [Tensor(dy, shape: [rows, columns], on: device)], for: inputs)
      let got = try found.map { try #require($0).floats(on: device).map(Double.init) }
      #expect(got[0] == dx)
      #expect(zip(got[1], ds).allSatisfy { abs($0 - $1) < 1e-5 * (1 + abs($1)) })
    }
  }

  @Test(arguments: [TinyModel.llama, .gpt2], [false, true])
  func aResumedRunRepeatsTheUninterruptedOneBitForBit(kind: TinyModel, isLearned: Bool) throws {
    for device in try TestDevices.all() {
      let run = try TinyRun(on: device, steps: 8)
      run.kind = kind
      run.precision = isLearned ? try learned() : try statistical()
      run.options.checkpointInterval = 3
      run.options.oscillationInterval = 2
      run.options.annealingSteps = 3
      run.options.annealingRadius = 0.1
      try run.train()
      let files = try run.files(8)
      let lines = try run.metrics().map { $0["oscillation"] }
      try run.train(from: run.checkpoint(3))
      #expect(try run.files(8) == files)
      #expect(try run.metrics().map { $0["oscillation"] } == lines)
      #expect(lines.map { $0 != nil } == (1...8).map { $0 % 2 == 0 })
    }
  }

  @Test func scalesStartAtTheirWeightsAndAreTrained() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 4)
    run.precision = try learned()
    let start = try {
      var configuration = run.kind.configuration()
      configuration.precision = run.precision
      return try TinyModel.make(configuration, on: device, trains: true, seed: run.options.seed)
    }()
    let name = "model.layers.1.mlp.down_proj"
    let weight = try #require(start.parameters[name + ".weight"]).value.floats(on: device)
    let scale = try #require(start.parameters[name + ".weight_scale"])
    #expect(scale.shape == [12, 5] && !scale.decays)
    let first = try scale.value.floats(on: device)
    #expect(abs(first[0] - 2 * weight[..<4].reduce(0) { $0 + abs($1) } / 4 / Float(7).squareRoot()) < 1e-6)
    let observer = RecordingObserver()
    try run.train(observer)
    let model = try ModelFolder(run.checkpoint(4)).load(on: device)
    let trained = try #require(model.parameters[name + ".weight_scale"]).value.floats(on: device)
    #expect(zip(trained, first).allSatisfy { $0 != $1 && abs($0 - $1) < 0.1 })
    #expect(try #require(model.parameters[name + ".input_scale"]).value.floats(on: device)[0] > 0.001)
    // And a checkpoint is evaluated with them.
    let windows = try EvaluationWindows(TinyRun.tokens().slice(500..<600), context: 8, rule: .everyToken)
    #expect(try Evaluator(model, batch: 2).run(windows).loss == observer.evaluations[4])
  }

  @Test(arguments: [TinyModel.llama, .gpt2])
  func layersAreRecomputedWithTheSameBits(kind: TinyModel) throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let files = try [false, true].map { recomputes in
      let run = try TinyRun(on: device, steps: 3)
      run.kind = kind
      run.precision = try learned()
      run.options.recomputesLayers = recomputes
      try run.train()
      return try run.files(3)
    }
    #expect(files[0] == files[1])
  }

  // MARK: Export

  @Test(
    arguments: [TinyModel.llama, .gpt2, .llamaTiedWithBiases],
    [
      "int4 block=4 scale=lsq", "int2 block=row scale=statsq", "int3 block=tensor scale=lsq",
      "int4 block=4 scale=fp32", "int4 block=row scale=statsq", "int8 block=2 scale=lsq",
      "int4 block=8 scale=lsq",
    ])
  func exportedModelsHaveTheLogitsOfTheSimulation(kind: TinyModel, format: String) throws {
    for device in try TestDevices.all() {
      let run = try TinyRun(on: device, steps: 3)
      run.kind = kind
      run.precision = try precision(["fprop_weight": format, "dgrad_weight": "forward"])
      try run.train()
      let model = try ModelFolder(run.checkpoint(3)).load(on: device)
      let expected = try model.logits([TinyTokens.ids(9)])
      let scratch = try TemporaryFolder()
      try QuantizedExport(model, path: "run").write(to: scratch.path)
      let folder = try ModelFolder(scratch.path)
      let isSmall = !format.contains("int8") && format != "int4 block=row scale=statsq"
      #expect(folder.compression?.bits == (isSmall ? 4 : 8) && folder.configuration.precision == nil)
      let packed = try folder.load(on: device)
      let got = try packed.logits([TinyTokens.ids(9)])
      // A product with floats may take the activation along, which rounds otherwise.
      #expect(kind == .gpt2 ? largestDifference(got, expected) < 1e-5 : got == expected)
      #expect((packed.parameters.packedWeights.count > 0) == (isSmall && kind != .gpt2))
      // As floats, and written once more as such.
      let floats = try folder.load(on: device, trains: true)
      #expect(largestDifference(try floats.logits([TinyTokens.ids(9)]), expected) < 1e-5)
      let dense = try TemporaryFolder()
      try ModelFolder.write(floats, to: dense.path)
      let again = try ModelFolder(dense.path).load(on: device).logits([TinyTokens.ids(9)])
      #expect(largestDifference(again, expected) < 1e-5)
    }
  }

  @Test func roundedInputsAreRoundedInExportedModels() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 3)
    run.precision = try learned()
    run.precision?.exclude = ["layers.0.mlp"]
    try run.train()
    let model = try ModelFolder(run.checkpoint(3)).load(on: device)
    let expected = try model.logits([TinyTokens.ids(9)])
    let scratch = try TemporaryFolder()
    try QuantizedExport(model, path: "run").write(to: scratch.path)
    var folder = try ModelFolder(scratch.path)
    #expect(largestDifference(try folder.load(on: device).logits([TinyTokens.ids(9)]), expected) < 1e-5)
    folder.configuration.precision = nil
    #expect(largestDifference(try folder.load(on: device).logits([TinyTokens.ids(9)]), expected) > 1e-4)
    let ignored = try JSON.read(scratch.path + "/config.json")["quantization_config"]?["ignore"]
    #expect(ignored?.arrayValue?.contains("model.layers.0.mlp.up_proj") == true)
  }

  /// A folder that others wrote, whose products need more than its weights.
  @Test func foldersWithMoreThanWeightsAreRefused() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 1)
    run.precision = try precision(["fprop_weight": "int4 block=4 scale=lsq", "dgrad_weight": "forward"])
    try run.train()
    let scratch = try TemporaryFolder()
    try QuantizedExport(ModelFolder(run.checkpoint(1)).load(on: device), path: "run").write(to: scratch.path)
    let file = scratch.path + "/config.json"
    let text = try JSON.read(file).serialized()
    for (key, value) in [("input_activations", "{\"num_bits\":8}"), ("kv_cache_scheme", "{\"num_bits\":8}")] {
      let changed = text.replacing("\"\(key)\":null", with: "\"\(key)\":\(value)")
      #expect(changed != text)
      try JSON(parsing: changed).write(to: file)
      #expect(throws: ModelError.self, "\(key)") { try ModelFolder(scratch.path) }
    }
  }

  /// Adapters that change the weights below them need floats.
  @Test(arguments: [LowRankAdapter.Initialization.standard, .gradient])
  func exportedModelsTakeAdapters(initialization: LowRankAdapter.Initialization) throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 1)
    run.precision = try precision(["fprop_weight": "int4 block=4 scale=lsq", "dgrad_weight": "forward"])
    try run.train()
    let scratch = try TemporaryFolder()
    try QuantizedExport(ModelFolder(run.checkpoint(1)).load(on: device), path: "run").write(to: scratch.path)
    var folder = try ModelFolder(scratch.path)
    folder.configuration.adapter = LowRankAdapter(rank: 2, initialization: initialization)
    let model = try folder.load(on: device, trains: true)
    #expect((model.parameters.packedWeights.count > 0) == (initialization == .standard))
  }

  /// Scales of other codes are no start.
  @Test func scalesOfAnotherFormatBeginAnew() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    let run = try TinyRun(on: device, steps: 2)
    run.precision = try precision(["fprop_weight": "int4 block=4 scale=lsq", "dgrad_weight": "forward"])
    try run.train()
    var folder = try ModelFolder(run.checkpoint(2))
    func scales() throws -> [Float] {
      let model = try folder.load(on: device, trains: true)
      return try #require(model.parameters["model.layers.0.mlp.up_proj.weight_scale"]).value.floats(
        on: device)
    }
    let trained = try scales()
    for format in ["int2 block=4 scale=lsq", "int4 block=2 scale=lsq"] {
      folder.configuration.precision = try precision(["fprop_weight": format, "dgrad_weight": "forward"])
      let fresh = try scales()
      #expect(
        fresh.count == (format.contains("=2 ") ? 2 : 1) * trained.count && fresh != trained, "\(format)")
    }
    folder.configuration.precision = run.precision
    #expect(try scales() == trained)
  }

  @Test func whatIsNoWholeNumbersIsRefused() throws {
    let device = try DeviceCatalog.openForOperations("cpu")
    for format in ["mxfp4 block=4", "int8 block=row scale=statsq", "int8 block=tensor scaling=delayed"] {
      let run = try TinyRun(on: device, steps: 1)
      run.precision = try precision(["fprop_weight": format])
      try run.train()
      let model = try ModelFolder(run.checkpoint(1)).load(on: device)
      #expect(throws: ExportError.self, "\(format)") { try QuantizedExport(model, path: "run") }
    }
    let plain = try TinyModel.llama.make(on: device)
    #expect(throws: ExportError.self) { try QuantizedExport(plain, path: "run") }
  }

  // MARK: Oscillation

  @Test func codesThatGoBackAndForthAreCounted() throws {
    for device in try TestDevices.all() {
      var configuration = TinyModel.llama.configuration()
      configuration.precision = try statistical()
      let model = try TinyModel.make(configuration, on: device)
      let weight = try #require(model.parameters["model.layers.0.mlp.up_proj.weight"])
      let tracker = OscillationTracker(model.parameters)
      let values = try weight.value.floats(on: device)
      // The sign of one element changes in every step: from the second change on, each is an oscillation.
      for step in 1...5 {
        var moved = values
        moved[7] *= step.isMultiple(of: 2) ? 1 : -1
        device.write(moved, to: weight.memory)
        tracker.update(on: Tape(on: device, isRecording: false))
      }
      let found = try tracker.statistics()
      let layer = try #require(found.first { $0.layer == "model.layers.0.mlp.up_proj" })
      let frequency = (1...4).reduce(0.0) { sum, _ in sum * 0.99 + 0.01 }
      #expect(layer.share == 1 / Double(values.count) && layer.count == values.count)
      #expect(abs(layer.frequency * Double(values.count) - frequency) < 1e-6)
      #expect(found.allSatisfy { $0.layer == layer.layer || $0.share == 0 } && found.count == 14)
    }
  }

  @Test(arguments: [false, true]) func annealingMovesOnlyWhatIsNearAThreshold(isLearned: Bool) throws {
    for device in try TestDevices.all() {
      let run = try TinyRun(on: device, steps: 5)
      run.precision = isLearned ? try learned("int2 block=4 scale=lsq") : try statistical()
      run.options.checkpointInterval = 1
      run.options.keptCheckpoints = 9
      run.options.annealingSteps = 1
      run.options.annealingRadius = 0.1
      try run.train()
      let models = try [3, 4, 5].map { try ModelFolder(run.checkpoint($0)).load(on: device) }
      let near = Dictionary(
        uniqueKeysWithValues: try models[1].parameters.uniformWeights.map { weight, quantizer in
          let tape = Tape(on: device, isRecording: false)
          return (weight.name, try tape.uniform(weight, quantizer, .nearThreshold(0.1)).floats(on: device))
        })
      var moved = 0
      for parameter in models[1].parameters.parameters {
        let values = try models.map {
          try #require($0.parameters[parameter.name]).value.floats(on: device)
        }
        #expect(values[0] != values[1], "\(parameter.name) is trained before")
        for index in values[1].indices where values[1][index] != values[2][index] {
          #expect(near[parameter.name]?[index] == 1)
          moved += 1
        }
      }
      let free = near.values.reduce(0) { $0 + $1.count { $0 == 1 } }
      #expect(moved > free / 2 && free > 10)
    }
  }
}
