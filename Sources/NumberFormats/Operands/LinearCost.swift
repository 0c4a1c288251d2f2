/// What the three products of a linear layer cost in low precision on hardware that has the formats.
///
/// With x [tokens, in], w [out, in] and dy [tokens, out]. The assumptions:
/// - x, w and dy lie in memory in BF16. Operands that are not rounded are multiplied in BF16, which is also what all is
///   compared with; results are written in BF16.
/// - A product reads each operand once, codes and scales.
/// - Making an operand is a pass of its own: it reads BF16 and writes codes and scales. A scale over the whole tensor
///   needs the tensor's maximum before, so it reads the tensor twice, unless the maximum is that of earlier steps.
/// - Per number: one operation for a block's maximum or mean magnitude (none where scales are learned), one for the
///   scaling (none without scales), one more for the tensor's maximum above block scales, one for the rounding, one more
///   for random bits, for a searched scale three for every candidate (scaling, rounding, squared error), and for a Hadamard
///   transform of n numbers log2 n additions and one change of sign (its factor goes into the scale).
/// - An estimator but the straight-through one is a pass over the operand and its gradient in BF16, three operations a
///   number.
/// - A tensor is rounded again for its second product, along the other axis, unless the codes are the same there: the
///   same format in tiles as high as wide (or one for the tensor), rounded to nearest without transform, or `forward`.
/// - A pass takes the longer of its operations and its bytes, a product the longer of its multiplications and its bytes.
public struct LinearCost: Sendable, Hashable {
  /// One of the six operands.
  public struct Operand: Sendable, Hashable {
    /// As in ``LinearFormats/operands``.
    public let name: String
    /// Numbers in it.
    public let count: Double
    /// Read by its product.
    public let bytes: Double
    /// Bits of an element, without scales.
    public let bits: Int
    /// Made by an earlier product or layer, or not rounded at all: nothing is computed for it.
    public let isReused: Bool
    public fileprivate(set) var maxima = 0.0
    public fileprivate(set) var scaling = 0.0
    public fileprivate(set) var rounding = 0.0
    public fileprivate(set) var randomBits = 0.0
    public fileprivate(set) var transform = 0.0
    public fileprivate(set) var search = 0.0
    /// Of the gradient that passes through the rounding.
    public fileprivate(set) var estimator = 0.0
    /// Read and written to make it.
    public fileprivate(set) var roundingBytes = 0.0

    public var operations: Double {
      maxima + scaling + rounding + randomBits + transform + search + estimator
    }
  }

  public let tokens: Int
  public let inputs: Int
  public let outputs: Int
  /// In the order of ``LinearFormats/operands``: two for each product.
  public let operands: [Operand]

  /// - Parameter sharesInput: Another layer has rounded x already, in both orientations (keys and values after queries).
  public init(
    tokens: Int, inputs: Int, outputs: Int, formats: LinearFormats, sharesInput: Bool = false,
  ) {
    (self.tokens, self.inputs, self.outputs) = (tokens, inputs, outputs)
    // The second use of a tensor: the format, and whether the codes of the first serve.
    func second(_ format: BackwardOperandFormat, after first: OperandFormat?) -> (OperandFormat?, Bool) {
      if format == .forward { return (first, true) }
      return (format.rounded, Self.isAlike(format.rounded, first))
    }
    let weight = second(formats.dgradWeight, after: formats.fpropWeight)
    let input = second(formats.wgradInput, after: formats.fpropInput)
    let cotangentIsAlike = Self.isAlike(formats.wgradCotangent, formats.dgradCotangent)
    operands = [
      Operand("fprop_input", formats.fpropInput, tokens, inputs, isReused: sharesInput),
      Operand("fprop_weight", formats.fpropWeight, outputs, inputs, isReused: false),
      Operand("dgrad_cotangent", formats.dgradCotangent, tokens, outputs, isReused: false),
      Operand("dgrad_weight", weight.0, inputs, outputs, isReused: weight.1),
      Operand("wgrad_cotangent", formats.wgradCotangent, outputs, tokens, isReused: cotangentIsAlike),
      Operand("wgrad_input", input.0, inputs, tokens, isReused: input.1 || sharesInput),
    ]
  }

  /// Whether the codes for one product are those for the other, transposed.
  private static func isAlike(_ a: OperandFormat?, _ b: OperandFormat?) -> Bool {
    guard let a, a == b else { return false }
    return a.block.tile.rows == a.block.tile.columns && !a.isStochastic && a.hadamard == nil
  }

  /// Summed over the three products.
  public func total(on balance: HardwareBalance = .recentAccelerator) -> RecipeCost {
    var cost = RecipeCost()
    let results = [tokens * outputs, tokens * inputs, outputs * inputs].map { 2 * Double($0) }
    let flops = 2 * Double(tokens) * Double(inputs) * Double(outputs)
    for (index, result) in results.enumerated() {
      let pair = operands[2 * index...2 * index + 1]
      let bytes = pair.map(\.bytes).reduce(0, +)
      let baseline = pair.map { 2 * $0.count }.reduce(0, +)
      let rate = HardwareBalance.rate(bits: pair.map(\.bits).max() ?? 16)
      cost.flops += flops
      cost.operandBytes += bytes
      cost.baselineBytes += baseline
      cost.time += max(flops / rate, (bytes + result) * balance.flopsPerByte)
      cost.baselineTime += max(flops, (baseline + result) * balance.flopsPerByte)
      for operand in pair {
        cost.operations += operand.operations
        cost.roundingBytes += operand.roundingBytes
        cost.time += max(
          operand.operations * balance.flopsPerOperation, operand.roundingBytes * balance.flopsPerByte)
      }
    }
    return cost
  }
}

extension LinearCost.Operand {
  fileprivate init(_ name: String, _ format: OperandFormat?, _ rows: Int, _ columns: Int, isReused: Bool) {
    let count = Double(rows) * Double(columns)
    guard let format else {
      self.init(name: name, count: count, bytes: 2 * count, bits: 16, isReused: true)
      return
    }
    let block = format.block
    let hasTensorScale = block.tensorTarget != nil
    let bytes =
      count * block.bitsPerElement(rows: rows, columns: columns) / 8 + (hasTensorScale ? 4 : 0)
    self.init(name: name, count: count, bytes: bytes, bits: block.element.bitCount, isReused: isReused)
    guard !isReused else { return }
    let hasScales = block.scaling != .none
    let isMeasured = hasScales && format.scaleSource != .learned
    let isWhole = isMeasured && block.tile == .wholeMatrix
    maxima = isMeasured ? count * (hasTensorScale ? 2 : 1) : 0
    scaling = hasScales ? count : 0
    rounding = count
    randomBits = format.isStochastic ? count : 0
    transform = format.hadamard.map { count * Double($0.trailingZeroBitCount + 1) } ?? 0
    search = block.isSearched ? 3 * count * Double(ScaleSearch.steps(for: block.scaling).count) : 0
    let readsTwice = format.maximum == .current && (isWhole || hasTensorScale)
    roundingBytes = 2 * count * (readsTwice ? 2 : 1) + bytes
    if format.estimator != .straightThrough {
      estimator = 3 * count
      roundingBytes += 6 * count
    }
  }

  private init(name: String, count: Double, bytes: Double, bits: Int, isReused: Bool) {
    (self.name, self.count, self.bytes) = (name, count, bytes)
    (self.bits, self.isReused) = (bits, isReused)
  }
}
