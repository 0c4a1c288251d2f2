import BenchmarkReports
import Engine
import Files
import Kernels
import Terminal

/// The figures of `nibble bench train` as a row, text, tables and JSON.
struct TrainBenchReport {
  let shape: StepShape
  let result: TrainingBenchmark.Result
  let profile: StepProfile
  let roof: DeviceRoof
  let device: DeviceDescription
  /// The machine's sgemm peak in FLOP/s.
  let sgemmPeak: Double
  /// The timed steps that were asked for; nil for as many as needed.
  let wantedSteps: Int?

  private var tokens: Double { Double(shape.options.tokensPerStep) }
  private var median: Double { result.quartiles.median }
  private var rate: Double { result.flopsPerStep / median }

  /// Work is what the formula says, bytes are those of all operations.
  var row: BenchmarkRow {
    BenchmarkRow(
      benchmark: "train",
      parameters: [.init("config", shape.settings), .init("mixer", mixer)]
        + sizes.map { .init($0.name, "\($0.value)") },
      device: device.name, samples: result.stepSeconds,
      eventSeconds: profile.queue.map { _ in result.profile.kernelSeconds },
      cost: Cost(flops: result.flopsPerStep, bytes: profile.cost.bytes),
      tokens: shape.options.tokensPerStep, configurations: result.profile.namedConfigurations,
      verification: .passed(worst: result.firstLossShare))
  }

  /// The layers' mixer, or those of all layers where they differ.
  private var mixer: String {
    let kinds = shape.model.mixers.kinds
    return Set(kinds).count == 1 ? kinds[0] : kinds.joined(separator: " ")
  }

  /// What a line of the table has no room for.
  var notes: [String] {
    let quartiles = result.quartiles
    let count = result.stepSeconds.count
    var steps = "\(count) timed " + (count == 1 ? "step" : "steps")
    if let wantedSteps, count < wantedSteps {
      steps = "the budget ended after \(count) of \(wantedSteps) steps"
    }
    return [
      "\(shape.title) on \(device.name): \(Numbers.significant(tokens / median)) tokens/s, "
        + "\(Numbers.significant(100 * rate / sgemmPeak)) % of the sgemm peak of "
        + "\(Numbers.significant(sgemmPeak / 1e9)) GFLOP/s",
      "\(steps): \(BenchmarkText.time(quartiles.median)), quartiles "
        + "\(BenchmarkText.range(quartiles.lower, quartiles.upper)); first step "
        + BenchmarkText.time(result.firstStepSeconds),
      "peak memory \(Numbers.bytes(result.peakMemoryByteCount)), tensors "
        + "\(Numbers.bytes(result.deviceMemoryByteCount)); \(result.launches) launches a step",
    ]
  }

  // MARK: Tables

  func print(to output: Output) {
    output.table(operationTable)
    if !profile.kernels.isEmpty {
      output.result("")
      output.table(kernelTable)
    }
    output.result("")
    for line in facts { output.result(line) }
  }

  private static let rateColumns: [Table.Column] = [
    .init("CALLS", .right), .init("TIME", .right), .init("SHARE", .right), .init("GFLOP/s", .right),
    .init("GB/s", .right), .init("ROOF", .right),
  ]

  private var operationTable: Table {
    var table = Table(
      [.init("OPERATION", .left), .init("PLACE", .left)] + Self.rateColumns
        + [.init("KERNELS", .left, priority: 1)])
    for row in profile.operations {
      table.append(
        [row.operation, row.place.isEmpty ? "-" : row.place]
          + times(calls: row.work.calls, seconds: row.work.seconds) + rates(row.work)
          + [row.kernels.joined(separator: ", ")])
    }
    return table
  }

  /// Rates of the operations that a kernel was alone in; `-` where it never was.
  private var kernelTable: Table {
    var table = Table([.init("KERNEL", .left)] + Self.rateColumns)
    for row in profile.kernels {
      table.append([row.kernel] + times(calls: row.calls, seconds: row.seconds) + rates(row.alone))
    }
    return table
  }

  private func times(calls: Int, seconds: Double) -> [String] {
    ["\(calls)", Numbers.duration(seconds), Numbers.percent(seconds / profile.seconds)]
  }

  private func rates(_ work: StepProfile.Timed) -> [String] {
    guard work.seconds > 0 else { return ["-", "-", "-"] }
    return [
      Numbers.significant(work.cost.flops / work.seconds / 1e9),
      Numbers.significant(work.cost.bytes / work.seconds / 1e9),
      Numbers.percent(roof.leastSeconds(for: work.cost) / work.seconds),
    ]
  }

  private var facts: [String] {
    var lines = [
      """
      roof: \(Numbers.significant(roof.flopsPerSecond / 1e9)) GFLOP/s of multiply-adds, \
      \(Numbers.significant(roof.bytesPerSecond / 1e9)) GB/s of copying, both measured; an operation whose data stays in \
      the caches can be above it
      """
    ]
    if let queue = profile.queue {
      lines.append(
        """
        queue: \(queue.launches) launches and \(queue.transfers) transfers enqueued in \
        \(Numbers.duration(queue.enqueueSeconds)), \(Numbers.duration(queue.driverSeconds)) of it in the driver and \
        \(Numbers.duration(queue.waitSeconds)) waiting; device at work for \(Numbers.duration(queue.busySeconds)), idle \
        between launches for \(Numbers.duration(queue.idleSeconds))
        """)
      if queue.lostCommands > 0 {
        lines.append(
          "the driver gave no times for \(queue.lostCommands) commands: they and their operations are missing above"
        )
      }
    }
    return lines
  }

  // MARK: JSON

  /// What the benchmark's object has beside the row.
  var json: JSONObject {
    let quartiles = result.quartiles
    return [
      "config": .string(shape.title),
      "shape": .object(JSONObject(sizes.map { ($0.name, .integer(Int64($0.value))) })),
      "device": .string(device.name), "driver": .string(device.driver),
      "parameters": .integer(Int64(result.parameterCount)), "tokens_per_s": .number(tokens / median),
      "step_s": .number(median),
      "step_s_quartiles": .array([.number(quartiles.lower), .number(quartiles.upper)]),
      "step_s_samples": .array(result.stepSeconds.map { .number($0) }),
      "first_step_s": .number(result.firstStepSeconds), "gflops": .number(rate / 1e9),
      "sgemm_peak_gflops": .number(sgemmPeak / 1e9), "share_of_peak": .number(rate / sgemmPeak),
      "peak_memory_bytes": .integer(Int64(result.peakMemoryByteCount)),
      "device_memory_bytes": .integer(Int64(result.deviceMemoryByteCount)),
      "launches_per_step": .integer(Int64(result.launches)), "first_loss": .number(result.firstLoss),
      "loss": .number(result.lastLoss),
      "families": .object(JSONObject(profile.families.map { ($0.name, .number($0.seconds)) })),
      "operations": .array(profile.operations.map(operationJSON)),
      "kernels": .array(profile.kernels.map(kernelJSON)), "queue": profile.queue.map(queueJSON) ?? .null,
    ]
  }

  private var sizes: [(name: String, value: Int)] {
    let model = shape.model
    return [
      ("dim", model.modelDimension), ("layers", model.layers), ("heads", model.heads),
      ("kv_heads", model.keyValueHeads), ("ffn", model.hiddenDimension), ("vocab", model.vocabularySize),
      ("time", shape.options.contextLength), ("batch", shape.options.sequencesPerStep),
    ]
  }

  private func operationJSON(_ row: StepProfile.OperationRow) -> JSON {
    let names: JSONObject = [
      "operation": .string(row.operation), "place": .string(row.place),
      "kernels": .array(row.kernels.map { .string($0) }),
    ]
    return .object(JSONObject((names.entries + workJSON(row.work).entries).map { ($0.key, $0.value) }))
  }

  private func kernelJSON(_ row: StepProfile.KernelRow) -> JSON {
    [
      "name": .string(row.kernel), "family": .string(row.family), "calls": .integer(Int64(row.calls)),
      "time_s": .number(row.seconds), "alone": .object(workJSON(row.alone)),
    ]
  }

  private func workJSON(_ work: StepProfile.Timed) -> JSONObject {
    let isTimed = work.seconds > 0
    func rate(_ amount: Double) -> JSON { isTimed ? .number(amount / work.seconds / 1e9) : .null }
    return [
      "calls": .integer(Int64(work.calls)), "time_s": .number(work.seconds),
      "flops": .number(work.cost.flops), "bytes": .number(work.cost.bytes), "gflops": rate(work.cost.flops),
      "gb_per_s": rate(work.cost.bytes),
      "share_of_roof": isTimed ? .number(roof.leastSeconds(for: work.cost) / work.seconds) : .null,
    ]
  }

  private func queueJSON(_ queue: QueueProfile) -> JSON {
    [
      "launches": .integer(Int64(queue.launches)), "transfers": .integer(Int64(queue.transfers)),
      "enqueue_s": .number(queue.enqueueSeconds), "driver_s": .number(queue.driverSeconds),
      "wait_s": .number(queue.waitSeconds), "busy_s": .number(queue.busySeconds),
      "idle_s": .number(queue.idleSeconds), "lost_commands": .integer(Int64(queue.lostCommands)),
    ]
  }
}
