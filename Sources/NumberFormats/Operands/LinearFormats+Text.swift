extension LinearFormats {
  /// The operands' names in configurations and checkpoints.
  public static let operands = [
    "fprop_input", "fprop_weight", "dgrad_cotangent", "dgrad_weight",
    "wgrad_cotangent", "wgrad_input",
  ]

  /// Those of the forward product.
  static let forwardOperands = ["fprop_input", "fprop_weight"]

  /// Every operand with its format: `none`, `forward`, or as ``OperandFormat`` is written.
  public var texts: [(operand: String, text: String)] {
    Self.operands.map { ($0, text(of: $0)) }
  }

  private func text(of operand: String) -> String {
    switch operand {
    case "dgrad_weight": Self.text(of: dgradWeight)
    case "wgrad_input": Self.text(of: wgradInput)
    default: Self.fields[operand].flatMap { self[keyPath: $0] }?.description ?? "none"
    }
  }

  private static func text(of format: BackwardOperandFormat) -> String {
    switch format {
    case .full: "none"
    case .forward: "forward"
    case .rounded(let format): format.description
    }
  }

  private static let fields: [String: any WritableKeyPath<LinearFormats, OperandFormat?> & Sendable] = [
    "fprop_input": \.fpropInput, "fprop_weight": \.fpropWeight,
    "dgrad_cotangent": \.dgradCotangent,
    "wgrad_cotangent": \.wgradCotangent,
  ]

  /// Reads one operand's format.
  ///
  /// - Precondition: `operand` is one of ``operands``.
  public mutating func set(_ operand: String, to text: String) throws(OperandFormat.SyntaxError) {
    if let field = Self.fields[operand] {
      guard text != "forward" else {
        throw .init("'forward' is for w of dx and x of dw", hint: "none, or a format")
      }
      self[keyPath: field] = text == "none" ? nil : try OperandFormat(parsing: text)
      return
    }
    let format: BackwardOperandFormat
    switch text {
    case "none": format = .full
    case "forward": format = .forward
    default: format = .rounded(try OperandFormat(parsing: text))
    }
    if operand == "dgrad_weight" {
      dgradWeight = format
    } else {
      wgradInput = format
    }
  }

  /// Applies a choice to every rounded operand, or to one: `block=16`, `fprop_weight.block=16x16`.
  public mutating func apply(_ choice: String) throws(OperandFormat.SyntaxError) {
    let parts = choice.prefix { $0 != "=" }.split(separator: ".", maxSplits: 1).map(String.init)
    let isOne = parts.count == 2
    guard !isOne || Self.operands.contains(parts[0]) else {
      throw .init(
        "there is no operand '\(parts[0])'", hint: "known: \(Self.operands.joined(separator: ", "))")
    }
    let word = isOne ? String(choice.dropFirst(parts[0].count + 1)) : choice
    // Only what the forward rounds has a gradient to estimate.
    let all = word.hasPrefix("estimator=") ? Self.forwardOperands : Self.operands
    let chosen = (isOne ? [parts[0]] : all).filter { !["none", "forward"].contains(text(of: $0)) }
    guard !chosen.isEmpty else {
      throw .init(
        "'\(choice)' has no effect: \(isOne ? "\(parts[0]) is not" : "no operand is") rounded",
        hint: "choose a recipe, or the formats of operands")
    }
    for operand in chosen { try change(operand, word) }
  }

  private mutating func change(_ operand: String, _ word: String) throws(OperandFormat.SyntaxError) {
    if let field = Self.fields[operand] {
      try self[keyPath: field]?.apply(word)
    } else if operand == "dgrad_weight", case .rounded(var format) = dgradWeight {
      try format.apply(word)
      dgradWeight = .rounded(format)
    } else if case .rounded(var format) = wgradInput {
      try format.apply(word)
      wgradInput = .rounded(format)
    }
  }

  /// Refuses choices of one operand that do not go together.
  public func check() throws(OperandFormat.SyntaxError) {
    for (operand, text) in texts where text != "none" && text != "forward" {
      guard let format = rounded(operand) else { continue }
      try format.check("\(operand): \(text)")
      guard format.estimator == .straightThrough || Self.forwardOperands.contains(operand) else {
        throw .init(
          "\(operand): \(text): an estimator has no effect on operands of gradients",
          hint: "it goes with \(Self.forwardOperands.joined(separator: " and "))")
      }
    }
    try checkScaleSources()
  }

  private func rounded(_ operand: String) -> OperandFormat? {
    switch operand {
    case "dgrad_weight": dgradWeight.rounded
    case "wgrad_input": wgradInput.rounded
    default: Self.fields[operand].flatMap { self[keyPath: $0] }
    }
  }
}
