import Engine
public import Terminal

extension BenchmarkComparison {
  /// Both medians of every row with the verdict.
  public func table(style: Style = .plain) -> Table {
    let names = rows.flatMap { $0.row.parameters.map(\.name) }.unique()
    var table = Table(
      [.init("BENCHMARK", .left)] + names.map { .init($0) } + [
        .init("DEVICE", .left), .init("NOW", .right), .init(name, .right, priority: 1),
        .init("SPEED", .right), .init("NOISE", .right, priority: 2), .init("VERDICT", .left),
      ])
    for row in rows {
      table.append(
        [row.row.benchmark] + names.map { row.row.value(of: $0) ?? "-" } + [
          row.row.device, row.median.map(BenchmarkText.time) ?? "-",
          row.earlierMedian.map(BenchmarkText.time) ?? "-",
          row.speed.map { style.applied(.emphasis, to: BenchmarkText.factor($0)) } ?? "-",
          row.band.map(Numbers.percent) ?? "-", text(of: row.verdict, style),
        ])
    }
    return table
  }

  /// What the table means: the mean, the control by rivals, the rows without a partner, other machines.
  public var captions: [String] {
    var sentences: [String] = []
    if let speed = overallSpeed {
      let count = rows.filter { !$0.row.isRival && $0.speed != nil }.count
      sentences.append(
        "against \(name) (\(date)): \(BenchmarkText.factor(speed)) as fast in geometric mean of \(count)")
    }
    if let speed = rivalSpeed {
      let sign = abs(speed - 1) > 0.05 ? "; the machine has changed, not only the program" : ""
      sentences.append("the rivals' own rows, as a control: \(BenchmarkText.factor(speed))\(sign)")
    }
    sentences += differences
    if !onlyNow.isEmpty { sentences.append("only now: " + list(onlyNow)) }
    if !onlyEarlier.isEmpty { sentences.append("only in \(name): " + list(onlyEarlier)) }
    let undecided = rows.filter { $0.verdict == .undecided }.count
    if undecided > 0 {
      let least = BenchmarkVerdict.leastSamples
      sentences.append(
        "\(undecided) of \(rows.count) rows cannot be judged: a run has fewer than \(least) samples")
    }
    return sentences
  }

  /// The first rows by name; a sentence is no place for hundreds.
  private func list(_ rows: [BenchmarkRow]) -> String {
    let shown = rows.prefix(6).map(\.title).joined(separator: "; ")
    return rows.count > 6 ? "\(shown) and \(rows.count - 6) more" : shown
  }

  private func text(of verdict: BenchmarkVerdict, _ style: Style) -> String {
    switch verdict {
    case .faster: style.applied(.passed, to: "faster")
    case .slower, .failedNow: style.applied(.failed, to: verdict.rawValue)
    case .same: "same within noise"
    case .undecided, .failedThen: style.applied(.warning, to: verdict.rawValue)
    }
  }
}
