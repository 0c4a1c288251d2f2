import Engine
import Kernels
import Terminal

/// The figures of `nibble bench train` as text, tables and JSON.
struct TrainBenchReport {
  let shape: StepShape
  let result: TrainingBenchmark.Result
  let profile: StepProfile
  let roof: DeviceRoof
  let device: DeviceDescription
  /// The machine's sgemm peak in FLOP/s.
  let sgemmPeak: Double

  private var tokens: Double { Double(shape.options.tokensPerStep) }
  private var median: Double { result.quartiles.median }
  private var rate: Double { result.flopsPerStep / median }

  var summary: String {
    """
    \(shape.title) on \(device.name): \(Numbers.significant(tokens / median)) tokens/s, \
    \(Numbers.significant(rate / 1e9)) GFLOP/s, \(Numbers.significant(100 * rate / sgemmPeak)) % of the sgemm peak of \
    \(Numbers.significant(sgemmPeak / 1e9)) GFLOP/s
    """
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
        lines.append("the driver gave no times for \(queue.lostCommands) commands: they are missing above")
      }
    }
    return lines
  }

  // MARK: JSON

  var json: JSONText {
    let quartiles = result.quartiles
    return [
      "schema": 1, "config": .string(shape.title), "shape": shapeJSON, "device": .string(device.name),
      "driver": .string(device.driver), "parameters": .integer(result.parameterCount),
      "tokens_per_s": .number(tokens / median), "step_s": .number(median),
      "step_s_quartiles": .array([.number(quartiles.lower), .number(quartiles.upper)]),
      "step_s_samples": .array(result.stepSeconds.map { .number($0) }),
      "first_step_s": .number(result.firstStepSeconds), "gflops": .number(rate / 1e9),
      "sgemm_peak_gflops": .number(sgemmPeak / 1e9), "share_of_peak": .number(rate / sgemmPeak),
      "peak_memory_bytes": .integer(result.peakMemoryByteCount),
      "device_memory_bytes": .integer(result.deviceMemoryByteCount),
      "launches_per_step": .integer(result.launches), "loss": .number(result.lastLoss),
      "roof": [
        "gflops": .number(roof.flopsPerSecond / 1e9), "gb_per_s": .number(roof.bytesPerSecond / 1e9),
      ],
      "families": .object(profile.families.map { .init($0.name, .number($0.seconds)) }),
      "operations": .array(profile.operations.map(operationJSON)),
      "kernels": .array(profile.kernels.map(kernelJSON)), "queue": profile.queue.map(queueJSON) ?? .null,
    ]
  }

  private var shapeJSON: JSONText {
    let model = shape.model
    return [
      "dim": .integer(model.modelDimension), "layers": .integer(model.layers), "heads": .integer(model.heads),
      "kv_heads": .integer(model.keyValueHeads), "ffn": .integer(model.hiddenDimension),
      "vocab": .integer(model.vocabularySize), "time": .integer(shape.options.contextLength),
      "batch": .integer(shape.options.sequencesPerStep),
    ]
  }

  private func operationJSON(_ row: StepProfile.OperationRow) -> JSONText {
    .object(
      [
        .init("operation", .string(row.operation)), .init("place", .string(row.place)),
        .init("kernels", .array(row.kernels.map { .string($0) })), .init("calls", .integer(row.work.calls)),
        .init("time_s", .number(row.work.seconds)),
      ] + ratesJSON(row.work))
  }

  private func kernelJSON(_ row: StepProfile.KernelRow) -> JSONText {
    [
      "name": .string(row.kernel), "family": .string(row.family), "calls": .integer(row.calls),
      "time_s": .number(row.seconds),
      "alone": .object(
        [.init("calls", .integer(row.alone.calls)), .init("time_s", .number(row.alone.seconds))]
          + ratesJSON(row.alone)),
    ]
  }

  private func ratesJSON(_ work: StepProfile.Timed) -> [JSONText.Member] {
    let isTimed = work.seconds > 0
    return [
      .init("flops", .number(work.cost.flops)), .init("bytes", .number(work.cost.bytes)),
      .init("gflops", isTimed ? .number(work.cost.flops / work.seconds / 1e9) : .null),
      .init("gb_per_s", isTimed ? .number(work.cost.bytes / work.seconds / 1e9) : .null),
      .init(
        "share_of_roof", isTimed ? .number(roof.leastSeconds(for: work.cost) / work.seconds) : .null),
    ]
  }

  private func queueJSON(_ queue: QueueProfile) -> JSONText {
    [
      "launches": .integer(queue.launches), "transfers": .integer(queue.transfers),
      "enqueue_s": .number(queue.enqueueSeconds), "driver_s": .number(queue.driverSeconds),
      "wait_s": .number(queue.waitSeconds),
      "busy_s": .number(queue.busySeconds), "idle_s": .number(queue.idleSeconds),
      "lost_commands": .integer(queue.lostCommands),
    ]
  }
}
