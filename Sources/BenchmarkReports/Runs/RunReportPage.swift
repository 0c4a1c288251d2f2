import Terminal

extension RunReport {
  /// The report as one HTML file: pictures inside, nothing from elsewhere, for light and dark screens.
  ///
  /// - Parameter captions: Sentences at the end: when and with what the report was made.
  public func html(captions: [String]) -> String {
    let title = "Report of " + runs.map(\.name).joined(separator: ", ")
    let body =
      ["<h1>\(SVGText.escaped(title))</h1>"] + findings + worstTable
      + pictures.map { "<figure>\n\($0.svg)</figure>" }
      + [paragraph(rule.text)] + captions.map(paragraph)
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(SVGText.escaped(title))</title>
      <style>
      :root { color-scheme: light dark; --text: #1d2129; --dim: #555c68; --line: #d4d8df; --page: #ffffff; }
      @media (prefers-color-scheme: dark) {
      :root { --text: #e6e9ef; --dim: #a4abb8; --line: #363c47; --page: #14171c; }
      }
      body { max-width: 1040px; margin: 24px auto; padding: 0 16px; color: var(--text); background: var(--page);
        font: 14px/1.5 system-ui, "DejaVu Sans", sans-serif; }
      h1 { font-size: 22px; } h2 { font-size: 17px; margin-top: 28px; }
      figure { margin: 20px 0; overflow-x: auto; } figure svg { display: block; width: 100%; min-width: 720px; height: auto; }
      table { border-collapse: collapse; } th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line);
        text-align: right; font-variant-numeric: tabular-nums; }
      th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
      .dim { color: var(--dim); font-size: 13px; }
      </style>
      </head>
      <body>
      \(body.joined(separator: "\n"))
      </body>
      </html>

      """
  }

  private func paragraph(_ text: String) -> String { "<p class=\"dim\">\(SVGText.escaped(text))</p>" }

  private var findings: [String] {
    let items = zip(runs, departures).map { run, departures in
      let found = departures.map { "<li>\(SVGText.escaped($0.text))</li>" }
      let list = found.isEmpty ? "<br>nothing left its usual band" : "<ul>\(found.joined())</ul>"
      return "<li>\(SVGText.escaped(summary(run)))\(list)</li>"
    }
    return ["<ul>"] + items + partings.map { "<li>\(SVGText.escaped($0.text))</li>" } + ["</ul>"]
  }

  private var worstTable: [String] {
    guard let (title, operands) = worst else { return [] }
    let table = Self.table(operands, limit: 10)
    func row(_ cells: [String], _ tag: String) -> String {
      "<tr>" + cells.map { "<\(tag)>\(SVGText.escaped($0))</\(tag)>" }.joined() + "</tr>"
    }
    return ["<h2>\(SVGText.escaped(title.prefix(1).uppercased() + title.dropFirst()))</h2>", "<table>"]
      + [row(table.columns.map(\.title), "th")] + table.cells.map { row($0, "td") } + ["</table>"]
  }
}
