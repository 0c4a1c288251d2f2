import Files
import Glibc
import Kernels
import Testing

@testable import Engine

/// Which checkpoints are kept, and that none is ever half a one.
@Suite struct CheckpointTests {
  private func cpu() throws -> any OperationDevice { try DeviceCatalog.openForOperations("cpu") }

  private func steps(_ run: TinyRun) throws -> [Int] { try RunFolder(run.path).checkpointSteps() }

  @Test func theLastOnesAndTheBestAreKept() throws {
    let run = try TinyRun(on: cpu(), steps: 12)
    // A rate that climbs to destruction: the first evaluations are the best ones.
    run.options.schedule = LearningRateSchedule(kind: .linear, peak: 0.9, totalSteps: 12, warmupSteps: 12)
    run.options.evaluationInterval = 1
    run.options.checkpointInterval = 2
    run.options.keptCheckpoints = 2
    let observer = RecordingObserver()
    try run.train(observer)
    let best = try #require(observer.evaluations.min { $0.value < $1.value }).key
    #expect(best < 10)
    let folder = try RunFolder(run.path)
    #expect(folder.step(of: "best") == best && folder.step(of: "latest") == 12)
    #expect(try folder.checkpointSteps() == [best, 10, 12])
    #expect(
      try TrainingCheckpoint.readState(run.checkpoint(12)).bestValidationLoss == observer.evaluations[best])
  }

  /// The best evaluation falls between two checkpoints: its weights are saved all the same.
  @Test func theBestWeightsAreSavedWhenTheyAreMeasured() throws {
    let device = try cpu()
    let run = try TinyRun(on: device, steps: 12)
    run.options.schedule = LearningRateSchedule(kind: .linear, peak: 0.9, totalSteps: 12, warmupSteps: 12)
    run.options.evaluationInterval = 1
    run.options.keptCheckpoints = 1
    let observer = RecordingObserver()
    try run.train(observer)
    let best = try #require(observer.evaluations.min { $0.value < $1.value })
    #expect(best.key < 12)
    #expect(try steps(run) == [best.key, 12])
    #expect(observer.checkpoints.last { $0.isBest }?.step == best.key)
    let model = try ModelFolder(run.path + "/checkpoints/best").load(on: device)
    let windows = try #require(try run.data().validation)
    #expect(try Evaluator(model, batch: 2).run(windows).loss == best.value)
    // Resumed, a worse evaluation does not become the best.
    run.options.steps = 13
    run.options.schedule.totalSteps = 13
    let resumed = RecordingObserver()
    try run.train(resumed, from: run.checkpoint(12))
    #expect(try RunFolder(run.path).step(of: "best") == best.key)
    #expect(resumed.checkpoints.map(\.isBest) == [false])
  }

  @Test func withoutIntervalsOnlyTheLastIsSaved() throws {
    let run = try TinyRun(on: cpu(), steps: 3)
    let observer = RecordingObserver()
    try run.train(observer)
    #expect(try steps(run) == [3] && observer.checkpoints.map(\.step) == [3])
    #expect(observer.evaluations.keys.sorted() == [3])
  }

  /// Writing fails at the metrics, the model and the optimizer in turn: the checkpoint before stays the latest.
  @Test func aFullDiskLeavesThePreviousCheckpointAlone() async {
    // The limit of a file's size is the process's own, so the runs have a process of their own.
    await #expect(processExitsWith: .success) {
      for limit in [0, 1_500, 20_000] { try CheckpointTests.failWriting(above: limit) }
    }
  }

  /// - Parameter limit: The longest file in bytes: metrics, weights and moments are longer one after the other.
  private static func failWriting(above limit: Int) throws {
    let run = try TinyRun(on: DeviceCatalog.openForOperations("cpu"), steps: 6)
    run.options.checkpointInterval = 2
    try run.train(RecordingObserver([2: .stop]))
    let before = try run.files(2)
    let sizes = ["model.safetensors", "optimizer.safetensors"].map { before[$0]?.count ?? 0 }
    #expect(1_500 < sizes[0] && sizes[0] < 20_000 && 20_000 < sizes[1], "\(sizes) do not fit the limits")
    signal(SIGXFSZ, SIG_IGN)
    var old = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
    var small = rlimit(rlim_cur: rlim_t(limit), rlim_max: old.rlim_max)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &small)
    let error = #expect(throws: FileError.self) { try run.train(from: run.checkpoint(2)) }
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old)
    let file = ["", "model.safetensors", "optimizer.safetensors"][limit == 0 ? 0 : limit == 1_500 ? 1 : 2]
    #expect("\(try #require(error))".contains(file))
    #expect(try run.files(2) == before)
    #expect(try Folder.names(in: run.path + "/checkpoints") == ["latest", "step-000002"])
    #expect(try RunFolder(run.path).step(of: "latest") == 2)
    // With room again the run goes on as if nothing had been.
    #expect(try run.train(from: run.path + "/checkpoints/latest") == .finished)
    #expect(try RunFolder(run.path).step(of: "latest") == 6)
  }

  @Test func aLockedFolderIsAnError() throws {
    let run = try TinyRun(on: cpu(), steps: 1)
    let holder = try RunFolder(run.path)
    let error = #expect(throws: FileError.self) { try run.train() }
    #expect("\(try #require(error))".contains(run.path))
    withExtendedLifetime(holder) {}
  }

  @Test func aSecondCheckpointOfAStepReplacesTheFirst() throws {
    let run = try TinyRun(on: cpu(), steps: 4)
    try run.train(RecordingObserver([2: .save]))
    let before = try run.files(4)
    try run.train(from: run.checkpoint(2))
    #expect(try run.files(4) == before && steps(run) == [2, 4])
  }
}
