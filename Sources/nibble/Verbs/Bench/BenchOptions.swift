import ArgumentParser
import Engine
import Kernels
import Terminal

/// What all kernel benchmarks have in common.
struct BenchOptions: ParsableArguments {
  @Option(help: "Devices by name or row, separated by commas, or all.") var devices: String?
  @Option(help: "Seconds for each row; samples are made until their spread is below 2 % or this ends.")
  var budget = 2.0
  @OptionGroup var output: BenchOutputOptions

  func validate() throws {
    guard budget > 0, budget <= 3600 else {
      throw ValidationError("--budget is \(budget) s; give more than 0 and at most 3600.")
    }
    try output.checkOverwrite()
  }

  /// Opens the devices of the call: those of `--devices` or `--device`, else the best there is.
  func open(_ call: Call) throws -> [any OperationDevice] {
    let alone = call.globals.device
    guard devices == nil || alone == nil else {
      throw UsageError("both --device and --devices are given", hints: ["--devices pocl:0,cpu"])
    }
    guard let names = devices ?? alone else { return [try call.open()] }
    let wanted =
      names == "all" ? DeviceCatalog.list().map(\.name) : names.split(separator: ",").map(String.init)
    guard !wanted.isEmpty else { throw UsageError("no device is named", hints: ["--devices pocl:0,cpu"]) }
    return try wanted.map { try call.open($0) }
  }
}
