public import NumberFormats

/// What the products of linear layers are rounded to while training.
public struct PrecisionSettings: Sendable, Equatable {
  /// A shipped recipe or a file that sets the others.
  public var recipe: String?
  /// x of `y = x w^T`.
  public var forwardInput = "none"
  /// w of `y = x w^T`.
  public var forwardWeight = "none"
  /// dy of `dx = dy w`.
  public var inputGradientCotangent = "none"
  /// w of `dx = dy w`.
  public var inputGradientWeight = "none"
  /// dy of `dw = dy^T x`.
  public var weightGradientCotangent = "none"
  /// x of `dw = dy^T x`.
  public var weightGradientInput = "none"
  /// Choices that are made for every rounded operand, or for one.
  public var choices: [String] = []
  /// Parts of names of layers that stay in single precision.
  public var exclude: [String] = []
  /// First layers in single precision.
  public var fullFirst = 0
  /// Last layers in single precision.
  public var fullLast = 0
  /// Share of the steps, the last ones, in single precision.
  public var fullSteps = 0.0

  /// The defaults.
  public init() {}

  /// The operands' keys and texts.
  static let operands: [(name: String, field: any WritableKeyPath<PrecisionSettings, String> & Sendable)] = [
    ("forward_input", \.forwardInput), ("forward_weight", \.forwardWeight),
    ("input_gradient_cotangent", \.inputGradientCotangent), ("input_gradient_weight", \.inputGradientWeight),
    ("weight_gradient_cotangent", \.weightGradientCotangent), ("weight_gradient_input", \.weightGradientInput),
  ]

  /// What is wrong with one key.
  struct Mistake: Error {
    let key: String
    let message: String
    let hint: String
  }

  /// The operands' formats with ``choices`` applied.
  ///
  /// A configuration that was resolved has no mistakes.
  public func formats() throws -> LinearFormats {
    var operands: [String: OperandFormat] = [:]
    for (name, field) in Self.operands where self[keyPath: field] != "none" {
      operands[name] = try Self.reading("precision.\(name)") { () throws(OperandFormat.SyntaxError) in
        try OperandFormat(parsing: self[keyPath: field])
      }
    }
    for choice in choices {
      try Self.apply(choice, to: &operands)
    }
    var formats = LinearFormats()
    formats.input = operands["forward_input"]
    formats.weight = operands["forward_weight"]
    formats.inputGradientCotangent = operands["input_gradient_cotangent"]
    formats.inputGradientWeight = operands["input_gradient_weight"]
    formats.weightGradientCotangent = operands["weight_gradient_cotangent"]
    formats.weightGradientInput = operands["weight_gradient_input"]
    return formats
  }

  /// `block=16` for every rounded operand, `forward_weight.block=16x16` for one.
  private static func apply(_ choice: String, to operands: inout [String: OperandFormat]) throws {
    let key = "precision.choices"
    let names = Self.operands.map(\.name)
    let parts = choice.prefix { $0 != "=" }.split(separator: ".", maxSplits: 1).map(String.init)
    var word = choice
    var chosen = names
    if parts.count == 2 {
      guard names.contains(parts[0]) else {
        throw Mistake(key: key, message: "there is no operand '\(parts[0])'", hint: "known: \(names.joined(separator: ", "))")
      }
      chosen = [parts[0]]
      word = String(choice.dropFirst(parts[0].count + 1))
    }
    let rounded = chosen.filter { operands[$0] != nil }
    guard !rounded.isEmpty else {
      throw Mistake(
        key: key, message: "'\(choice)' has no effect: \(parts.count == 2 ? parts[0] : "no operand") is rounded",
        hint: "choose a precision.recipe, or the formats of operands")
    }
    for name in rounded {
      try reading(key) { () throws(OperandFormat.SyntaxError) in try operands[name]?.apply(word) }
    }
  }

  private static func reading<Result>(
    _ key: String, _ body: () throws(OperandFormat.SyntaxError) -> Result,
  ) throws -> Result {
    do throws(OperandFormat.SyntaxError) {
      return try body()
    } catch {
      throw Mistake(key: key, message: "\(key): \(error.description)", hint: error.hint)
    }
  }
}
