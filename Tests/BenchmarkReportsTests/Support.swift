import BenchmarkReports
import Engine

/// Fixed rows, whose renderings can be written down.
enum Fixed {
  static let environment = BenchmarkEnvironment(
    command: "nibble bench matmul --sizes 512", date: "2026-11-21T02:14:05Z", version: "0.1.0",
    revision: "3f2a91c",
    machine: MachineDescription(system: "Linux 6.1.0 x86_64", processor: "AMD EPYC", clock: 2.5e9),
    hostThreads: 2, blas: "OpenBLAS 0.3.21 Zen", blasThreads: 2, variables: ["POCL_AFFINITY": "1"],
    devices: [.init(name: "pocl:0", product: "AMD EPYC (PoCL 3.1)", driver: "3.1", computeUnits: 2)],
    load: MachineLoad(averageBefore: 0.5, averageAfter: 1.25, otherProcessShare: 0.01, processors: 2))

  static let roof = DeviceRoof(
    device: "pocl:0", flopsPerSecond: 200e9, bytesPerSecond: 16e9, sgemmPeak: 160e9)

  /// 1 ms in the median, 100 GFLOP/s and 4 GB/s.
  static let ours = matmul("pocl:0", samples: [0.001, 0.0009, 0.0011, 0.001, 0.001], form: "nt")
  static let rival = matmul(
    "openblas", samples: [0.00125, 0.00125, 0.00125, 0.00125, 0.00125], form: "nt", isRival: true)
  static let red = matmul(
    "pocl:0", samples: [0.0007, 0.0007, 0.0007, 0.0007, 0.0007], form: "tn",
    verification: .failed(reason: "the result differs, see verify"))

  static let report = BenchmarkReport(rows: [ours, rival, red], roofs: [roof], environment: environment)

  static func matmul(
    _ device: String, samples: [Double], form: String,
    verification: BenchmarkRow.Verification = .passed(worst: 0.25), isRival: Bool = false,
  ) -> BenchmarkRow {
    BenchmarkRow(
      benchmark: "matmul", parameters: [.init("m", "512"), .init("form", form)], device: device,
      samples: samples, executionsPerSample: 12, eventSeconds: 0.0005, cost: Cost(flops: 1e8, bytes: 4e6),
      configurations: isRival ? [:] : ["matmul/nt large": ["depth": 384, "rows": 12]],
      verification: verification, isRival: isRival)
  }
}
