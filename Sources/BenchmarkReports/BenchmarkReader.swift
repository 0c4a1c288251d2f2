import Engine
import Files

/// Reads what `BenchmarkReport.jsonLines` wrote; a `--json` object is understood as well.
struct BenchmarkReader {
  let path: String

  func report(_ text: String) throws -> BenchmarkReport {
    var header: JSON?
    var rows: [BenchmarkRow] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy({ $0 == " " || $0 == "\r" }) { continue }
      let value = try JSON(parsing: String(line), source: "\(path), line \(index + 1)")
      let fields = Fields(value, place: "line \(index + 1)", path: path)
      switch value["kind"]?.stringValue {
      case "run", "benchmark":
        if header != nil { throw fields.damaged("a second run in one file") }
        try checkSchema(fields)
        header = value
        for row in value["rows"]?.arrayValue ?? [] { rows.append(try self.row(fields.inside(row))) }
      case "row":
        if header == nil { throw fields.damaged("a row before the line of the run") }
        rows.append(try row(fields))
      default: throw fields.damaged("a line that is neither a run nor a row")
      }
    }
    guard let header else {
      throw BenchmarkStoreError.damaged(path: path, place: "the file", problem: "no run")
    }
    let fields = Fields(header, place: "the run", path: path)
    return BenchmarkReport(
      rows: rows, roofs: try fields.array("roofs").map(roof), environment: try environment(fields))
  }

  private func checkSchema(_ fields: Fields) throws {
    let schema = try fields.integer("schema")
    guard schema == BenchmarkReport.schema else {
      throw BenchmarkStoreError.otherSchema(path: path, schema: schema)
    }
  }

  private func row(_ fields: Fields) throws -> BenchmarkRow {
    let parameters = try (fields.value["parameters"]?.objectValue).orThrow(
      fields.damaged("no object 'parameters'"))
    var cost: Cost?
    if let flops = fields.value["flops"]?.doubleValue,
      let bytes = fields.value["bytes"]?.doubleValue
    {
      cost = Cost(flops: flops, bytes: bytes)
    }
    let samples = (fields.value["samples_s"]?.arrayValue ?? []).compactMap(\.doubleValue)
    guard samples.allSatisfy({ $0 >= 0 }) else { throw fields.damaged("a negative time in 'samples_s'") }
    return BenchmarkRow(
      benchmark: try fields.string("benchmark"),
      parameters: try parameters.map { entry in
        let text = entry.value.stringValue ?? entry.value.integerValue.map { String($0) }
        return .init(
          entry.key, try text.orThrow(fields.damaged("parameter '\(entry.key)' is \(entry.value.kind)")))
      },
      device: try fields.string("device"), samples: samples,
      executionsPerSample: fields.value["executions_per_sample"]?.integerValue ?? 1,
      eventSeconds: fields.value["event_s"]?.doubleValue, cost: cost,
      tokens: fields.value["tokens"]?.integerValue,
      keptBytes: fields.value["kept_bytes"]?.integerValue, configurations: configurations(fields),
      verification: try verification(fields),
      isRival: try (fields.value["rival"]?.boolValue).orThrow(fields.damaged("no Boolean 'rival'")))
  }

  private func configurations(_ fields: Fields) -> [String: [String: Int]] {
    let members = fields.value["configurations"]?.objectValue ?? [:]
    return Dictionary(
      uniqueKeysWithValues: members.map { member in
        let parameters = (member.value.objectValue ?? [:]).compactMap { parameter in
          parameter.value.integerValue.map { (parameter.key, $0) }
        }
        return (member.key, Dictionary(uniqueKeysWithValues: parameters))
      })
  }

  private func verification(_ fields: Fields) throws -> BenchmarkRow.Verification {
    switch try fields.string("verification") {
    case "passed": .passed(worst: try fields.number("worst_error_share"))
    case "failed": .failed(reason: try fields.string("failure"))
    case "none": .notApplicable
    case let word: throw fields.damaged("unknown verification '\(word)'")
    }
  }

  private func roof(_ fields: Fields) throws -> DeviceRoof {
    DeviceRoof(
      device: try fields.string("device"), flopsPerSecond: try fields.number("fma_peak_gflops") * 1e9,
      bytesPerSecond: try fields.number("copy_gb_per_s") * 1e9,
      sgemmPeak: fields.value["sgemm_peak_gflops"]?.doubleValue.map { $0 * 1e9 })
  }

  private func variables(_ fields: Fields) throws -> [String: String] {
    let members = try (fields.value["variables"]?.objectValue).orThrow(
      fields.damaged("no object 'variables'"))
    return Dictionary(
      uniqueKeysWithValues: try members.map { member in
        (member.key, try (member.value.stringValue).orThrow(fields.damaged("a variable that is no text")))
      })
  }

  private func environment(_ fields: Fields) throws -> BenchmarkEnvironment {
    let load = fields.value["load"]
    return BenchmarkEnvironment(
      command: try fields.string("command"), date: try fields.string("date"),
      version: try fields.string("version"), revision: fields.value["revision"]?.stringValue,
      build: try fields.string("build"),
      machine: MachineDescription(
        system: try fields.string("system"), processor: fields.value["processor"]?.stringValue,
        clock: fields.value["processor_clock_hz"]?.doubleValue),
      hostThreads: try fields.integer("host_threads"), blas: try fields.string("blas"),
      blasThreads: try fields.integer("blas_threads"), variables: try variables(fields),
      devices: try fields.array("devices").map {
        .init(
          name: try $0.string("name"), product: try $0.string("product"), driver: try $0.string("driver"),
          computeUnits: try $0.integer("compute_units"))
      },
      load: MachineLoad(
        averageBefore: load?["average_before"]?.doubleValue,
        averageAfter: load?["average_after"]?.doubleValue,
        otherProcessShare: load?["other_process_share"]?.doubleValue,
        processors: load?["processors"]?.integerValue ?? 1))
  }
}

/// The members of an object whose absence is an error that names file and place.
private struct Fields {
  let value: JSON
  let place: String
  let path: String

  init(_ value: JSON, place: String, path: String) {
    self.value = value
    self.place = place
    self.path = path
  }

  func inside(_ value: JSON) -> Fields { Fields(value, place: place, path: path) }

  func damaged(_ problem: String) -> BenchmarkStoreError {
    .damaged(path: path, place: place, problem: problem)
  }

  func string(_ key: String) throws -> String {
    try (value[key]?.stringValue).orThrow(damaged("no text '\(key)'"))
  }

  func number(_ key: String) throws -> Double {
    try (value[key]?.doubleValue).orThrow(damaged("no number '\(key)'"))
  }

  func integer(_ key: String) throws -> Int {
    try (value[key]?.integerValue).orThrow(damaged("no integer '\(key)'"))
  }

  func array(_ key: String) throws -> [Fields] {
    try (value[key]?.arrayValue).orThrow(damaged("no array '\(key)'")).map { inside($0) }
  }
}

extension Optional {
  fileprivate func orThrow(_ error: @autoclosure () -> some Error) throws -> Wrapped {
    guard let self else { throw error() }
    return self
  }
}
