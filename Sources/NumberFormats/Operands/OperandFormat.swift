/// What an operand of a matrix product is rounded to before it is multiplied.
///
/// Written as the name of a block format or of an element format and what differs from it:
/// `mxfp4`, `nvfp4 block=16x16`, `fp4_e2m1 block=32 scale=ue5m3 rounding=stochastic hadamard=16`. Blocks are named as
/// rows x columns of a matrix whose rows run along the sum of the product, so that `32` and `1x32` are 32 terms of it.
public struct OperandFormat: Sendable, Hashable {
  public var block: BlockFormat
  /// What gives the blocks their scales.
  public var scaleSource = ScaleSource.magnitude
  /// Values go to one of their neighbours at random, by nearness; else to the nearer one.
  public var isStochastic: Bool
  /// Terms of the sum that are mixed by a randomized Hadamard transform first; nil for none.
  public var hadamard: Int?
  /// What a scale per tensor is made of.
  public var maximum: TensorMaximum
  /// How gradients pass through the rounding; of the forward product's operands.
  public var estimator: GradientEstimator

  public init(
    _ block: BlockFormat, isStochastic: Bool = false, hadamard: Int? = nil, maximum: TensorMaximum = .current,
    estimator: GradientEstimator = .straightThrough,
  ) {
    self.block = block
    self.maximum = maximum
    self.estimator = estimator
    self.isStochastic = isStochastic
    self.hadamard = hadamard
  }

  /// Why a text is no operand's format.
  public struct SyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    public let hint: String

    public init(_ description: String, hint: String) {
      self.description = description
      self.hint = hint
    }
  }

  /// Reads the written form; see ``OperandFormat``.
  public init(parsing text: String) throws(SyntaxError) {
    let words = text.split(separator: " ").map(String.init)
    guard let name = words.first else {
      throw SyntaxError("there is no format", hint: Self.formats)
    }
    if let block = FormatCatalogue.block(name) {
      self.init(block)
    } else if let element = FormatCatalogue.element(name) {
      self.init(
        BlockFormat(name: name, element: element, tile: .wholeMatrix, scaling: .float32(isPowerOfTwo: false)))
    } else {
      throw SyntaxError("there is no format '\(name)'", hint: Self.formats)
    }
    for word in words.dropFirst() { try apply(word) }
    try check(text)
  }

  private static var formats: String {
    let names =
      FormatCatalogue.blocks.map(\.name) + FormatCatalogue.floats.filter(\.isSigned).map(\.name)
      + FormatCatalogue.integers.map(\.name)
    return "known: " + names.joined(separator: ", ")
  }

  /// The words that may follow a format.
  public static let options = [
    "block", "scale", "rule", "tensor", "rounding", "hadamard", "scaling", "history", "margin", "refresh",
    "estimator",
  ]

  /// Changes one choice: `block=16`.
  public mutating func apply(_ word: String) throws(SyntaxError) {
    let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2 else {
      throw SyntaxError(
        "'\(word)' is no choice", hint: "choices: " + Self.options.map { $0 + "=..." }.joined(separator: " "))
    }
    switch parts[0] {
    case "block": block.tile = try Self.tile(parts[1])
    case "scale": try setScale(parts[1])
    case "rule": try setRule(parts[1])
    case "tensor": block.tensorTarget = try Self.target(parts[1])
    case "rounding": isStochastic = try Self.isStochastic(parts[1])
    case "hadamard": hadamard = try Self.hadamard(parts[1])
    case "scaling": try setScaling(parts[1])
    case "history": try setHistory(parts[1])
    case "margin": try setMargin(parts[1])
    case "refresh": try setRefresh(parts[1])
    case "estimator": try setEstimator(parts[1])
    default:
      throw SyntaxError(
        "there is no choice '\(parts[0])'", hint: "choices: " + Self.options.joined(separator: ", "))
    }
  }

  /// Refuses choices that do not go together.
  func check(_ text: String) throws(SyntaxError) {
    if block.tensorTarget != nil {
      guard case .float = block.scaling, block.tile != .wholeMatrix else {
        throw SyntaxError(
          "'\(text)' has a scale per tensor, which goes with blocks under scales of ue4m3 or ue5m3 only",
          hint: "tensor=none")
      }
    }
    try checkScaleSource(text)
    if block.scaling == .none, block.tile != .wholeMatrix {
      throw SyntaxError("'\(text)' has blocks, but no scales for them", hint: "block=tensor, or a scale=")
    }
    if block.isSearched, block.tile == .wholeMatrix || block.scaling == .none {
      throw SyntaxError(
        "'\(text)' searches scales, which goes with scales of blocks only", hint: "a block=, or another rule")
    }
    try checkMaximum(text)
    try checkEstimator(text)
    guard let hadamard else { return }
    guard block.tile.rows == 1, let length = block.tile.columns,
      length % hadamard == 0 || hadamard % length == 0
    else {
      throw SyntaxError(
        "'\(text)' has a Hadamard transform of \(hadamard), which goes with blocks of one row whose length divides it"
          + " or is a multiple of it", hint: "block=\(hadamard), or hadamard=none")
    }
  }
}

// MARK: As text

extension OperandFormat: CustomStringConvertible {
  /// Every choice, so that the text is read back as the same format whatever the catalogue's defaults become.
  public var description: String {
    var words = [block.element.name, "block=\(Self.text(of: block.tile))", "scale=\(scaleName)"]
    if block.isSearched {
      words.append("rule=search")
    } else if case .powerOfTwo(let rule) = block.scaling {
      words.append("rule=\(rule.rawValue)")
    }
    if let target = block.tensorTarget { words.append("tensor=\(target)") }
    words += maximumWords
    if isStochastic { words.append("rounding=stochastic") }
    if let hadamard { words.append("hadamard=\(hadamard)") }
    if estimator != .straightThrough { words.append("estimator=\(estimator.rawValue)") }
    return words.joined(separator: " ")
  }

  private var scaleName: String {
    if scaleSource != .magnitude { return scaleSource.rawValue }
    if case .float32(isPowerOfTwo: true) = block.scaling { return "fp32_pow2" }
    return block.scaling.name
  }

  private static func text(of tile: Tile) -> String {
    switch (tile.rows, tile.columns) {
    case (nil, nil): "tensor"
    case (1, nil): "row"
    case (let rows, let columns):
      "\(rows.map(String.init) ?? "all")x\(columns.map(String.init) ?? "all")"
    }
  }
}

// MARK: Choices

extension OperandFormat {
  private static func tile(_ text: String) throws(SyntaxError) -> Tile {
    switch text {
    case "tensor": return .wholeMatrix
    case "row": return .wholeRow
    default:
      let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
      let isPositive = sides.allSatisfy { ($0 ?? 0) > 0 && ($0 ?? 0) <= 1 << 20 }
      guard sides.count <= 2, isPositive, let last = sides.last, let columns = last else {
        throw SyntaxError("'\(text)' is no block", hint: "block=tensor, row, 32, 1x128 or 16x16")
      }
      return Tile(rows: sides.count == 2 ? sides[0] : 1, columns: columns)
    }
  }

  private static func scaling(_ text: String, like known: BlockScaling) throws(SyntaxError) -> BlockScaling {
    switch text {
    case "none": return .none
    case "fp32": return .float32(isPowerOfTwo: false)
    case "fp32_pow2": return .float32(isPowerOfTwo: true)
    case ExponentScale.name:
      if case .powerOfTwo = known { return known }
      return .powerOfTwo(.floor)
    default:
      guard let format = FormatCatalogue.float(text), !format.isSigned else {
        throw SyntaxError(
          "there is no scale '\(text)'",
          hint: "scale=none, fp32, fp32_pow2, \(ExponentScale.name), ue4m3, ue5m3, lsq or statsq")
      }
      return .float(format, zeroIsOne: format == .ue5M3)
    }
  }

  private mutating func setScale(_ text: String) throws(SyntaxError) {
    scaleSource = ScaleSource(rawValue: text) ?? .magnitude
    block.scaling =
      scaleSource == .magnitude
      ? try Self.scaling(text, like: block.scaling) : .float32(isPowerOfTwo: false)
  }

  /// How scales follow from the largest magnitude: by a rule for exponents, as they are (`maximum`), or by trial.
  private mutating func setRule(_ text: String) throws(SyntaxError) {
    if text == "search" {
      if case .powerOfTwo = block.scaling { block.scaling = .powerOfTwo(.floor) }
      block.isSearched = true
      return
    }
    guard let rule = ExponentRule(rawValue: text) else {
      guard text == "maximum" else {
        throw SyntaxError(
          "there is no rule '\(text)'",
          hint: "rule=" + ExponentRule.allCases.map(\.rawValue).joined(separator: ", ")
            + ", maximum or search")
      }
      if case .powerOfTwo = block.scaling {
        throw SyntaxError(
          "rule=maximum says too little of scales of \(block.scaling.name)",
          hint: "rule=" + ExponentRule.allCases.map(\.rawValue).joined(separator: ", ") + " or search")
      }
      block.isSearched = false
      return
    }
    guard case .powerOfTwo = block.scaling else {
      throw SyntaxError(
        "rule=\(text) has no effect: scales of \(block.scaling.name) follow the largest magnitude",
        hint: "put scale=\(ExponentScale.name) in front of it, or choose rule=maximum or search")
    }
    block.scaling = .powerOfTwo(rule)
    block.isSearched = false
  }

  private static func target(_ text: String) throws(SyntaxError) -> Float? {
    if text == "none" { return nil }
    guard let target = Float(text), target > 0, target.isFinite else {
      throw SyntaxError("'\(text)' is no scale for a tensor's largest block", hint: "tensor=448, or none")
    }
    return target
  }

  private static func isStochastic(_ text: String) throws(SyntaxError) -> Bool {
    switch text {
    case "nearest": return false
    case "stochastic": return true
    default: throw SyntaxError("there is no rounding '\(text)'", hint: "rounding=nearest or stochastic")
    }
  }

  private static func hadamard(_ text: String) throws(SyntaxError) -> Int? {
    if text == "none" { return nil }
    guard let size = Int(text), (16...128).contains(size), size & (size - 1) == 0 else {
      throw SyntaxError(
        "'\(text)' is no size of a Hadamard transform", hint: "hadamard=16, 32, 64, 128 or none")
    }
    return size
  }
}
