import Engine
import Kernels
import Terminal

/// Measures problems on devices and hands the rows to the presenter.
struct BenchRun {
  let call: Call
  let options: BenchOptions
  /// Whether there is work that a roofline can show.
  var hasArithmetic = true

  /// An interruption prints what was measured so far and keeps nothing.
  ///
  /// - Parameter benchmarks: The problems for a device, in order.
  /// - Returns: `failed` when a row is wrong or impossible, or `--gate` is shut.
  /// - Throws: ``Interrupted`` after the rows were printed, and failures of devices.
  func callAsFunction(
    _ benchmarks: (any OperationDevice) throws -> [KernelBenchmark],
  ) throws -> Terminal.ExitCode {
    try Interruption.installHandlers()
    let presenter = try BenchmarkPresenter(call, options.output, hasArithmetic: hasArithmetic)
    let devices = try options.open(call)
    var roofs = try devices.map { try roof(of: $0) }
    let runner = BenchmarkRunner(
      Measurement(budget: options.budget), shouldStop: { Interruption.shared.stopReason != nil })
    var rows: [BenchmarkRow] = []
    measuring: for (device, roof) in zip(devices, roofs) {
      for benchmark in try benchmarks(device) {
        if Interruption.shared.stopReason != nil { break measuring }
        narrate(benchmark, on: device)
        rows += runner.rows(of: benchmark, on: device, under: roof)
      }
    }
    if Interruption.shared.stopReason != nil {
      rows.removeAll { $0.samples.isEmpty && !$0.isFailed }
    } else {
      // Whatever else ran while the first roof was measured would make every share look better.
      roofs = try zip(devices, roofs).map { $1.raised(by: try roof(of: $0)) }
    }
    return try presenter.present(rows, roofs: roofs, devices: devices.map(\.description))
  }

  private func roof(of device: any OperationDevice) throws -> DeviceRoof {
    call.output.narrate("measuring the roof of \(device.description.name)", at: .verbose)
    return try RoofMeasurement().measure(device)
  }

  private func narrate(_ benchmark: KernelBenchmark, on device: any OperationDevice) {
    let problem = benchmark.parameters.map { "\($0.name) \($0.value)" }.joined(separator: " ")
    call.output.progress.update { _ in ["\(benchmark.name) \(problem) on \(device.description.name)"] }
  }
}
