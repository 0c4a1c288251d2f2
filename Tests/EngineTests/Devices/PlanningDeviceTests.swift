import Kernels
import Testing

@testable import Engine

@Suite struct PlanningDeviceTests {
  private static let (rows, dimension, hidden, vocabulary) = (96, 64, 160, 300)

  private func makeStore(on device: any OperationDevice) -> ParameterStore {
    let (dimension, hidden) = (Self.dimension, Self.hidden)
    return ParameterStore(
      [
        .init("embedding", [Self.vocabulary, dimension], decays: true),
        .init("norm", [dimension], decays: false),
        .init("up", [hidden, dimension], decays: true), .init("gate", [hidden, dimension], decays: true),
        .init("down", [dimension, hidden], decays: true),
      ], on: device, trains: true)
  }

  /// Forward, backward and update of a small network; the same calls on every device.
  private func train(_ store: ParameterStore, _ optimizer: Optimizer, on device: any OperationDevice) throws {
    let tape = Tape(on: device, isRecording: true)
    let weights = try ["embedding", "norm", "up", "gate", "down"].map {
      tape.parameter(try #require(store[$0]))
    }
    let ids = Tensor((0..<Self.rows).map { Int32($0 * 7 % Self.vocabulary) }, shape: [Self.rows], on: device)
    let x = tape.embedding(ids, weight: weights[0])
    let normalized = tape.rmsNorm(x, weight: weights[1], epsilon: 1e-5)
    let up = tape.linear(normalized, weight: weights[2])
    let gate = tape.linear(normalized, weight: weights[3])
    let sum = tape.add(x, tape.linear(tape.gated(.silu, gate: gate, up: up), weight: weights[4]))
    let result = tape.linearCrossEntropy(hidden: sum, weight: weights[0], labels: ids)
    tape.backward(from: result.loss)
    let plain = Tape(on: device, isRecording: false)
    let gradients = try #require(store.gradients)
    store.completeGradients()
    let clip = GradientClip(maximumNorm: 1)(Tensor(gradients, shape: [gradients.count]), on: plain)
    optimizer.step(learningRate: 1e-3, peakLearningRate: 1e-3, clip: clip, on: plain)
    try device.finish()
  }

  @Test func countsTheBytesThatTheHostUses() throws {
    let host = HostDevice(threads: 1)
    let plan = PlanningDevice(for: host.description)
    var live: [[Int]] = [[], []]
    for (index, device) in [host, plan].enumerated() as EnumeratedSequence<[any OperationDevice]> {
      let store = makeStore(on: device)
      let optimizer = Optimizer(AdamW(), for: store)
      live[index].append(device.memoryUse.live)
      try train(store, optimizer, on: device)
      live[index].append(device.memoryUse.live)
      // A second step needs no more.
      let peak = device.memoryUse.peak
      try train(store, optimizer, on: device)
      #expect(device.memoryUse.peak == peak)
    }
    #expect(plan.memoryUse.live == 0 && host.memoryUse.live == 0)
    // The host rounds each block up by an eighth or to 4 KiB; some dozen blocks live at once.
    let (planned, used) = (plan.memoryUse.peak, host.memoryUse.peak)
    #expect(planned > 8 * Self.vocabulary * Self.dimension)
    #expect(used >= planned, "host \(used), plan \(planned)")
    #expect(used <= planned + planned / 8 + 40 * Memory.viewAlignment, "host \(used), plan \(planned)")
    for (planned, used) in zip(live[1], live[0]) {
      #expect(used >= planned && used <= planned + planned / 8 + 16 * Memory.viewAlignment)
    }
  }

  @Test func addsUpTheWork() throws {
    let plan = PlanningDevice(for: HostDevice.describe(threads: 1))
    let tape = Tape(on: plan, isRecording: false)
    let a = Tensor(plan.allocate(6, of: .float32), shape: [2, 3])
    let b = Tensor(plan.allocate(15, of: .float32), shape: [3, 5])
    let product = tape.matmul(a, b)
    #expect(product.shape == [2, 5])
    _ = tape.matmul(a, b)
    let work = try #require(plan.work["matmul"])
    #expect(work.calls == 2)
    #expect(work.cost.flops == 2 * 2 * 2 * 3 * 5)
    #expect(work.cost.bytes == 2 * 4 * (6 + 15 + 10))
    _ = tape.add(product, product)
    #expect(plan.work["pointwise"]?.calls == 1)
    #expect(plan.total.flops == 120 + 10)
    #expect(try product.floats(on: plan) == [Float](repeating: 0, count: 10))
  }

  @Test func viewsCostNothingAndKeepTheirBlock() {
    let plan = PlanningDevice(for: HostDevice.describe(threads: 1))
    // 4,000 bytes, for which devices hold a block of 4,096.
    var whole: Memory? = plan.allocate(1000, of: .int32)
    #expect(plan.memoryUse.live == 4096)
    var view = whole?.view(from: 10, count: 20)
    #expect(plan.memoryUse.live == 4096)
    #expect(view?.count == 20)
    whole = nil
    #expect(plan.memoryUse.live == 4096)
    view = nil
    #expect(plan.memoryUse.live == 0)
    #expect(plan.memoryUse.peak == 4096)
  }
}
