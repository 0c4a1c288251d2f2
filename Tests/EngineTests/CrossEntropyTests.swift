import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct CrossEntropyTests {
  private struct Problem {
    let rows: Int
    let columns: Int
    let width: Int
    let labels: [Int32]

    init(rows: Int, columns: Int, width: Int) {
      self.rows = rows
      self.columns = columns
      self.width = width
      let random = CounterRandom(seed: 3)
      labels = (0..<rows).map { $0 % 5 == 4 ? -100 : Int32(random.integer(UInt64($0), below: columns)) }
    }

    var hidden: [Float] { CounterRandom(seed: 1).normals(rows * width, deviation: 1) }
    var weight: [Float] { CounterRandom(seed: 2).normals(columns * width, deviation: 0.3) }

    func store(on device: any OperationDevice) -> (store: ParameterStore, weight: Parameter) {
      let store = ParameterStore([.init("weight", [columns, width], decays: true)], on: device, trains: true)
      device.write(weight, to: store.parameters[0].memory)
      return (store, store.parameters[0])
    }
  }

  private struct Outcome {
    var loss: [Float]
    var hidden: [Float]
    var weight: [Float]
  }

  /// Loss and gradients of `factor` times the loss, by the tape's method.
  private func outcome(
    _ problem: Problem, on device: any OperationDevice, isRoot: Bool, options: CrossEntropyOptions,
  ) throws -> Outcome {
    let (store, weight) = problem.store(on: device)
    store.clearGradients()
    let tape = Tape(on: device, isRecording: true)
    let hiddenStore = ParameterStore(
      [.init("hidden", [problem.rows, problem.width], decays: true)], on: device, trains: true)
    device.write(problem.hidden, to: hiddenStore.parameters[0].memory)
    let labels = Tensor(problem.labels, shape: [problem.rows], on: device)
    let result = tape.linearCrossEntropy(
      hidden: tape.parameter(hiddenStore.parameters[0]), weight: tape.parameter(weight), labels: labels,
      options,
      isRoot: isRoot)
    tape.backward(from: result.loss)
    return Outcome(
      loss: try result.loss.floats(on: device),
      hidden: try device.read(try #require(hiddenStore.parameters[0].gradient), as: Float.self),
      weight: try device.read(try #require(weight.gradient), as: Float.self))
  }

  /// The same by logits that are kept.
  private func plainOutcome(_ problem: Problem, options: CrossEntropyOptions) throws -> Outcome {
    let device = HostDevice()
    func tensor(_ values: [Float], _ shape: Shape) -> Tensor { Tensor(values, shape: shape, on: device) }
    let (rows, columns, width) = (problem.rows, problem.columns, problem.width)
    let logits = device.allocate(rows * columns, of: .float32)
    let hidden = tensor(problem.hidden, [rows, width])
    let weight = tensor(problem.weight, [columns, width])
    try device.multiply(
      hidden.memory, weight.memory, to: logits, m: rows, n: columns, k: width, transposeA: false,
      transposeB: true,
      accumulates: false, offsets: (0, 0, 0))
    let tape = Tape(on: device, isRecording: true)
    let watched = tape.watch(Tensor(logits, shape: [rows, columns]))
    let result = tape.crossEntropy(
      logits: watched, labels: Tensor(problem.labels, shape: [rows], on: device), options)
    let gradients = tape.gradients(of: [result.loss], with: [tensor([1], [1])], for: [watched])
    let gradient = try #require(gradients[0])
    let hiddenGradient = device.allocate(rows * width, of: .float32)
    let weightGradient = device.allocate(columns * width, of: .float32)
    try device.multiply(
      gradient.memory, weight.memory, to: hiddenGradient, m: rows, n: width, k: columns, transposeA: false,
      transposeB: false, accumulates: false, offsets: (0, 0, 0))
    try device.multiply(
      gradient.memory, hidden.memory, to: weightGradient, m: columns, n: width, k: rows, transposeA: true,
      transposeB: false, accumulates: false, offsets: (0, 0, 0))
    return Outcome(
      loss: try result.loss.floats(on: device), hidden: try device.read(hiddenGradient, as: Float.self),
      weight: try device.read(weightGradient, as: Float.self))
  }

  private func error(_ got: [Float], _ want: [Float]) -> Double {
    relativeError(got.map(Double.init), want.map(Double.init))
  }

  @Test(arguments: [1, 11, 256, 300, 50_257])
  func linearCrossEntropyEqualsThatOfKeptLogits(columns: Int) throws {
    let options = CrossEntropyOptions(zLoss: 1e-3, scale: 1.0 / 16)
    // 50,257 columns make three chunks of 340 rows.
    let problem = Problem(rows: columns > 1000 ? 340 : 20, columns: columns, width: 4)
    let want = try plainOutcome(problem, options: options)
    for device in try TestDevices.all() {
      for isRoot in [true, false] {
        let got = try outcome(problem, on: device, isRoot: isRoot, options: options)
        #expect(error(got.loss, want.loss) < 1e-6, "\(device.description.name)")
        #expect(error(got.hidden, want.hidden) < 1e-5, "\(device.description.name)")
        #expect(error(got.weight, want.weight) < 1e-5, "\(device.description.name)")
      }
    }
  }

  @Test func splittingABatchGivesTheSameGradient() throws {
    let whole = Problem(rows: 24, columns: 31, width: 6)
    let options = CrossEntropyOptions(scale: 1.0 / 20)
    for device in try TestDevices.all() {
      let want = try outcome(whole, on: device, isRoot: true, options: options)
      let (store, weight) = whole.store(on: device)
      store.clearGradients()
      for rows in [0..<7, 7..<24] {
        let tape = Tape(on: device, isRecording: true)
        let hidden = Array(whole.hidden[rows.lowerBound * whole.width..<rows.upperBound * whole.width])
        let result = tape.linearCrossEntropy(
          hidden: tape.watch(Tensor(hidden, shape: [rows.count, whole.width], on: device)),
          weight: tape.parameter(weight),
          labels: Tensor(Array(whole.labels[rows]), shape: [rows.count], on: device), options)
        tape.backward(from: result.loss)
      }
      let got = try device.read(try #require(weight.gradient), as: Float.self)
      #expect(error(got, want.weight) < 1e-6, "\(device.description.name)")
    }
  }

  @Test func aWeightThatIsUsedTwiceGetsBothGradients() throws {
    // hidden = 2 * weight's rows, so that d loss / d weight has a part through hidden.
    let problem = Problem(rows: 9, columns: 9, width: 5)
    let options = CrossEntropyOptions(scale: 0.125)
    func gradient(on device: any OperationDevice, isRoot: Bool) throws -> [Float] {
      let (store, weight) = problem.store(on: device)
      store.clearGradients()
      let tape = Tape(on: device, isRecording: true)
      let table = tape.parameter(weight)
      let result = tape.linearCrossEntropy(
        hidden: tape.scale(table, by: 2), weight: table,
        labels: Tensor(problem.labels, shape: [9], on: device), options, isRoot: isRoot)
      tape.backward(from: result.loss)
      return try device.read(try #require(weight.gradient), as: Float.self)
    }
    let want = try gradient(on: ReferenceDevice<Double>(), isRoot: false)
    for device in try TestDevices.all() {
      for isRoot in [true, false] {
        #expect(error(try gradient(on: device, isRoot: isRoot), want) < 2e-6, "\(device.description.name)")
      }
    }
  }

  @Test func aFrozenHeadStillGivesTheGradientOfHidden() throws {
    let problem = Problem(rows: 6, columns: 13, width: 4)
    for device in try TestDevices.all() {
      let want = try outcome(problem, on: device, isRoot: true, options: CrossEntropyOptions())
      let tape = Tape(on: device, isRecording: true)
      let hidden = tape.watch(Tensor(problem.hidden, shape: [2, 3, 4], on: device))
      let labels = Tensor(problem.labels, shape: [2, 3], on: device)
      let result = tape.linearCrossEntropy(
        hidden: hidden, weight: Tensor(problem.weight, shape: [13, 4], on: device), labels: labels)
      let two = Tensor([Float(2)], shape: [1], on: device)
      let gradient = try #require(tape.gradients(of: [result.loss], with: [two], for: [hidden])[0])
      #expect(gradient.shape == [2, 3, 4])
      #expect(error(try gradient.floats(on: device), want.hidden.map { 2 * $0 }) < 1e-6)
    }
  }

  @Test func aLossThatIsNotTheRootIsRefused() async {
    await #expect(processExitsWith: .failure) {
      let device = HostDevice()
      let store = ParameterStore([.init("weight", [3, 2], decays: true)], on: device, trains: true)
      let tape = Tape(on: device, isRecording: true)
      let result = tape.linearCrossEntropy(
        hidden: Tensor([Float](repeating: 1, count: 4), shape: [2, 2], on: device),
        weight: tape.parameter(store.parameters[0]), labels: Tensor([Int32(0), 1], shape: [2], on: device))
      tape.backward(from: tape.scale(result.loss, by: 2))
    }
  }

  @Test func labelsOutsideTheColumnsGiveNaNAndIgnoredRowsExactZeros() throws {
    for device in try TestDevices.all() {
      let tape = Tape(on: device, isRecording: true)
      // The ignored row holds NaN and infinity: it must not count all the same.
      let logits = tape.watch(
        Tensor([1, 2, 3, .nan, .infinity, 0, 4, 5, 6] as [Float], shape: [3, 3], on: device))
      let labels = Tensor([Int32(2), -100, 3], shape: [3], on: device)
      let result = tape.crossEntropy(logits: logits, labels: labels)
      let one = Tensor([Float(1)], shape: [1], on: device)
      let gradient = try #require(tape.gradients(of: [result.loss], with: [one], for: [logits])[0])
      let losses = try result.tokenLosses.floats(on: device)
      #expect(losses[0] > 0.4 && losses[0] < 0.41 && losses[1] == 0 && losses[2].isNaN)
      #expect(try result.loss.floats(on: device)[0].isNaN)
      let values = try gradient.floats(on: device)
      #expect(values[0..<3].allSatisfy { $0.isFinite } && values[3..<6] == [0, 0, 0])
      #expect(values[6...].allSatisfy { $0.isNaN })
    }
  }

  @Test func manyLanesPerRowGiveTheSameAsOne() throws {
    for device in try TestDevices.all() {
      guard let device = device as? OpenCLDevice else { continue }
      for (columns, softcap) in [(1, 0.0), (13, 0), (300, 6), (2500, 0)] {
        let options = CrossEntropyOptions(labelSmoothing: 0.1, softcap: softcap, zLoss: 0.01)
        let labels: [Int32] = [Int32(columns - 1), -100, 0, Int32(columns / 2)]
        func values(lanes: Int) throws -> [[Float]] {
          let logits = CounterRandom(seed: 5).normals(4 * columns, deviation: 3)
          let operands = CrossEntropyRows.Operands(
            logits: Tensor(logits, shape: [4, columns], on: device).memory,
            labels: Tensor(labels, shape: [4], on: device).memory,
            tokenLosses: device.allocate(4, of: .float32), logSumExp: device.allocate(4, of: .float32))
          let rows = CrossEntropyRows.Rows(first: 0, count: 4, columns: columns)
          let pass = CrossEntropyRows(options: options)
          try pass.enqueue(on: device, operands, rows, lanes: lanes)
          let losses = try device.read(try #require(operands.tokenLosses), as: Float.self)
          var inPlace = operands
          inPlace.gradient = operands.logits
          try pass.enqueue(on: device, inPlace, rows, lanes: lanes)
          return try [losses]
            + [inPlace.tokenLosses, inPlace.logSumExp, inPlace.gradient].map {
              try device.read(try #require($0), as: Float.self)
            }
        }
        let many = try values(lanes: 32)
        for (got, want) in zip(many, try values(lanes: 1)) {
          #expect(error(got, want) < 2e-6, "\(columns) columns")
        }
      }
    }
  }

  @Test func theLogitsOfAllRowsNeverExistAtOnce() throws {
    let problem = Problem(rows: 680, columns: 50_257, width: 2)
    let weightBytes = problem.columns * problem.width * 4
    for device in [HostDevice() as any OperationDevice, PlanningDevice(for: HostDevice().description)] {
      _ = try outcome(problem, on: device, isRoot: true, options: CrossEntropyOptions())
      let peak = device.memoryUse.peak
      #expect(peak < 3 * weightBytes + 40 << 20, "\(peak) bytes on \(device.description.name)")
      #expect(peak > 24 << 20)
    }
  }

  @Test func chunksCoverAllRowsInNearlyEqualParts() {
    #expect(ChunkedHead.chunkRows(rows: 512, columns: 50_257, wanted: nil) == 128)
    #expect(ChunkedHead.chunkRows(rows: 5, columns: 50_257, wanted: nil) == 5)
    #expect(ChunkedHead.chunkRows(rows: 100, columns: 10_000_000, wanted: nil) == 8)
    #expect(ChunkedHead.chunkRows(rows: 3, columns: 10, wanted: 7) == 3)
    #expect(ChunkedHead.chunkRows(rows: 0, columns: 10, wanted: nil) == 1)
  }

  @Test func attributesOutOfRangeAreNamed() throws {
    let types = [TensorType([2, 3]), TensorType([2], .int32)]
    for options in [
      CrossEntropyOptions(labelSmoothing: 1.5), CrossEntropyOptions(softcap: -1),
      CrossEntropyOptions(zLoss: .nan),
      CrossEntropyOptions(scale: .infinity), CrossEntropyOptions(ignoreIndex: 1 << 40),
    ] {
      #expect(throws: ShapeError.self) { try CrossEntropy(options).outputTypes(for: types) }
    }
    #expect(throws: ShapeError.self) {
      try CrossEntropy().outputTypes(for: [TensorType([2, 0]), TensorType([2], .int32)])
    }
  }

  @Test func noRowsGiveALossOfZero() throws {
    for device in try TestDevices.all() {
      let problem = Problem(rows: 0, columns: 5, width: 3)
      let got = try outcome(problem, on: device, isRoot: true, options: CrossEntropyOptions())
      #expect(got.loss == [0] && got.weight == [Float](repeating: 0, count: 15))
    }
  }
}
