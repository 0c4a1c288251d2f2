import Engine
public import Terminal

extension BenchmarkReport {
  /// The rows as tables for people, one for every list of parameter names.
  ///
  /// A column in which no row has a value is left out. Rivals have rows of their own and a column with how many times
  /// as fast ours is.
  public func tables(style: Style = .plain, glyphs: Glyphs = .ascii) -> [Table] {
    let groups = rows.map { $0.parameters.map(\.name) }.unique()
    return groups.map { names in
      let members = rows.indices.filter { rows[$0].parameters.map(\.name) == names }
      return table(of: members, parameters: names, style: style, glyphs: glyphs)
    }
  }

  /// What the numbers mean: devices with their roofs, the run, the load, the reasons of red rows.
  public func captions(glyphs: Glyphs = .ascii) -> [String] {
    let failures = redRows.map { "failed: \($0.title): \($0.failure ?? "")" }
    let devices = environment.devices.map { device in
      let units = "\(device.computeUnits) " + (device.computeUnits == 1 ? "unit" : "units")
      let roof = roofs.first { $0.device == device.name }.map(facts) ?? []
      return
        ([
          "\(device.name): \(device.product)", "driver \(device.driver)", units,
        ] + roof).joined(separator: glyphs.separator)
    }
    let load = environment.load
    var run = [environment.date, "nibble " + environment.version]
    if let revision = environment.revision { run.append("revision " + revision) }
    if environment.build != BenchmarkEnvironment.release { run.append("a \(environment.build) build") }
    run += ["\(environment.hostThreads) host threads", environment.blas]
    if let before = load.averageBefore, let after = load.averageAfter {
      run.append(
        "load \(Numbers.fixed(before, decimals: 2)) before, \(Numbers.fixed(after, decimals: 2)) after")
    }
    return failures + notes + rivalSummaries + devices + [run.joined(separator: glyphs.separator)]
      + (load.note.map { [$0] } ?? [])
  }

  private func facts(_ roof: DeviceRoof) -> [String] {
    var facts = ["peak \(BenchmarkText.giga(roof.flopsPerSecond)) GFLOP/s"]
    if let peak = roof.sgemmPeak { facts.append("sgemm peak \(BenchmarkText.giga(peak)) GFLOP/s") }
    return facts + ["copy \(BenchmarkText.giga(roof.bytesPerSecond)) GB/s"]
  }

  /// `pocl:0 against openblas: 1.04x as fast in geometric mean of 12, least 0.930x (m 64, n 64)`.
  private var rivalSummaries: [String] {
    RivalComparison.all(of: rows).filter { $0.ratios.count > 1 }.map { comparison in
      let slowest = comparison.slowest.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
      return
        "\(comparison.device) against \(comparison.rival): \(BenchmarkText.factor(comparison.geometricMean))"
        + " as fast in geometric mean of \(comparison.ratios.count),"
        + " least \(BenchmarkText.factor(comparison.minimum)) (\(slowest))"
    }
  }

  /// Parameters beside which a line has room for figures.
  private static let mostParameters = 7

  private func table(
    of places: [Int], parameters: [String], style: Style, glyphs: Glyphs,
  ) -> Table {
    var columns: [(column: Table.Column, cells: [String])] = []
    func add(
      _ title: String, _ alignment: Table.Alignment, priority: Int = 0, _ cell: (Int) -> String?,
    ) {
      let cells = places.map(cell)
      guard cells.contains(where: { $0 != nil }) else { return }
      columns.append((.init(title, alignment, priority: priority), cells.map { $0 ?? "-" }))
    }
    func figure(
      _ title: String, priority: Int, _ value: (BenchmarkFigures) -> Double?, _ text: (Double) -> String,
    ) {
      add(title, .right, priority: priority) { self.figures(at: $0).flatMap(value).map(text) }
    }
    add("BENCHMARK", .left) { self.rows[$0].benchmark }
    for (place, name) in parameters.enumerated() {
      // Where there are very many, the first one names the problem.
      let isDetail = parameters.count > Self.mostParameters && place > 0
      add(name, .automatic, priority: isDetail ? 6 : 0) { self.rows[$0].value(of: name) }
    }
    add("DEVICE", .left) { self.rows[$0].device }
    add("TIME", .right) { index in
      self.figures(at: index).map { style.applied(.emphasis, to: BenchmarkText.time($0.median)) }
    }
    add("QUARTILES", .right, priority: 5) { index in
      self.figures(at: index).map { BenchmarkText.range($0.lowerQuartile, $0.upperQuartile) }
    }
    figure("TOKENS/s", priority: 0, \.tokensPerSecond) { Numbers.significant($0) }
    add("KEPT", .right) { self.rows[$0].keptBytes.map { Numbers.bytes($0) } }
    figure("GFLOP/s", priority: 1, \.flopsPerSecond, BenchmarkText.giga)
    figure("OF PEAK", priority: 3, \.shareOfPeak, Numbers.percent)
    figure("OF SGEMM", priority: 4, \.shareOfSgemmPeak, Numbers.percent)
    figure("GB/s", priority: 2, \.bytesPerSecond, BenchmarkText.giga)
    figure("OF COPY", priority: 3, \.shareOfCopy, Numbers.percent)
    for rival in rivals {
      add("VS " + rival.uppercased(), .right, priority: 1) { index in
        self.speed(at: index, against: rival).map(BenchmarkText.factor)
      }
    }
    add("RESULT", .left) { self.mark(self.rows[$0].verification, style: style, glyphs: glyphs) }
    var table = Table(columns.map(\.column))
    for index in places.indices { table.append(columns.map { $0.cells[index] }) }
    return table
  }

  private func mark(_ verification: BenchmarkRow.Verification, style: Style, glyphs: Glyphs) -> String {
    let isUnicode = glyphs == .unicode
    return switch verification {
    case .passed: style.applied(.passed, to: (isUnicode ? "✓ " : "") + verification.word)
    case .failed: style.applied(.failed, to: isUnicode ? "✗ failed" : "FAILED")
    case .notApplicable: style.applied(.dim, to: "not checked")
    }
  }
}
