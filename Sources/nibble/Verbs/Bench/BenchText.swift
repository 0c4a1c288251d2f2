import Engine
import Terminal

/// Rows of `nibble bench` as a table for people.
struct BenchText {
  let rows: [BenchmarkRow]
  let roofs: [DeviceRoof]

  init(_ rows: [BenchmarkRow], _ roofs: [DeviceRoof]) {
    self.rows = rows
    self.roofs = roofs
  }

  func print(to output: Output) {
    output.table(table)
    for comparison in RivalComparison.all(of: rows) {
      let slowest = comparison.slowest.map { "\($0.name) \($0.value)" }.joined(separator: " ")
      output.result(
        "\(comparison.device) against \(comparison.rival): \(Numbers.significant(comparison.geometricMean)) times as fast"
          + " in geometric mean of \(comparison.ratios.count), least \(Numbers.significant(comparison.minimum)) (\(slowest))"
      )
    }
  }

  private var table: Table {
    var table = Table([
      .init("WHAT", .left), .init("PROBLEM", .left), .init("DEVICE", .left), .init("TIME", .right),
      .init("SPREAD", .right), .init("GFLOP/s", .right), .init("GB/s", .right), .init("OF PEAK", .right),
      .init("OF SGEMM", .right), .init("OF COPY", .right), .init("CHECK", .left),
    ])
    for row in rows { table.append(cells(row)) }
    return table
  }

  private func cells(_ row: BenchmarkRow) -> [String] {
    let problem = row.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    let head = [row.benchmark, problem, row.device]
    switch row.verification {
    case .failed(let reason): return head + ["-", "-", "-", "-", "-", "-", "-", "failed: \(reason)"]
    case .passed(let worst): return head + figures(row) + ["passed \(Numbers.significant(worst, digits: 2))"]
    case .notApplicable: return head + figures(row) + ["-"]
    }
  }

  private func figures(_ row: BenchmarkRow) -> [String] {
    guard let median = row.median, let (low, high) = row.quartiles else {
      return ["-", "-", "-", "-", "-", "-", "-"]
    }
    let roof = roofs.first { $0.device == row.device } ?? roofs.first
    let flops = row.cost.map { $0.flops / median } ?? 0
    let bytes = row.cost.map { $0.bytes / median } ?? 0
    func rate(_ value: Double) -> String { value > 0 ? Numbers.significant(value / 1e9) : "-" }
    func share(_ value: Double, _ of: Double?) -> String {
      guard let of, value > 0 else { return "-" }
      return Numbers.percent(value / of)
    }
    return [
      Numbers.duration(median), Numbers.percent((high - low) / median), rate(flops), rate(bytes),
      share(flops, roof?.flopsPerSecond), share(flops, roof?.sgemmPeak), share(bytes, roof?.bytesPerSecond),
    ]
  }
}
