/// A table of texts for people: numbers to the right, columns dropped by priority when the width is short.
public struct Table: Sendable {
  /// Which side a column's texts stand on.
  public enum Alignment: Sendable {
    /// Right if every filled cell is a number (or `-`), else left.
    case automatic
    /// Left.
    case left
    /// Right.
    case right
  }

  /// A column's heading and its weight.
  public struct Column: Sendable {
    /// The heading.
    public var title: String
    /// The side.
    public var alignment: Alignment
    /// 0 is never dropped; among the others the largest number goes first, and of equals the last.
    public var priority: Int

    /// A column.
    public init(_ title: String, _ alignment: Alignment = .automatic, priority: Int = 0) {
      self.title = title
      self.alignment = alignment
      self.priority = priority
    }
  }

  /// A table as printed.
  public struct Rendering: Sendable, Equatable {
    /// Heading and rows.
    public var lines: [String]
    /// The titles of the columns left out.
    public var dropped: [String]

    /// A sentence that says which columns were left out, nil if none.
    public var note: String? {
      guard !dropped.isEmpty else { return nil }
      return "columns left out at this width: \(dropped.joined(separator: ", ")) (--json has all)"
    }
  }

  /// The columns.
  public var columns: [Column]
  private var rows: [[String]] = []

  /// The texts, row by row.
  public var cells: [[String]] { rows }

  /// An empty table.
  public init(_ columns: [Column]) {
    self.columns = columns
  }

  /// The number of rows.
  public var rowCount: Int { rows.count }

  /// Adds a row; missing cells are empty, surplus ones are a mistake of the caller.
  public mutating func append(_ cells: [String]) {
    precondition(cells.count <= columns.count, "a row of \(cells.count) cells in \(columns.count) columns")
    rows.append(cells + [String](repeating: "", count: columns.count - cells.count))
  }

  /// The lines of the table.
  ///
  /// - Parameters:
  ///   - limit: The columns of the terminal; nil for no limit.
  ///   - style: Colours; the heading is dim. Cells may bring their own colour.
  ///   - glyphs: For the sign at the end of a text cut because even the undroppable columns are too wide.
  public func rendered(columns limit: Int? = nil, style: Style = .plain, glyphs: Glyphs = .ascii) -> Rendering
  {
    let widths = columns.indices.map { index in
      let cells = rows.map { displayWidth(printableCell($0[index])) }
      return max(displayWidth(columns[index].title), cells.max() ?? 0)
    }
    let kept = keptColumns(widths: widths, limit: limit)
    var lines: [String] = []
    for row in -1..<rows.count {
      let cells = kept.map { index in
        let text = row < 0 ? columns[index].title : printableCell(rows[row][index])
        return padded(text, to: widths[index], right: isRight(index))
      }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      if let limit { line = fitted(line, columns: limit, ellipsis: glyphs.ellipsis) }
      lines.append(row < 0 ? style.applied(.dim, to: line) : line)
    }
    let dropped = columns.indices.filter { !kept.contains($0) }.map { columns[$0].title }
    return Rendering(lines: lines, dropped: dropped)
  }

  /// The table in Markdown, all columns.
  public var markdown: String {
    func line(_ cells: [String]) -> String {
      let escaped = cells.map { printable($0).split(separator: "|", omittingEmptySubsequences: false) }
      return "| " + escaped.map { $0.joined(separator: "\\|") }.joined(separator: " | ") + " |"
    }
    let rule = "|" + columns.indices.map { isRight($0) ? "---:" : "---" }.joined(separator: "|") + "|"
    return ([line(columns.map(\.title)), rule] + rows.map(line)).joined(separator: "\n")
  }

  private func keptColumns(widths: [Int], limit: Int?) -> [Int] {
    var kept = Array(columns.indices)
    guard let limit else { return kept }
    func total() -> Int { kept.reduce(0) { $0 + widths[$1] } + 2 * max(0, kept.count - 1) }
    while total() > limit {
      let candidates = kept.filter { columns[$0].priority > 0 }
      guard let worst = candidates.map({ columns[$0].priority }).max(),
        let victim = candidates.last(where: { columns[$0].priority == worst })
      else { break }
      kept.removeAll { $0 == victim }
    }
    return kept
  }

  private func isRight(_ index: Int) -> Bool {
    switch columns[index].alignment {
    case .left: return false
    case .right: return true
    case .automatic:
      let cells = rows.map { $0[index] }.filter { !$0.isEmpty }
      return !cells.isEmpty && cells.allSatisfy(looksNumeric) && cells.contains { $0 != "-" }
    }
  }

  private func looksNumeric(_ cell: String) -> Bool {
    if cell == "-" || cell == "nan" || cell == "inf" || cell == "-inf" { return true }
    guard let first = cell.unicodeScalars.first(where: { !"+-~<>".unicodeScalars.contains($0) }) else {
      return false
    }
    return ("0"..."9").contains(first)
  }

  /// Cells keep colour sequences and lose everything else that moves the cursor.
  private func printableCell(_ cell: String) -> String {
    guard cell.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\u{1B}" }) else { return cell }
    return printable(cell)
  }
}
