import Configuration
import Engine
import Kernels
import Terminal

/// What the runs of a sweep will need, before the first one starts.
struct SweepPlan {
  struct Entry {
    let point: SweepPoint
    /// FLOPs that are left.
    let work: Double
    /// Steps that are left; nil where only time decides.
    let steps: Int?
    /// The most it may take.
    let limit: Double?
    /// Seconds: from a fast to a slow guess.
    let seconds: ClosedRange<Double>?
    /// Nil for sizes that nobody could count.
    let memoryByteCount: Int?
    let parameterCount: Int?
    let device: String
    /// FLOPs per second of a large matrix product there; nil when it could not be measured.
    let matmulRate: Double?
    /// Why the device cannot hold it.
    let problem: (any UserError)?
  }

  let entries: [Entry]

  /// - Parameter runs: Points with the runs they stand for; none of them is begun or locked.
  init(_ runs: [(point: SweepPoint, request: RunRequest)], call: Call) throws {
    var devices: [String: any OperationDevice] = [:]
    var rates: [String: Double] = [:]
    entries = try runs.map { run in
      let name = run.request.values.device ?? ""
      let device = try devices[name] ?? call.open(run.request.values.device)
      devices[name] = device
      do {
        let plan = try PlannedRun(
          run.request, device: device, call: call, readsText: false, matmulRate: rates[name]
        ).plan
        rates[name] = plan.matmulRate
        return Entry(run.point, plan)
      } catch {
        guard let known = Failure.readable(error) as? any UserError else { throw error }
        guard known.exitCode == .doesNotFit else {
          throw Failure(
            known.message, details: known.details + ["in the point \(run.point.title)"], hints: known.hints,
            exitCode: known.exitCode)
        }
        return Entry(run.point, misfit: known, device: device.description.name)
      }
    }
    call.output.progress.suspend()
  }

  /// Seconds of all: from a fast to a slow guess; nil where a point has none.
  var seconds: ClosedRange<Double>? {
    let ranges = entries.filter { $0.problem == nil }.map(\.seconds)
    guard ranges.allSatisfy({ $0 != nil }) else { return nil }
    let known = ranges.compactMap(\.self)
    return known.map(\.lowerBound).reduce(0, +)...known.map(\.upperBound).reduce(0, +)
  }

  var problemCount: Int { entries.count { $0.problem != nil } }

  var table: Table {
    let keys = entries.first?.point.settings.map(\.key) ?? []
    let hasNames = entries.contains { $0.point.name != nil }
    var table = Table(
      [.init("RUN", .left)] + (hasNames ? [.init("POINT", .left)] : [])
        + keys.map { .init($0, priority: 4) }
        + [
          .init("PARAMETERS", .right, priority: 3), .init("MEMORY", .right), .init("STEPS", .right),
          .init("TIME", .right), .init("NOTE", .left),
        ])
    for entry in entries {
      let time = entry.seconds.map {
        "\(Numbers.duration($0.lowerBound)) to \(Numbers.duration($0.upperBound))"
      }
      table.append(
        [entry.point.folder ?? ""] + (hasNames ? [entry.point.name ?? "-"] : [])
          + entry.point.settings.map(\.value)
          + [
            entry.parameterCount.map { Numbers.si(Double($0)) } ?? "-",
            entry.memoryByteCount.map { Numbers.bytes($0) } ?? "-",
            entry.steps.map { Numbers.grouped($0) } ?? "-", time ?? "-",
            entry.problem?.message ?? "",
          ])
    }
    return table
  }

  /// `4 runs, about 12 s to 48 s (a guess until steps are timed)`.
  var summary: String {
    let time = seconds.map {
      "about \(Numbers.duration($0.lowerBound)) to \(Numbers.duration($0.upperBound)) (a guess until steps are timed)"
    }
    let misfits = problemCount > 0 ? "\(problemCount) of them do not fit" : nil
    let runs = "\(Numbers.grouped(entries.count)) \(entries.count == 1 ? "run" : "runs")"
    return [runs, misfits, time].compactMap(\.self).joined(separator: ", ")
  }

  func json(_ folder: String) -> JSONText {
    [
      "schema": 1, "kind": "plan", "sweep": .string(folder), "fits": .boolean(problemCount == 0),
      "time_low_s": JSONText(seconds?.lowerBound), "time_high_s": JSONText(seconds?.upperBound),
      "points": .array(
        entries.map { entry in
          [
            "run": .string(entry.point.folder ?? ""), "point": JSONText(entry.point.name),
            "keys": .object(entry.point.settings.map { .init($0.key, .string($0.value)) }),
            "parameters": entry.parameterCount.map { .integer($0) } ?? .null,
            "memory_bytes": entry.memoryByteCount.map { .integer($0) } ?? .null,
            "steps": entry.steps.map { .integer($0) } ?? .null, "flops": .number(entry.work),
            "device": .string(entry.device), "fits": .boolean(entry.problem == nil),
            "time_low_s": JSONText(entry.seconds?.lowerBound),
            "time_high_s": JSONText(entry.seconds?.upperBound),
          ]
        }),
    ]
  }
}

extension SweepPlan.Entry {
  init(_ point: SweepPoint, _ plan: RunPlan) {
    let isOpen = plan.options.steps == TrainingOptions.unlimitedSteps
    let steps = isOpen ? nil : max(0, plan.options.steps - plan.firstStep)
    let limit = plan.options.seconds
    let guess = steps.flatMap { steps in
      plan.stepSeconds.map { Double(steps) * $0.lowerBound...Double(steps) * $0.upperBound }
    }
    let most = limit ?? .infinity
    let limited = guess.map { min($0.lowerBound, most)...min($0.upperBound, most) }
    self.init(
      point: point, work: Double(steps ?? 0) * plan.estimate.flopsPerStep, steps: steps, limit: limit,
      seconds: limited ?? limit.map { $0...$0 }, memoryByteCount: plan.estimate.totalByteCount,
      parameterCount: plan.estimate.parameterCount, device: plan.device.name,
      matmulRate: plan.matmulRate, problem: plan.problem)
  }

  /// A point too large to be counted.
  init(_ point: SweepPoint, misfit: any UserError, device: String) {
    self.init(
      point: point, work: 0, steps: nil, limit: nil, seconds: nil, memoryByteCount: nil, parameterCount: nil,
      device: device, matmulRate: nil, problem: misfit)
  }
}
