import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct KernelBenchmarkTests {
  /// Few, short samples: nothing here looks at times.
  private var runner: BenchmarkRunner {
    var measurement = Measurement(budget: 1e-6)
    measurement.sampleSeconds = 1e-6
    measurement.pause = 0
    return BenchmarkRunner(measurement)
  }

  private static let roof = DeviceRoof(
    device: "-", flopsPerSecond: 1e30, bytesPerSecond: 1e30, sgemmPeak: nil)

  private static let problems: [KernelBenchmark] =
    MatMulProblem.Form.allCases.flatMap { form in
      [1, 3].map { .matmul(MatMulProblem(form, m: 37, n: 45, k: 29, batch: $0)) }
    }
    + AttentionProblem.Pass.allCases.flatMap { pass in
      [
        .attention(AttentionProblem(pass, batch: 2, time: 65, heads: 4, keyHeads: 2, width: 16)),
        .attention(AttentionProblem(pass, time: 40, heads: 2, keyHeads: 2, width: 8, window: 7)),
        .attention(AttentionProblem(pass, time: 33, heads: 2, keyHeads: 1, width: 8, isCausal: false)),
      ]
    }
    + NormProblem.Kind.allCases.flatMap { kind in
      [false, true].flatMap { isBackward in
        [false, true].map {
          .norm(NormProblem(kind, isBackward: isBackward, rows: 70, dim: 40, hasResidual: $0))
        }
      }
    }
    + OptimizerCatalogue.all.map { .optimizer($0, count: 3000) }
    + ElementwiseFunction.allCases.map { .elementwise($0, count: 3000) }
    + [
      .rope(batch: 2, time: 19, heads: 3, width: 12),
      .crossEntropy(CrossEntropyProblem(tokens: 30, width: 20, vocabulary: 50)),
      .decode(TinyModel.llama.configuration(), named: "tiny", context: 9),
    ]

  /// Longer than a piece of the reference.
  private static let recurrences: [KernelBenchmark] = {
    var list: [KernelBenchmark] = ComposedMixerProblem.Mixer.allCases.flatMap { mixer in
      ComposedMixerProblem.Pass.allCases.map { pass in
        .composedMixer(
          ComposedMixerProblem(mixer, pass, batch: 2, time: 150, heads: 3, width: 8, valueWidth: 12))
      }
    }
    list += LinearAttentionProblem.Mixer.allCases.flatMap { mixer in
      LinearAttentionProblem.Pass.allCases.map { pass in
        .linearAttention(
          LinearAttentionProblem(mixer, pass, batch: 2, time: 300, heads: 3, width: 8, valueWidth: 12))
      }
    }
    let small = LinearAttentionProblem(.retention, .forward, time: 40, heads: 2, width: 8, valueWidth: 8)
    list.append(.linearAttention(small, besideAttention: true))
    list += LinearAttentionProblem.Pass.allCases.map {
      .stateSpace(StateSpaceProblem($0, batch: 2, time: 70, channels: 19, states: 3))
    }
    return list
  }()

  private static let parts: [KernelBenchmark] = LayerPart.allCases.flatMap { part in
    [false, true].map {
      .layerPart(LayerPartProblem(part, isBackward: $0, batch: 2, time: 140, heads: 3, width: 20))
    }
  }

  @Test func everyProblemIsRightOnEveryDevice() throws {
    for device in try TestDevices.all() {
      for problem in Self.problems + Self.recurrences + Self.parts
        + KernelBenchmark.copies(byteCount: 4096, on: device)
      {
        let rows = runner.rows(of: problem, on: device, under: Self.roof)
        #expect(!rows.isEmpty)
        for row in rows {
          guard case .passed(let worst) = row.verification else {
            Issue.record("\(problem.name) \(problem.parameters) on \(row.device): \(row.verification)")
            continue
          }
          #expect(worst <= 1 && row.samples.count >= 3 && row.samples.allSatisfy { $0 > 0 })
        }
      }
    }
  }

  /// Positions beyond the first rotation table, and more of them than the table behind it has.
  @Test func decodingBehindPositionsIsRightAndKeepsItsMemory() throws {
    var states = TinyModel.llama.configuration(layers: 2)
    states.architecture = Hybrid.modelType
    states.mixers.kinds = ["retention", "gated_delta"]
    for device in try TestDevices.all() {
      for (model, grows) in [(states, false), (TinyModel.llama.configuration(), true)] {
        let problem = KernelBenchmark.decode(model, named: "tiny", mixer: "-", behind: [0, 700], tokens: 9)
        let rows = runner.rows(of: problem, on: device, under: Self.roof)
        #expect(rows.count == 2 && rows[1].isRival && rows.allSatisfy { !$0.isFailed }, "\(rows)")
        let kept = rows.compactMap(\.keptBytes)
        #expect(kept.count == 2 && kept[0] > 0 && (kept[1] > kept[0]) == grows)
        #expect(rows.allSatisfy { $0.tokens == 9 })
      }
    }
  }

  @Test func productsHaveOpenBLASBesideThemOnProcessorsOnly() throws {
    for device in try TestDevices.all() {
      let rows = runner.rows(of: .matmul(MatMulProblem(.nn, m: 8, n: 8, k: 8)), on: device, under: Self.roof)
      #expect(rows.contains { $0.device == "openblas" && $0.isRival } == device.description.isProcessor)
      #expect(rows[0].device == device.description.name && !rows[0].isRival)
    }
  }

  /// Neither the values nor the checks of such a problem are ever made.
  @Test(arguments: [1 << 31, 1 << 20]) func whatHasNoRoomIsARedRow(size: Int) throws {
    let device = HostDevice()
    let window = AttentionProblem(.both, time: size, heads: size, keyHeads: size, width: 64)
    let problems: [KernelBenchmark] = [
      .matmul(MatMulProblem(.nn, m: size, n: size, k: size, batch: size)), .attention(window),
      .linearAttention(
        LinearAttentionProblem(.delta, .forward, time: size, heads: size, width: 64, valueWidth: 64)),
      .norm(NormProblem(.rms, isBackward: true, rows: size, dim: size, hasResidual: true)),
      .crossEntropy(CrossEntropyProblem(tokens: size, width: size, vocabulary: size)),
      .optimizer(AdamW(), count: size * size), .elementwise(.swiglu, count: size * size),
      .rope(batch: size, time: size, heads: size, width: 64),
      .layerPart(
        LayerPartProblem(.gatedNorm, isBackward: true, batch: size, time: size, heads: size, width: 64)),
      .decode(TinyModel.llama.configuration(), named: "tiny", context: size << 20),
      KernelBenchmark.copies(byteCount: size << 20, on: device)[0],
    ]
    for problem in problems {
      let row = try #require(runner.rows(of: problem, on: device, under: Self.roof).first)
      guard case .failed(let reason) = row.verification else {
        Issue.record("\(problem.name): \(row.verification)")
        continue
      }
      #expect(reason.contains("in one allocation") || reason.contains("no room"), "\(reason)")
    }
  }

  @Test func aCopyHasTheSizeThatItsRowNames() throws {
    let device = HostDevice()
    let problem = KernelBenchmark.copies(on: device)[0]
    let size = CopyArrays.largeByteCount(on: device.description)
    #expect(problem.parameters[0] == .init("bytes", "\(size)"))
    var small = device.description
    small.largestAllocation = 1 << 20
    #expect(CopyArrays.largeByteCount(on: small) == 1 << 20)
    #expect(throws: KernelError.self) { try small.requireRoom(for: [[1 << 18], [(1 << 18) + 16]]) }
    try small.requireRoom(for: [[1 << 18], [1 << 18]])
  }

  @Test func everyOptimizerCanBeTimed() {
    let named = OptimizerCatalogue.names.map { OptimizerCatalogue.rule(named: $0).map { type(of: $0).name } }
    #expect(named == OptimizerCatalogue.names && OptimizerCatalogue.rule(named: "x") == nil)
    let rows = OptimizerCatalogue.all.map { KernelBenchmark.optimizer($0, count: 8).parameters[0].value }
    #expect(rows == OptimizerCatalogue.names)
  }

  @Test func launchesAreTimedWithoutAVerdict() throws {
    for device in try TestDevices.all() {
      for problem in KernelBenchmark.launches() {
        let row = try #require(runner.rows(of: problem, on: device, under: Self.roof).first)
        #expect(row.verification == .notApplicable && row.median != nil && row.cost == nil)
      }
    }
  }

  /// Every element of a result that is off by a thousandth, and one that is never written, is found without any time.
  @Test func aWrongResultIsCaughtAndNotTimed() throws {
    for device in try TestDevices.all() {
      for fault in ["scaled", "forgotten"] {
        let row = try #require(
          runner.rows(of: Self.faulty(fault), on: device, under: Self.roof).first)
        #expect(row.isFailed && row.samples.isEmpty && row.median == nil, "\(fault)")
      }
    }
  }

  private static func faulty(_ fault: String) -> KernelBenchmark {
    KernelBenchmark("faulty", []) { device in
      let problem = MatMulProblem(.nt, m: 40, n: 50, k: 60)
      let whole = OperationProblem(problem.operation, problem.inputs, check: problem.check)
      let tensors = try OperationTensors(whole, on: device)
      var prepared = PreparedBenchmark(whole, tensors, on: device)
      let result = tensors.outputs[0]
      prepared.run = {
        guard fault == "scaled" else { return }
        try device.execute(whole.operation, tensors.inputs, tensors.outputs)
        try device.execute(
          Pointwise(PointwiseProgram(inputs: 1) { [$0[0] * 1.001] }), [result], [result])
      }
      return prepared
    }
  }

  @Test func anImpossibleReadingIsAFailure() throws {
    let slow = DeviceRoof(device: "-", flopsPerSecond: 1e-3, bytesPerSecond: 1e30, sgemmPeak: nil)
    let device = HostDevice()
    let row = try #require(
      runner.rows(of: .matmul(MatMulProblem(.nn, m: 8, n: 8, k: 8)), on: device, under: slow).first)
    #expect(row.isFailed && row.median == nil)
  }

  @Test func aProblemThatDoesNotFitFailsAloneAndNamesTheReason() throws {
    let device = HostDevice()
    let huge = KernelBenchmark("huge", []) { device in
      _ = device.allocate(1 << 50, of: .float32)
      try device.finish()
      return PreparedBenchmark(cost: nil, run: {}, verify: { .notApplicable })
    }
    let row = try #require(runner.rows(of: huge, on: device, under: Self.roof).first)
    guard case .failed(let reason) = row.verification else {
      Issue.record("no failure")
      return
    }
    #expect(reason.contains("no room"))
    #expect(!runner.rows(of: Self.problems[0], on: device, under: Self.roof)[0].isFailed)
  }
}

@Suite struct BenchmarkCostTests {
  @Test func attentionCountsOnlyPairsThatAreSeen() {
    func flops(_ isCausal: Bool, _ window: Int?) -> Double {
      let problem = AttentionProblem(
        .forward, time: 100, heads: 2, keyHeads: 1, width: 8, isCausal: isCausal, window: window
      ).forward
      return problem.operation.cost(problem.types, []).flops
    }
    // Two products of 2 x 8 FLOPs per pair, two heads.
    #expect(flops(false, nil) == 2 * 32 * 100 * 100)
    #expect(flops(true, nil) == 2 * 32 * 5050)
    #expect(flops(true, 10) == 2 * 32 * (55 + 90 * 10))
  }

  @Test func recurrencesCountPassesOverTheirState() {
    func flops(_ mixer: LinearAttentionProblem.Mixer, _ pass: LinearAttentionProblem.Pass) -> Double {
      let problem = LinearAttentionProblem(
        mixer, pass, batch: 2, time: 100, heads: 3, width: 8, valueWidth: 16
      ).whole
      return problem.operation.cost(problem.types, []).flops
    }
    // A multiply-add for each of 8 x 16 numbers, 3 heads, 2 sequences.
    let token = 2.0 * 128 * 3 * 2
    #expect(flops(.retention, .forward) == 2 * 100 * token && flops(.scalarGate, .decode) == 2 * token)
    #expect(flops(.linear, .backward) == 5 * 100 * token)
    #expect(flops(.delta, .forward) == 3 * 100 * token && flops(.gatedDelta, .backward) == 8 * 100 * token)
  }

  @Test func theGradientOfANormNeedsNoPartialSums() {
    let problem = NormProblem(.rms, isBackward: true, rows: 64, dim: 10, hasResidual: false)
    let whole = problem.backward
    let outputs = try? whole.operation.outputTypes(for: whole.types)
    // x, dy, dx, rstd, weight and its gradient.
    #expect(problem.neededBytes((whole.types, outputs ?? [])) == 4 * (3 * 640 + 64 + 10 + 10))
  }

  @Test func productsOfAConfigurationAreForwardAndBothGradients() {
    var model = TinyModel.llama.configuration()
    (model.modelDimension, model.heads, model.keyValueHeads, model.headDimension) = (8, 2, 1, 4)
    (model.hiddenDimension, model.vocabularySize) = (24, 100)
    let products = MatMulProblem.products(of: model, tokens: 16)
    // Queries and output are alike; keys, gate, down and head are others: five times three.
    #expect(products.count == 15 && Set(products).count == 15)
    #expect(products.contains(MatMulProblem(.nt, m: 16, n: 100, k: 8)))
    #expect(products.contains(MatMulProblem(.nn, m: 16, n: 8, k: 100)))
    #expect(products.contains(MatMulProblem(.tn, m: 100, n: 8, k: 16)))
  }
}
