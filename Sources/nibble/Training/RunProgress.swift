import Engine
import Terminal

/// What is known of a run after an update.
struct RunProgress {
  let metrics: StepMetrics
  let totalSteps: Int
  /// About the last twenty steps.
  let smoothedLoss: Double
  /// Of the last evaluation.
  let validationLoss: Double?
  let validationAccuracy: Double?
  /// Work of the step over what a large matrix product does in its time; nil when that is unknown.
  let shareOfMatmul: Double?
  /// Nil before the eleventh step.
  let secondsLeft: Double?

  /// Whether the number of steps is still to be chosen.
  var isOpen: Bool { totalSteps == TrainingOptions.unlimitedSteps }
  var isLast: Bool { metrics.step == totalSteps }
  /// Of the run's steps.
  var share: Double { isOpen ? 0 : Double(metrics.step) / Double(max(1, totalSteps)) }

  /// For a log.
  var fields: [(key: String, value: String)] {
    var fields = [
      (key: "step", value: isOpen ? "\(metrics.step)" : "\(metrics.step)/\(totalSteps)"),
      (key: "loss", value: Numbers.fixed(metrics.loss, decimals: 4)),
    ]
    if let loss = metrics.validationLoss {
      fields.append((key: "val", value: Numbers.fixed(loss, decimals: 4)))
    }
    if let accuracy = metrics.validationAccuracy {
      fields.append((key: "acc", value: Numbers.fixed(accuracy, decimals: 4)))
    }
    fields += [
      (key: "lr", value: Numbers.scientific(metrics.learningRate, digits: 2)),
      (key: "|g|", value: Numbers.significant(metrics.gradientNorm)),
      (key: "tok/s", value: "\(Int(metrics.tokensPerSecond))"),
      (key: "mem", value: "\(metrics.memoryByteCount >> 20)MiB"),
    ]
    if !isOpen, let left = secondsLeft { fields.append((key: "left", value: "\(Int(left))s")) }
    return fields
  }
}

/// Where a run's progress is shown.
protocol RunDisplay: AnyObject {
  /// - Parameter isLogged: Whether the update has a line in logs.
  func didStep(_ progress: RunProgress, isLogged: Bool)
  /// A line that stays.
  func keep(_ line: String)
  /// The same for programs.
  func json(_ value: @autoclosure () -> JSONText)
  /// Nothing more comes.
  func end()
}

/// The display of a single run: a status block with lines above it, JSON for every update.
final class RunStatusDisplay: RunDisplay {
  private let output: Output

  init(_ output: Output) { self.output = output }

  func keep(_ line: String) { output.narrate(line) }

  func json(_ value: @autoclosure () -> JSONText) { output.json(value()) }

  func end() { output.progress.finish() }

  func didStep(_ progress: RunProgress, isLogged: Bool) {
    output.progress.update(isLast: progress.isLast) { block(progress, columns: $0) }
    output.json(json(progress.metrics))
    if isLogged { output.progress.record(progress.fields) }
  }

  private func block(_ progress: RunProgress, columns: Int) -> [String] {
    let metrics = progress.metrics
    var columnsAndCells: [(Table.Column, String)] = [
      (.init("  step", .right), Numbers.grouped(metrics.step)),
      (.init("loss", .right), Numbers.fixed(metrics.loss, decimals: 3)),
      (.init("val", .right), progress.validationLoss.map { Numbers.fixed($0, decimals: 3) } ?? "-"),
    ]
    // Only a task with answers has an accuracy.
    if let accuracy = progress.validationAccuracy {
      columnsAndCells.append((.init("acc", .right), Numbers.fixed(accuracy, decimals: 3)))
    }
    columnsAndCells += [
      (.init("lr", .right, priority: 2), Numbers.scientific(metrics.learningRate)),
      (.init("|g|", .right, priority: 3), Numbers.significant(metrics.gradientNorm)),
      (.init("tok/s", .right), Numbers.grouped(Int(metrics.tokensPerSecond))),
      (
        .init("of matmul", .right, priority: 4), progress.shareOfMatmul.map { Numbers.percent($0) } ?? "-"
      ),
      (.init("mem", .right, priority: 5), Numbers.bytes(metrics.memoryByteCount)),
    ]
    var table = Table(columnsAndCells.map(\.0))
    table.append(columnsAndCells.map(\.1))
    let rows = table.rendered(columns: columns, style: output.narrationStyle, glyphs: output.glyphs).lines
    let facts = facts(progress)
    let bar = progressBar(
      progress.share, columns: max(10, min(32, columns - displayWidth(facts) - 4)), glyphs: output.glyphs)
    return rows + ["  \(bar) \(facts)"]
  }

  private func facts(_ progress: RunProgress) -> String {
    guard !progress.isOpen else { return "timing the first steps" }
    let dot = output.glyphs.separator
    let left = progress.secondsLeft.map { "\(Numbers.duration($0)) left" } ?? "measuring"
    return
      "\(Numbers.percent(progress.share))  \(Numbers.grouped(progress.metrics.step))/\(Numbers.grouped(progress.totalSteps))"
      + "\(dot)loss \(Numbers.fixed(progress.smoothedLoss, decimals: 3))\(dot)\(left)"
  }

  private func json(_ metrics: StepMetrics) -> JSONText {
    guard case .object(let members) = JSONText(metrics.json) else { return JSONText(metrics.json) }
    return .object([.init("schema", 1), .init("kind", "step")] + members)
  }
}
