extension OperandFormat {
  /// Steps that delayed scaling remembers unless the text says otherwise.
  static let usualHistory = 1024

  /// The words for ``maximum``; empty for that of the tensor itself.
  var maximumWords: [String] {
    switch maximum {
    case .current: []
    case .delayed(let history, let margin): ["scaling=delayed", "history=\(history)", "margin=\(margin)"]
    case .refreshed(let steps): ["refresh=\(steps)"]
    }
  }

  mutating func setScaling(_ text: String) throws(SyntaxError) {
    switch text {
    case "current": maximum = .current
    case "delayed":
      if case .delayed = maximum { return }
      maximum = .delayed(history: Self.usualHistory, margin: 0)
    default: throw SyntaxError("there is no scaling '\(text)'", hint: "scaling=current or delayed")
    }
  }

  mutating func setHistory(_ text: String) throws(SyntaxError) {
    guard case .delayed(_, let margin) = maximum else { throw Self.needsDelayed("history=\(text)") }
    maximum = .delayed(
      history: try Self.number(text, in: 1...1 << 20, "steps", "history=1024"), margin: margin)
  }

  mutating func setMargin(_ text: String) throws(SyntaxError) {
    guard case .delayed(let history, _) = maximum else { throw Self.needsDelayed("margin=\(text)") }
    maximum = .delayed(
      history: history, margin: try Self.number(text, in: -64...64, "powers of two", "margin=0"))
  }

  mutating func setRefresh(_ text: String) throws(SyntaxError) {
    if case .delayed = maximum {
      throw SyntaxError(
        "refresh=\(text) has no effect: delayed scaling looks at every step",
        hint: "scaling=current in front of it, or leave it out")
    }
    maximum =
      text == "none"
      ? .current
      : .refreshed(steps: try Self.number(text, in: 1...1 << 30, "steps", "refresh=50, or none"))
  }

  /// Refuses remembered magnitudes where no scale depends on the tensor's.
  func checkMaximum(_ text: String) throws(SyntaxError) {
    guard maximum != .current, !block.hasTensorScale else { return }
    throw SyntaxError(
      "'\(text)' remembers the tensor's largest magnitude, but no scale is made of it",
      hint: "block=tensor, a tensor=, or leave out scaling= and refresh=")
  }

  private static func needsDelayed(_ word: String) -> SyntaxError {
    SyntaxError("\(word) has no effect without delayed scaling", hint: "put scaling=delayed in front of it")
  }

  private static func number(
    _ text: String, in range: ClosedRange<Int>, _ what: String, _ hint: String,
  ) throws(SyntaxError) -> Int {
    guard let number = Int(text), range.contains(number) else {
      throw SyntaxError(
        "'\(text)' is no number of \(what)", hint: "\(hint); \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }
}
