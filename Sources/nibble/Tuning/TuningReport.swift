import Engine
import Kernels
import Terminal

/// What `tune` says at its end.
struct TuningReport {
  let device: DeviceDescription
  let path: String
  let results: [TuningRun.Result]

  func print(to output: Output) {
    output.table(table)
    output.json([
      "schema": 1, "device": .string(device.name), "device_key": .string(device.exactKey),
      "database": .string(path), "problems": .array(results.map { json($0) }),
    ])
    let better = results.count { $0.search.winner != nil }
    output.narrate(
      better == 0
        ? "nothing was clearly faster than the standard; the database keeps what it had"
        : "\(better) of \(results.count) problems have a faster configuration now, in \(path)")
    for result in results {
      for trial in result.search.trials {
        switch trial.outcome {
        case .wrong, .hung, .crashed:
          output.narrate("\(result.key.name): \(Self.text(trial.parameters)): \(Self.text(trial.outcome))")
        case .measured, .failed: break
        }
      }
    }
  }

  private var table: Table {
    var table = Table([
      .init("PROBLEM", .left), .init("STANDARD GFLOP/s", .right), .init("BEST GFLOP/s", .right),
      .init("GAIN", .right),
      .init("TRIED", .right), .init("CONFIGURATION", .left),
    ])
    for result in results {
      var rates = ("-", "-")
      if let medians = result.best?.outcome.medians {
        let rate = { Numbers.significant(result.flops / $0 / 1e9) }
        rates = (
          rate(medians.standard), rate(result.search.winner == nil ? medians.standard : medians.candidate)
        )
      }
      let tried = Set(result.search.trials.map(\.parameters)).count
      table.append([
        result.key.name, rates.0, rates.1,
        result.search.winner?.outcome.gain.map { Self.percent($0) } ?? "none",
        "\(tried) of \(tried + result.search.untried)",
        result.search.winner.map { Self.difference($0.parameters, from: result.standard) } ?? "standard",
      ])
    }
    return table
  }

  private func json(_ result: TuningRun.Result) -> JSONText {
    [
      "problem": .string(result.key.name), "flops": .number(result.flops),
      "standard": Self.json(result.standard),
      "winner": result.search.winner.map { Self.json($0.parameters) } ?? .null,
      "gain": JSONText(result.search.winner?.outcome.gain), "untried": .integer(result.search.untried),
      "trials": .array(result.search.trials.map { Self.json($0) }),
    ]
  }

  private static func json(_ trial: TuningSearch.Trial) -> JSONText {
    var members: [JSONText.Member] = [.init("parameters", json(trial.parameters))]
    switch trial.outcome {
    case .measured(let candidate, let standard):
      members.append(.init("outcome", "measured"))
      members.append(.init("time_s", .array(candidate.map { .number($0) })))
      members.append(.init("standard_time_s", .array(standard.map { .number($0) })))
    case .wrong, .failed, .hung, .crashed:
      members.append(.init("outcome", .string(word(trial.outcome))))
      members.append(.init("reason", .string(text(trial.outcome))))
    }
    return .object(members)
  }

  private static func word(_ outcome: TuningOutcome) -> String {
    switch outcome {
    case .measured: "measured"
    case .wrong: "wrong"
    case .failed: "failed"
    case .hung: "hung"
    case .crashed: "crashed"
    }
  }

  // MARK: Words

  static func json(_ parameters: [String: Int]) -> JSONText {
    .object(parameters.sorted { $0.key < $1.key }.map { .init($0.key, .integer($0.value)) })
  }

  static func text(_ parameters: [String: Int]) -> String {
    parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
  }

  /// Only what the standard has otherwise.
  static func difference(_ parameters: [String: Int], from standard: [String: Int]) -> String {
    text(parameters.filter { standard[$0.key] != $0.value })
  }

  static func text(_ outcome: TuningOutcome) -> String {
    switch outcome {
    case .measured: outcome.gain.map { percent($0) } ?? "not timed"
    case .wrong(let reason): "wrong result, \(reason)"
    case .failed(let reason): "does not run, \(reason.split(separator: "\n").first ?? "")"
    case .hung(let seconds): "no answer in \(Numbers.duration(seconds)), ended"
    case .crashed(let reason): "its process \(reason)"
    }
  }

  /// `+4.1 %` for 1.041.
  static func percent(_ ratio: Double) -> String {
    (ratio >= 1 ? "+" : "-") + Numbers.fixed(100 * abs(ratio - 1), decimals: 1) + " %"
  }
}

extension TuningRun.Result {
  /// The winner, or else the fastest that was timed.
  var best: TuningSearch.Trial? {
    search.winner
      ?? search.trials.filter { $0.outcome.gain != nil }.max {
        ($0.outcome.gain ?? 0) < ($1.outcome.gain ?? 0)
      }
  }
}
