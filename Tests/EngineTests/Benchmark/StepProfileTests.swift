import Files
import Testing

@testable import Engine
@testable import Kernels

@Suite(.serialized, .exclusiveDevices) struct StepProfileTests {
  /// The second step of a tiny model, watched; the first builds kernels and uploads what stays.
  private func watchedStep(
    _ kind: TinyModel, on device: any OperationDevice & ProfilingDevice,
  ) throws -> DeviceProfile {
    let step = try step(kind, on: device)
    _ = try step.run([batch(0)], learningRate: 1e-3, peakLearningRate: 1e-3)
    device.startProfile()
    _ = try step.run([batch(1)], learningRate: 1e-3, peakLearningRate: 1e-3)
    return try device.stopProfile()
  }

  private func step(_ kind: TinyModel, on device: any OperationDevice) throws -> TrainingStep {
    let model = try ModelInitialization.make(kind.configuration(), seed: 3, on: device, trains: true)
    return TrainingStep(
      model: model, optimizer: Optimizer(AdamW(), for: model.parameters), loss: LossOptions(), clip: 1)
  }

  private func batch(_ index: Int) throws -> Batch {
    try BatchSampler(TinyRun.tokens(), context: 8, sequencesPerStep: 4, seed: 2).batch(step: index)
  }

  private func devices() throws -> [any OperationDevice & ProfilingDevice] {
    try TestDevices.all().map { try #require($0 as? any OperationDevice & ProfilingDevice) }
  }

  @Test func theWorkIsThatOfThePlan() throws {
    for device in try devices() {
      for kind in [TinyModel.llama, .gpt2] {
        let profile = StepProfile(try watchedStep(kind, on: device))
        let planned = PlanningDevice(for: device.description)
        _ = try step(kind, on: planned).run([batch(0)], learningRate: 0, peakLearningRate: 0)
        #expect(planned.total.flops > 0)
        #expect(abs(profile.cost.flops - planned.total.flops) <= 1e-9 * planned.total.flops)
        #expect(abs(profile.cost.bytes - planned.total.bytes) <= 1e-9 * planned.total.bytes)
        for (operation, work) in planned.work {
          let rows = profile.operations.filter { $0.operation == operation }
          #expect(rows.reduce(0) { $0 + $1.work.calls } == work.calls, "\(operation)")
        }
        #expect(Set(profile.operations.map(\.operation)) == Set(planned.work.keys))
      }
    }
  }

  /// An operation of two commands of which one has no time would look twice as fast.
  @Test func operationsWithLostCommandsAreLeftOut() {
    let span = DeviceProfile.Span(start: 0, end: 1)
    func work(_ name: String) -> DeviceProfile.Work {
      DeviceProfile.Work(operation: name, scope: "", flops: 10, bytes: 10, host: span)
    }
    func command(_ work: Int) -> DeviceProfile.Command {
      DeviceProfile.Command(
        kind: .kernel, name: "k", family: "f", work: work, host: span, isBlocking: false, device: span)
    }
    var profile = DeviceProfile(works: [work("whole"), work("half")], host: span)
    profile.commands = [command(0), command(1)]
    #expect(StepProfile(profile).operations.count == 2)
    profile.lostCommands = 1
    profile.incompleteWorks = [1]
    let step = StepProfile(profile)
    #expect(step.operations.map(\.operation) == ["whole"])
    #expect(step.kernels.map(\.calls) == [2] && step.kernels[0].alone.calls == 1)
  }

  @Test func timeIsCountedOnce() throws {
    for device in try devices() {
      let profile = try watchedStep(.llama, on: device)
      let step = StepProfile(profile)
      #expect(step.seconds > 0)
      let operations = step.operations.reduce(0) { $0 + $1.work.seconds }
      #expect(operations <= step.seconds * 1.0000001)
      #expect(step.operations.contains { $0.place == "mlp.backward" })
      #expect(step.operations.contains { $0.place == "optimizer" })
      guard device is OpenCLDevice else {
        #expect(step.queue == nil && step.kernels.isEmpty)
        continue
      }
      let kernels = step.kernels.reduce(0) { $0 + $1.seconds }
      let transfers = step.families.first { $0.name == "transfer" }?.seconds ?? 0
      #expect(abs(kernels + transfers - step.seconds) <= 1e-9 * step.seconds)
      for row in step.kernels {
        #expect(row.alone.calls <= row.calls && row.alone.seconds <= row.seconds * 1.0000001, "\(row.kernel)")
      }
      #expect(step.kernels.contains { $0.alone.calls > 0 })
    }
  }

  /// The host may wait before the first launch, for the tokens, and after the last one, for the loss.
  @Test func aStepNeverWaitsBetweenItsLaunches() throws {
    for case let device as OpenCLDevice in try devices() {
      for kind in TinyModel.allCases {
        let profile = try watchedStep(kind, on: device)
        let queue = try #require(QueueProfile(profile))
        #expect(queue.waitSeconds == 0, "\(kind) on \(device.description.name)")
        #expect(queue.enqueueSeconds > 0 && queue.busySeconds > 0 && queue.idleSeconds >= 0)
        #expect(queue.lostCommands == 0)
      }
    }
  }

  @Test func theTimelineHasEveryLaunchAndOperation() throws {
    for device in try devices() {
      let before = (device as? OpenCLDevice)?.launchCount ?? 0
      let step = try step(.llama, on: device)
      device.startProfile()
      _ = try step.run([batch(0)], learningRate: 1e-3, peakLearningRate: 1e-3)
      let profile = try device.stopProfile()
      let launches = ((device as? OpenCLDevice)?.launchCount ?? 0) - before
      let bytes = StepTimeline(profile, device: device.description.name).json.serializedBytes()
      let json = try JSON(parsing: String(decoding: bytes, as: UTF8.self), source: "timeline")
      let events = try #require(json["traceEvents"]?.arrayValue)
      func count(_ category: String) -> Int { events.count { $0["cat"]?.stringValue == category } }
      #expect(count("kernel") == launches)
      #expect(count("operation") == profile.works.count && !profile.works.isEmpty)
      for event in events where event["ph"]?.stringValue == "X" {
        let start = try #require(event["ts"]?.doubleValue)
        let duration = try #require(event["dur"]?.doubleValue)
        #expect(duration >= 0 && start.isFinite)
        let isHost = event["tid"]?.integerValue == 1
        #expect(!isHost || start >= 0)
      }
      let kernel = events.first { $0["cat"]?.stringValue == "kernel" && $0["name"]?.stringValue == "rope" }
      guard device is OpenCLDevice else { continue }
      #expect(kernel?["args"]?["scope"]?.stringValue == "layers.0.mixer")
      #expect(kernel?["args"]?["operation"]?.stringValue == "rope")
    }
  }
}
