import Kernels

/// Runs benchmarks on devices: correctness first, then time.
public struct BenchmarkRunner {
  public var measurement: Measurement
  /// Asked between samples and problems: true ends the call with what was measured so far.
  public var shouldStop: () -> Bool

  public init(_ measurement: Measurement, shouldStop: @escaping () -> Bool = { false }) {
    self.measurement = measurement
    self.shouldStop = shouldStop
  }

  /// The rows of one problem on one device: ours, then its rivals'.
  ///
  /// A wrong result, a failure of the device and an impossible reading make a failed row; nothing is thrown, so that
  /// the problems that follow are still measured.
  ///
  /// - Parameter roof: What readings are judged by.
  public func rows(
    of benchmark: KernelBenchmark, on device: any OperationDevice, under roof: DeviceRoof,
  ) -> [BenchmarkRow] {
    do {
      return try measure(benchmark, on: device, under: roof)
    } catch {
      // What was latched belongs to this problem, not to the next one.
      try? device.finish()
      let reason = "\(error)".split(separator: "\n").first.map(String.init) ?? "\(error)"
      return [row(of: benchmark, device: device.description.name, verification: .failed(reason: reason))]
    }
  }

  private func measure(
    _ benchmark: KernelBenchmark, on device: any OperationDevice, under roof: DeviceRoof,
  ) throws -> [BenchmarkRow] {
    let prepared = try benchmark.prepare(device)
    let ours = Measurement.Contestant(run: prepared.run, finish: { try device.finish() })
    let rivals = prepared.rivals.map { Measurement.Contestant(run: $0.run, finish: $0.finish) }
    try ours.once()
    var verdicts = [try prepared.verify()]
    for (rival, contestant) in zip(prepared.rivals, rivals) {
      try contestant.once()
      verdicts.append(try rival.verify())
    }
    let names = [device.description.name] + prepared.rivals.map(\.name)
    // A wrong result is not worth any time; a wrong rival is out of the race.
    let runs = verdicts[0].isFailed ? [] : ([ours] + rivals).indices.filter { !verdicts[$0].isFailed }
    let series = try measurement.series(of: runs.map { ([ours] + rivals)[$0] }, shouldStop: shouldStop)
    let events = try runs.isEmpty ? nil : EventTime(of: prepared.run, on: device)
    return names.indices.map { index in
      var row = row(of: benchmark, device: names[index], verification: verdicts[index])
      row.cost = (index > 0 ? prepared.rivals[index - 1].cost : nil) ?? prepared.cost
      row.isRival = index > 0
      row.tokens = prepared.tokens
      row.keptBytes = index > 0 ? prepared.rivals[index - 1].keptBytes : prepared.keptBytes
      if let place = runs.firstIndex(of: index) {
        row.samples = series[place].samples
        row.executionsPerSample = series[place].executionsPerSample
      }
      if index == 0, let events {
        row.eventSeconds = events.seconds
        row.configurations = events.configurations
      }
      if let problem = impossible(row, under: roof) { row.verification = .failed(reason: problem) }
      return row
    }
  }

  private func row(
    of benchmark: KernelBenchmark, device: String, verification: BenchmarkRow.Verification,
  ) -> BenchmarkRow {
    BenchmarkRow(
      benchmark: benchmark.name, parameters: benchmark.parameters, device: device, samples: [], cost: nil,
      verification: verification)
  }

  /// Why a reading cannot be true; nil when it can.
  private func impossible(_ row: BenchmarkRow, under roof: DeviceRoof) -> String? {
    guard let median = row.median else { return nil }
    guard median > 0, median.isFinite else { return "an impossible reading: \(median) s" }
    guard let cost = row.cost else { return nil }
    if cost.flops / median > Self.roofFactor * roof.flopsPerSecond {
      return
        "an impossible reading: \(cost.flops / median) FLOP/s, the device's peak is \(roof.flopsPerSecond)"
    }
    // What fits a cache may be much faster than copies of large arrays.
    if cost.bytes > Self.beyondCaches, cost.bytes / median > Self.roofFactor * roof.bytesPerSecond {
      return "an impossible reading: \(cost.bytes / median) B/s, a copy has \(roof.bytesPerSecond)"
    }
    return nil
  }

  /// A measured roof may be too low on a busy machine, but not by this much.
  private static let roofFactor = 3.0
  private static let beyondCaches = 512.0 * 1024 * 1024
}

extension Measurement.Contestant {
  /// One execution, waited for.
  func once() throws {
    try run()
    try finish()
  }
}

/// What a device's queue tells about executions.
struct EventTime {
  /// The median over some executions of the time that their launches took together; nil for work without launches and
  /// where the driver's times are longer than the wall's.
  let seconds: Double?
  /// What was looked up, as `family/problem`.
  let configurations: [String: [String: Int]]

  private static let executions = 5

  /// Nil on devices without events.
  init?(of run: () throws -> Void, on device: any OperationDevice) throws {
    guard let device = device as? OpenCLDevice else { return nil }
    var times: [Double] = []
    var isPlausible = true
    var configurations: [String: [String: Int]] = [:]
    for _ in 0..<Self.executions {
      let start = SteadyClock.now()
      device.startProfile()
      try run()
      let profile = try device.stopProfile()
      configurations = profile.namedConfigurations
      times.append(profile.kernelSeconds)
      isPlausible =
        isPlausible && times[times.count - 1] > 0
        && times[times.count - 1] <= SteadyClock.now() - start
    }
    seconds = isPlausible ? Quantile.of(times.sorted(), 0.5) : nil
    self.configurations = configurations
  }
}
