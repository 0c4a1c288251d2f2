public import Files
public import Terminal

extension SweepReport {
  /// The groups by rank, with the varied keys as columns.
  public func table(style: Style = .plain, glyphs: Glyphs = .ascii) -> Table {
    let keyPriority = hasNames ? 4 : 0
    let hasAccuracy = groups.contains { $0.accuracy != nil }
    var columns: [(column: Table.Column, cell: (SweepGroup) -> String)] = [
      (.init("RANK", .right), { $0.rank.map { "\($0)" } ?? "-" })
    ]
    if hasNames { columns.append((.init("POINT", .left), { $0.name ?? "-" })) }
    for key in keys {
      let title = Self.heading(of: key, among: keys)
      columns.append((.init(title, .automatic, priority: keyPriority), { $0.value(of: key) ?? "-" }))
    }
    columns.append(
      (
        .init("LOSS", .right),
        { group in
          let text = group.loss.map { Self.text($0, glyphs) { Numbers.fixed($0, decimals: 4) } } ?? "-"
          return group.rank == 1 ? style.applied(.emphasis, to: text) : text
        }
      ))
    if hasAccuracy {
      columns.append(
        (.init("ACCURACY", .right), { $0.accuracy.map { Numbers.fixed($0.mean, decimals: 4) } ?? "-" }))
    }
    if !baseline.isEmpty { columns.append((.init("GAP", .right), { Self.gapText($0, glyphs) })) }
    if hasSeeds {
      columns.append((.init("SEEDS", .right, priority: 2), { "\($0.finishedCount) of \($0.rows.count)" }))
    }
    if hasRecipes {
      columns += [
        (
          .init("EXTRA OP/TOK", .right, priority: 2),
          { $0.model.map { Numbers.si($0.extraOperations) } ?? "-" }
        ),
        (
          .init("BYTES/TOK", .right, priority: 2), { $0.model.map { Numbers.si($0.bytes, unit: "B") } ?? "-" }
        ),
        (
          .init("MODEL", .right, priority: 2),
          { $0.model.map { Numbers.fixed($0.relativeTime, decimals: 2) } ?? "-" }
        ),
      ]
    }
    columns += [
      (
        .init("TOK/S", .right, priority: 1),
        { $0.tokensPerSecond.map { Numbers.grouped(Int($0.rounded())) } ?? "-" }
      ),
      (.init("MEMORY", .right, priority: 1), { $0.memoryByteCount.map { Numbers.bytes($0) } ?? "-" }),
      (.init("TIME", .right, priority: 3), { $0.seconds.map { Numbers.duration($0) } ?? "-" }),
    ]
    if groups.contains(where: { Self.note($0) != "" }) { columns.append((.init("NOTE", .left), Self.note)) }
    var table = Table(columns.map(\.column))
    for group in groups { table.append(columns.map { $0.cell(group) }) }
    return table
  }

  /// Sentences below the table.
  public func captions(glyphs: Glyphs = .ascii) -> [String] {
    var sentences = ["loss: nats per token over the whole validation part"]
    let sign = glyphs == .unicode ? "±" : "+-"
    if hasSeeds { sentences[0] += ", mean over seeds \(sign) its standard error" }
    if !baseline.isEmpty {
      let name = baseline.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
      sentences.append("gap: to \(name)" + (hasSeeds ? ", paired by seed" : ""))
    }
    if hasRecipes {
      sentences.append(
        "extra operations and bytes per token, and the linear layers' time over BF16's, modelled for hardware with the formats"
      )
    }
    let counts = [SweepOutcome.diverged, .doesNotFit, .failed, .pending].compactMap { outcome -> String? in
      let count = rows.count { $0.outcome == outcome }
      return count > 0 ? "\(count) \(Self.words(outcome))" : nil
    }
    if !counts.isEmpty { sentences.append("of \(rows.count) runs: " + counts.joined(separator: ", ")) }
    return sentences
  }

  /// The table in GitHub's Markdown, all columns, with the sentences below.
  public var markdown: String {
    let list = captions(glyphs: .unicode).map { "- " + MarkdownText.escaped($0) }.joined(separator: "\n")
    return table(glyphs: .unicode).markdown + "\n\n" + list + "\n"
  }

  /// The groups as comma-separated values: plain numbers, units in the headings.
  public var csv: String {
    let headings =
      ["rank"] + (hasNames ? ["point"] : []) + keys
      + [
        "runs", "finished", "loss", "loss_error", "accuracy", "gap", "gap_error", "gap_nats",
        "gap_nats_error", "gap_pairs", "tokens_per_s", "memory_bytes", "time_s",
        "extra_operations_per_token", "modelled_bytes_per_token", "modelled_time_to_bf16", "cost",
        "pareto_front", "failure",
      ]
    let lines = groups.map { group -> [String] in
      var cells = [group.rank.map { "\($0)" } ?? ""] + (hasNames ? [group.name ?? ""] : [])
      cells += keys.map { group.value(of: $0) ?? "" } + ["\(group.rows.count)", "\(group.finishedCount)"]
      let numbers = [
        group.loss?.mean, group.loss?.error, group.accuracy?.mean, group.gap?.share.mean,
        group.gap?.share.error,
        group.gap?.nats.mean, group.gap?.nats.error,
      ]
      cells += numbers.map { CSVText.number($0) }
      cells += [group.gap.map { "\($0.nats.count)" } ?? "", CSVText.number(group.tokensPerSecond)]
      cells += [group.memoryByteCount.map { "\($0)" } ?? "", CSVText.number(group.seconds)]
      cells += [group.model?.extraOperations, group.model?.bytes, group.model?.relativeTime].map {
        CSVText.number($0)
      }
      return cells + [CSVText.number(group.cost), group.isOnFront ? "yes" : "no", Self.note(group)]
    }
    return CSVText.lines([headings] + lines)
  }

  // MARK: Cells

  /// A key without its section, unless two keys would look alike.
  static func heading(of key: String, among keys: [String]) -> String {
    func short(_ key: String) -> String { key.split(separator: ".").last.map(String.init) ?? key }
    return keys.count { short($0) == short(key) } > 1 ? key : short(key)
  }

  static func text(_ value: MeanWithError, _ glyphs: Glyphs, _ number: (Double) -> String) -> String {
    let sign = glyphs == .unicode ? "±" : "+-"
    return number(value.mean) + (value.error.map { " \(sign) \(number($0))" } ?? "")
  }

  private static func gapText(_ group: SweepGroup, _ glyphs: Glyphs) -> String {
    if group.isBaseline { return "baseline" }
    guard let gap = group.gap else { return "-" }
    let sign = gap.share.mean >= 0 ? "+" : ""
    return sign + text(gap.share, glyphs) { Numbers.fixed($0 * 100, decimals: 2) } + " %"
  }

  private static func words(_ outcome: SweepOutcome) -> String {
    switch outcome {
    case .doesNotFit: "does not fit"
    case .finished, .diverged, .failed, .pending: outcome.rawValue
    }
  }

  /// What is wrong with a group, or what it still waits for.
  static func note(_ group: SweepGroup) -> String {
    if let failure = group.failure {
      return words(failure.outcome) + (failure.reason.map { ": \($0)" } ?? "")
    }
    return group.rows.contains { $0.outcome == .pending } ? "pending" : ""
  }
}

extension SweepReport {
  /// Groups and points as one object.
  public var json: JSON {
    [
      "schema": 1, "kind": "sweep", "varied": .array(keys.map { .string($0) }),
      "baseline": .object(JSONObject(baseline.map { (key: $0.name, value: JSON.string($0.value)) })),
      "cost_unit": .string(costUnit.title), "groups": .array(groups.map(json)),
      "points": .array(rows.map(json)),
    ]
  }

  private func json(_ group: SweepGroup) -> JSON {
    func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
    return [
      "rank": group.rank.map { .integer(Int64($0)) } ?? .null,
      "point": group.name.map { .string($0) } ?? .null, "keys": json(group.keys),
      "runs": .array(group.rows.map { .string($0.folder) }),
      "finished": .integer(Int64(group.finishedCount)), "loss": group.loss?.json ?? .null,
      "accuracy": group.accuracy?.json ?? .null, "is_baseline": .bool(group.isBaseline),
      "gap": group.gap?.share.json ?? .null, "gap_nats": group.gap?.nats.json ?? .null,
      "tokens_per_s": number(group.tokensPerSecond),
      "memory_bytes": group.memoryByteCount.map { .integer(Int64($0)) } ?? .null,
      "time_s": number(group.seconds), "extra_operations_per_token": number(group.model?.extraOperations),
      "modelled_bytes_per_token": number(group.model?.bytes),
      "modelled_time_to_bf16": number(group.model?.relativeTime), "cost": number(group.cost),
      "pareto_front": .bool(group.isOnFront),
      "failure": group.failure.map { .string($0.reason ?? $0.outcome.rawValue) } ?? .null,
    ]
  }

  private func json(_ row: SweepRow) -> JSON {
    var object: JSONObject = [
      "run": .string(row.folder), "point": row.name.map { .string($0) } ?? .null, "keys": json(row.keys),
      "outcome": .string(row.outcome.rawValue), "reason": row.reason.map { .string($0) } ?? .null,
      "cost": row.cost.map { .number($0) } ?? .null,
    ]
    for entry in row.figures?.json ?? [:] { object[entry.key] = entry.value }
    return .object(object)
  }

  private func json(_ keys: [SweepRow.Key]) -> JSON {
    .object(JSONObject(keys.map { (key: $0.name, value: JSON.string($0.value)) }))
  }
}

extension SweepRow.Figures {
  /// The figures with units in their names.
  public var json: JSONObject {
    [
      "validation_loss": .number(loss), "validation_loss_error": .number(lossError),
      "validation_accuracy": accuracy.map { .number($0) } ?? .null,
      "tokens_per_s": .number(tokensPerSecond), "memory_bytes": .integer(Int64(memoryByteCount)),
      "steps": .integer(Int64(steps)), "tokens": .integer(Int64(tokens)), "time_s": .number(seconds),
      "extra_operations_per_token": model.map { .number($0.extraOperations) } ?? .null,
      "modelled_bytes_per_token": model.map { .number($0.bytes) } ?? .null,
      "modelled_time_to_bf16": model.map { .number($0.relativeTime) } ?? .null,
    ]
  }

  /// Nil where a figure is missing.
  public init?(_ json: JSON) {
    guard let loss = json["validation_loss"]?.doubleValue,
      let error = json["validation_loss_error"]?.doubleValue,
      let speed = json["tokens_per_s"]?.doubleValue, let memory = json["memory_bytes"]?.integerValue,
      let steps = json["steps"]?.integerValue, let tokens = json["tokens"]?.integerValue,
      let seconds = json["time_s"]?.doubleValue
    else { return nil }
    self.init(
      loss: loss, lossError: error, accuracy: json["validation_accuracy"]?.doubleValue,
      tokensPerSecond: speed,
      memoryByteCount: memory, steps: steps, tokens: tokens, seconds: seconds,
      model: SweepRow.ModelledCost(json))
  }
}

extension SweepRow.ModelledCost {
  /// Nil in results that were kept before it was counted.
  fileprivate init?(_ json: JSON) {
    guard let operations = json["extra_operations_per_token"]?.doubleValue,
      let bytes = json["modelled_bytes_per_token"]?.doubleValue,
      let time = json["modelled_time_to_bf16"]?.doubleValue
    else { return nil }
    self.init(extraOperations: operations, bytes: bytes, relativeTime: time)
  }
}
