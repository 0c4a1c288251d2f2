import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct TapeTests {
  private static let names = DeviceCatalog.list().map(\.name)
  private static let square = Pointwise(PointwiseProgram(inputs: 1) { [$0[0] * $0[0]] })

  private func device(_ name: String) throws -> any OperationDevice {
    try DeviceCatalog.openForOperations(name, threads: 2)
  }

  @Test(arguments: names) func aValueUsedTwiceSumsItsGradients(name: String) throws {
    let device = try device(name)
    let tape = Tape(on: device, isRecording: true)
    let x = tape.watch(Tensor([2, 3] as [Float], shape: [2], on: device))
    // y = x^2 + x + x, its slope 2 x + 2.
    let y = tape.add(tape.add(tape.apply(Self.square, [x])[0], x), x)
    let cotangent = Tensor([1, 10] as [Float], shape: [2], on: device)
    let gradient = try #require(tape.gradients(of: [y], with: [cotangent], for: [x])[0])
    #expect(try gradient.floats(on: device) == [6, 80])
    // The cotangent was handed over twice and must not have been added to.
    #expect(try cotangent.floats(on: device) == [1, 10])
  }

  @Test(arguments: names) func productsAddToTheGradientOfTheirInputInPlace(name: String) throws {
    let device = try device(name)
    let tape = Tape(on: device, isRecording: true)
    let x = tape.watch(Tensor([1, 2] as [Float], shape: [1, 2], on: device))
    let other = tape.watch(Tensor([0, 0] as [Float], shape: [1, 2], on: device))
    let weights = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]].map {
      Tensor($0 as [Float], shape: [2, 2], on: device)
    }
    let products = weights.map { tape.linear(x, weight: $0) }
    let sum = tape.add(x, other)
    let seeds = [[1, 0], [0, 1], [1, 1], [10, 20]].map { Tensor($0 as [Float], shape: [1, 2], on: device) }
    // The addition hands the same cotangent to x and to the other term; only x's gradient may grow.
    let gradients = tape.gradients(of: products + [sum], with: seeds, for: [x, other])
    #expect(try gradients[0]?.floats(on: device) == [1 + 7 + 20 + 10, 2 + 8 + 22 + 20])
    #expect(try gradients[1]?.floats(on: device) == [10, 20])
    #expect(try seeds.map { try $0.floats(on: device) } == [[1, 0], [0, 1], [1, 1], [10, 20]])
  }

  @Test(arguments: names) func severalOutputsTakeSeveralCotangents(name: String) throws {
    let device = try device(name)
    let tape = Tape(on: device, isRecording: true)
    let x = tape.watch(Tensor([1, 2, 3, 4] as [Float], shape: [1, 4], on: device))
    let unused = tape.watch(Tensor([1] as [Float], shape: [1], on: device))
    let parts = tape.apply(SplitColumns(widths: [1, 3]), [x])
    let seed = Tensor([5, 6, 7] as [Float], shape: [1, 3], on: device)
    // Nothing arrives at the first part: its gradient is zero, not undefined.
    let gradients = tape.gradients(of: [parts[1]], with: [seed], for: [x, unused])
    #expect(try gradients[0]?.floats(on: device) == [0, 5, 6, 7])
    #expect(gradients[1] == nil)
  }

  @Test func gradientsFollowReshaping() throws {
    let device = HostDevice(threads: 1)
    let tape = Tape(on: device, isRecording: true)
    let x = tape.watch(Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3], on: device))
    let y = tape.apply(Self.square, [x.reshaped(to: [6])])[0].reshaped(to: [3, 2])
    let loss = tape.apply(SumRows(), [y])[0]
    let seed = Tensor([1, -1] as [Float], shape: [2], on: device)
    let gradient = try #require(tape.gradients(of: [loss], with: [seed], for: [x])[0])
    #expect(gradient.shape == [2, 3])
    #expect(try gradient.floats(on: device) == [2, -4, 6, -8, 10, -12])
  }

  @Test func noGradientFlowsThroughDetachedValues() throws {
    let device = HostDevice(threads: 1)
    let tape = Tape(on: device, isRecording: true)
    let x = tape.watch(Tensor([3] as [Float], shape: [1], on: device))
    let y = tape.add(tape.apply(Self.square, [x])[0].detached, x)
    let one = Tensor([1] as [Float], shape: [1], on: device)
    #expect(try tape.gradients(of: [y], with: [one], for: [x])[0]?.floats(on: device) == [1])
  }

  @Test func withoutRecordingNothingIsKept() throws {
    let device = HostDevice(threads: 1)
    let tape = Tape(on: device, isRecording: false)
    let start = device.memoryUse.live
    do {
      let x = tape.watch(Tensor([3] as [Float], shape: [1], on: device))
      #expect(x.variable == nil)
      #expect(try tape.apply(Self.square, [x])[0].floats(on: device) == [9])
    }
    #expect(device.memoryUse.live == start)
  }

  /// One backward of `loss = sum of squares of (w + w), per column scaled by the gain`.
  private func addGradients(of store: ParameterStore, on device: any OperationDevice) throws {
    let tape = Tape(on: device, isRecording: true)
    let weight = tape.parameter(try #require(store["weight"]))
    let gain = tape.parameter(try #require(store["gain"]))
    let program = PointwiseProgram(inputs: 2) { [$0[0] * $0[1]] }
    let scaled = tape.apply(
      Pointwise(program, operands: [.init(0), .init(1, .row)]), [tape.add(weight, weight), gain])[0]
    tape.backward(from: tape.apply(SumOfSquares(), [scaled])[0])
  }

  @Test(arguments: names) func parametersSumOverBackwards(name: String) throws {
    let device = try device(name)
    let store = ParameterStore(
      [.init("weight", [2, 2], decays: true), .init("gain", [2], decays: false)], on: device, trains: true)
    let (weight, gain) = (try #require(store["weight"]), try #require(store["gain"]))
    device.write([1, 2, 3, 4] as [Float], to: weight.memory)
    device.write([1, -1] as [Float], to: gain.memory)
    // loss = sum (2 w g)^2: slope 8 w g^2 in w, 8 g w^2 summed over rows in g.
    let (weightSlope, gainSlope) = ([8, 16, 24, 32] as [Float], [80, -160] as [Float])
    for round in 1...3 {
      try addGradients(of: store, on: device)
      #expect(
        try device.read(try #require(weight.gradient), as: Float.self)
          == weightSlope.map { $0 * Float(round) })
      #expect(
        try device.read(try #require(gain.gradient), as: Float.self) == gainSlope.map { $0 * Float(round) })
    }
    store.clearGradients()
    // What an earlier step left is overwritten, not added to.
    try addGradients(of: store, on: device)
    #expect(try device.read(try #require(weight.gradient), as: Float.self) == weightSlope)
    #expect(try device.read(try #require(gain.gradient), as: Float.self) == gainSlope)
  }

  @Test(arguments: names) func memoryReturnsAfterABackward(name: String) throws {
    let device = try device(name)
    let store = ParameterStore(
      [.init("weight", [40, 30], decays: true), .init("gain", [30], decays: false)], on: device, trains: true)
    device.zero(store.values)
    try addGradients(of: store, on: device)
    let (live, reserved) = (device.memoryUse.live, device.memoryUse.reserved)
    for _ in 0..<5 {
      try addGradients(of: store, on: device)
      #expect(device.memoryUse.live == live)
    }
    #expect(device.memoryUse.reserved == reserved, "a later step takes its memory from the pool")
    try device.finish()
    let expected = 2 * store.values.byteCount
    #expect(live == expected, "only the arenas are left")
  }

  @Test func scopesAndOutputsReachTheObserver() throws {
    let device = HostDevice(threads: 1)
    let tape = Tape(on: device, isRecording: true)
    var seen: [String] = []
    tape.observer = { operation, scope, outputs in
      seen.append("\(operation) in '\(scope)' gives \(outputs.map { $0.shape.description }.joined())")
    }
    let x = tape.watch(Tensor([1, 2] as [Float], shape: [1, 2], on: device))
    let parts = tape.scope("layers.3") {
      tape.scope("attention") { tape.apply(SplitColumns(widths: [1, 1]), [x]) }
    }
    let y = tape.apply(Self.square, [parts[0]])[0]
    #expect(throws: ShapeError.self) {
      try tape.scope("thrown") { throw ShapeError(operation: "a", expected: "b", problem: "c") }
    }
    tape.backward(from: y)
    #expect(
      seen == [
        "split_columns in 'layers.3.attention' gives [1, 1][1, 1]", "pointwise in '' gives [1, 1]",
        "pointwise in '.backward' gives [1, 1]",
        "join_columns in 'layers.3.attention.backward' gives [1, 2]",
      ])
  }

  @Test func aFailureStopsTheWorkAndIsKept() throws {
    struct Failing: Engine.Operation {
      static let name = "failing"
      static var samples: [Sample] { [] }
      var signature: String { "x [n] > y [n]" }
      func reference<Scalar: ReferenceScalar>(
        _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
      ) { outputs[0] = inputs[0] }
      func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
        throw KernelError.noKernelFolder(path: "thrown inside")
      }
      func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {}
    }
    let device = HostDevice(threads: 1)
    let tape = Tape(on: device, isRecording: false)
    let x = Tensor([1, 2] as [Float], shape: [2], on: device)
    let target = Tensor([5, 6] as [Float], shape: [2], on: device)
    tape.apply(Failing(), [x])
    tape.apply(Self.square, [x], into: [0: target])
    let error = #expect(throws: KernelError.self) { try device.finish() }
    #expect(error?.description.contains("thrown inside") == true)
    #expect(try target.floats(on: device) == [5, 6], "nothing ran after the failure")
    tape.apply(Self.square, [x], into: [0: target])
    #expect(try target.floats(on: device) == [1, 4])
  }

  @Test func mistakesOfTheProgrammerTrap() async {
    // An operation without a gradient on a watched value.
    await #expect(processExitsWith: .failure) {
      let device = HostDevice(threads: 1)
      let tape = Tape(on: device, isRecording: true)
      let x = Tensor([1, 2] as [Float], shape: [2], on: device)
      tape.apply(NoGradient(), [tape.watch(x)])
    }
    // Shapes that do not fit.
    await #expect(processExitsWith: .failure) {
      let device = HostDevice(threads: 1)
      let tape = Tape(on: device, isRecording: false)
      let a = Tensor([1, 2] as [Float], shape: [2], on: device)
      let b = Tensor([1, 2, 3] as [Float], shape: [3], on: device)
      _ = tape.add(a, b)
    }
    // A backward from more than one number.
    await #expect(processExitsWith: .failure) {
      let device = HostDevice(threads: 1)
      let tape = Tape(on: device, isRecording: true)
      tape.backward(from: tape.watch(Tensor([1, 2] as [Float], shape: [2], on: device)))
    }
    // A destination of another size.
    await #expect(processExitsWith: .failure) {
      let device = HostDevice(threads: 1)
      let tape = Tape(on: device, isRecording: false)
      let a = Tensor([1, 2] as [Float], shape: [2], on: device)
      let b = Tensor([1, 2, 3] as [Float], shape: [3], on: device)
      tape.apply(Pointwise(PointwiseProgram(inputs: 1) { [$0[0]] }), [a], into: [0: b])
    }
  }

  @Test func operationsWithoutAGradientRunOnPlainValues() throws {
    let device = HostDevice(threads: 1)
    let tape = Tape(on: device, isRecording: true)
    let y = tape.apply(NoGradient(), [Tensor([1, 2] as [Float], shape: [2], on: device)])[0]
    #expect(try y.floats(on: device) == [1, 2])
  }
}

/// A copy that has no gradient.
private struct NoGradient: Engine.Operation {
  static let name = "no_gradient"
  static var samples: [Sample] { [] }
  var signature: String { "x [n] > y [n]" }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    outputs[0] = inputs[0]
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    device.copy(inputs[0].memory, to: outputs[0].memory)
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    device.copy(inputs[0].memory, to: outputs[0].memory)
  }
}
