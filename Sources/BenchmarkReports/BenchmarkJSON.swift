import Engine
public import Files

extension BenchmarkReport {
  /// The report as one object: units in the key names, all samples, derived rates beside them.
  ///
  /// A red row has its reason and `null` for every number.
  ///
  /// - Parameter comparison: Goes in under `comparison`.
  public func json(_ comparison: BenchmarkComparison? = nil) -> JSON {
    var object = header(kind: "benchmark")
    object["rows"] = .array(rows.indices.map(json(rowAt:)))
    object["rivals"] = .array(RivalComparison.all(of: rows).map(json))
    if let comparison { object["comparison"] = comparison.json }
    return .object(object)
  }

  /// The report as the lines of a `.jsonl` file: one for the run, one for each row.
  var jsonLines: [JSON] {
    let rows = rows.indices.map { JSON.object(JSONObject([("kind", "row")] + json(rowAt: $0).members)) }
    return [.object(header(kind: "run"))] + rows
  }

  private func header(kind: String) -> JSONObject {
    JSONObject(
      [("schema", .integer(Int64(Self.schema))), ("kind", .string(kind))] + environment.json.members + [
        ("roofs", .array(roofs.map(json)))
      ] + details.map { ($0.key, $0.value) })
  }

  private func json(_ roof: DeviceRoof) -> JSON {
    [
      "device": .string(roof.device), "fma_peak_gflops": .number(roof.flopsPerSecond / 1e9),
      "sgemm_peak_gflops": .optional(roof.sgemmPeak.map { $0 / 1e9 }),
      "copy_gb_per_s": .number(roof.bytesPerSecond / 1e9),
    ]
  }

  private func json(_ comparison: RivalComparison) -> JSON {
    [
      "device": .string(comparison.device), "rival": .string(comparison.rival),
      "rows": .integer(Int64(comparison.ratios.count)), "mean_speed": .number(comparison.geometricMean),
      "least_speed": .number(comparison.minimum),
    ]
  }

  private func json(rowAt index: Int) -> JSON {
    let row = rows[index]
    let figures = figures(at: index)
    let speeds = rivals.compactMap { rival in
      speed(at: index, against: rival).map { (key: rival, value: JSON.number($0)) }
    }
    return [
      "benchmark": .string(row.benchmark),
      "parameters": .object(JSONObject(row.parameters.map { ($0.name, $0.json) })),
      "device": .string(row.device), "rival": .bool(row.isRival),
      "verification": .string(row.verification.word), "failure": .optional(row.failure),
      "worst_error_share": .optional(row.verification.worst),
      "median_s": .optional(figures?.median), "lower_quartile_s": .optional(figures?.lowerQuartile),
      "upper_quartile_s": .optional(figures?.upperQuartile), "event_s": .optional(figures?.eventSeconds),
      "samples_s": figures.map { .array($0.samples.map { .number($0) }) } ?? .null,
      "executions_per_sample": .optional(figures.map { _ in row.executionsPerSample }),
      "flops": .optional(figures?.cost?.flops), "bytes": .optional(figures?.cost?.bytes),
      "tokens": .optional(row.tokens), "tokens_per_s": .optional(figures?.tokensPerSecond),
      "kept_bytes": .optional(row.keptBytes),
      "gflops": .optional(figures?.flopsPerSecond.map { $0 / 1e9 }),
      "gb_per_s": .optional(figures?.bytesPerSecond.map { $0 / 1e9 }),
      "share_of_fma_peak": .optional(figures?.shareOfPeak),
      "share_of_sgemm_peak": .optional(figures?.shareOfSgemmPeak),
      "share_of_copy": .optional(figures?.shareOfCopy), "speed_against": .object(JSONObject(speeds)),
      "configurations": .object(
        JSONObject(
          row.configurations.sorted { $0.key < $1.key }.map { configurationMember($0.key, $0.value) })),
    ]
  }
}

/// A configuration under its problem's name.
private func configurationMember(_ name: String, _ parameters: [String: Int]) -> (key: String, value: JSON) {
  let members = parameters.sorted { $0.key < $1.key }.map {
    (key: $0.key, value: JSON.integer(Int64($0.value)))
  }
  return (name, .object(JSONObject(members)))
}

extension BenchmarkEnvironment {
  var json: JSON {
    [
      "command": .string(command), "date": .string(date), "version": .string(version),
      "revision": .optional(revision), "build": .string(build), "system": .string(machine.system),
      "processor": .optional(machine.processor), "processor_clock_hz": .optional(machine.clock),
      "host_threads": .integer(Int64(hostThreads)), "blas": .string(blas),
      "blas_threads": .integer(Int64(blasThreads)),
      "variables": .object(
        JSONObject(variables.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
      "devices": .array(
        devices.map {
          [
            "name": .string($0.name), "product": .string($0.product), "driver": .string($0.driver),
            "compute_units": .integer(Int64($0.computeUnits)),
          ]
        }),
      "load": [
        "average_before": .optional(load.averageBefore), "average_after": .optional(load.averageAfter),
        "other_process_share": .optional(load.otherProcessShare),
        "processors": .integer(Int64(load.processors)), "note": .optional(load.note),
      ],
    ]
  }
}

extension BenchmarkRow.Verification {
  /// `passed`, `failed`, or `none` where there is nothing to compare.
  var word: String {
    switch self {
    case .passed: "passed"
    case .failed: "failed"
    case .notApplicable: "none"
    }
  }

  /// The worst error as a share of its tolerance, for results that passed.
  var worst: Double? {
    if case .passed(let worst) = self { worst } else { nil }
  }
}

extension BenchmarkRow.Parameter {
  /// A number where the text is how an integer is written, so that reading it back gives the same text.
  fileprivate var json: JSON {
    if let number = Int64(value), String(number) == value { .integer(number) } else { .string(value) }
  }
}

extension JSON {
  static func optional(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
  static func optional(_ value: Int?) -> JSON { value.map { .integer(Int64($0)) } ?? .null }
  static func optional(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }

  /// The members of an object, none of any other kind.
  fileprivate var members: [(key: String, value: JSON)] {
    (objectValue ?? [:]).map { ($0.key, $0.value) }
  }
}
