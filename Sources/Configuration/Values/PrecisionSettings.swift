public import NumberFormats

/// How a number is stored in memory.
public enum StoredFormat: String, Sendable, CaseIterable {
  /// Single precision.
  case fp32
  /// The upper half of it.
  case bf16
}

/// What the products of linear layers are rounded to while training, and how numbers are stored.
public struct PrecisionSettings: Sendable, Equatable {
  /// A shipped recipe or a file that sets the others.
  public var recipe: String?
  /// x of `y = x w^T`.
  public var fpropInput = "none"
  /// w of `y = x w^T`.
  public var fpropWeight = "none"
  /// dy of `dx = dy w`.
  public var dgradCotangent = "none"
  /// w of `dx = dy w`.
  public var dgradWeight = "none"
  /// dy of `dw = dy^T x`.
  public var wgradCotangent = "none"
  /// x of `dw = dy^T x`.
  public var wgradInput = "none"
  /// How activations are kept between forward and backward.
  public var activations = StoredFormat.fp32
  /// How weights are stored.
  public var weights = StoredFormat.fp32
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
  /// Steps between measurements of what rounding does; 0 for none.
  public var measureEvery = 0
  /// Steps between reports of oscillating weights; 0 for none.
  public var oscillationEvery = 0
  /// Last steps in which only weights near a threshold move.
  public var annealSteps = 0
  /// How near, in steps between two levels.
  public var annealRadius = 0.005

  /// The defaults.
  public init() {}

  /// The operands' keys and texts.
  static let operands: [(name: String, field: any WritableKeyPath<PrecisionSettings, String> & Sendable)] = [
    ("fprop_input", \.fpropInput), ("fprop_weight", \.fpropWeight),
    ("dgrad_cotangent", \.dgradCotangent), ("dgrad_weight", \.dgradWeight),
    ("wgrad_cotangent", \.wgradCotangent),
    ("wgrad_input", \.wgradInput),
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
    var formats = LinearFormats()
    for (name, field) in Self.operands {
      try Self.reading("precision.\(name)") { () throws(OperandFormat.SyntaxError) in
        try formats.set(name, to: self[keyPath: field])
      }
    }
    for choice in choices {
      try Self.reading("precision.choices") { () throws(OperandFormat.SyntaxError) in
        try formats.apply(choice)
      }
    }
    try Self.reading("precision.choices") { () throws(OperandFormat.SyntaxError) in try formats.check() }
    return formats
  }

  private static func reading(_ key: String, _ body: () throws(OperandFormat.SyntaxError) -> Void) throws {
    do throws(OperandFormat.SyntaxError) {
      try body()
    } catch {
      throw Mistake(key: key, message: "\(key): \(error.description)", hint: error.hint)
    }
  }
}
