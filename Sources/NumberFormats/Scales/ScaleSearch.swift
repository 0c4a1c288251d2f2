/// The scale of a block by trial: of some neighbours of the scale that its largest magnitude gives, the one with the least
/// squared error.
///
/// Values are rounded to nearest while scales are tried. Errors are added up as whole numbers, relative to the power of two
/// below the largest magnitude, so that the order does not matter and every device finds the same scale; among equals the
/// first candidate wins, which is the largest magnitude's own.
public struct ScaleSearch: Sendable, Hashable {
  /// Candidates as steps from the scale of the largest magnitude.
  ///
  /// Powers of two: steps of the exponent. Small floats: of the scale's code. Floats: eighths of the scale.
  public static func steps(for scaling: BlockScaling) -> [Int] {
    switch scaling {
    case .none: [0]
    case .powerOfTwo, .float32(isPowerOfTwo: true): [0, 1, -1]
    case .float32(isPowerOfTwo: false), .float: [0, -1, 1, -2, 2, 3, 4, 5]
    }
  }

  /// How many binary digits of an error count, behind the power of two below the largest magnitude: so many that the sum of
  /// `count` squares stays below 2^31.
  public static func fractionBits(count: Int) -> UInt32 {
    let length = Int.bitWidth - max(0, count - 1).leadingZeroBitCount
    return UInt32(max(1, (28 - length) / 2))
  }

  /// Blocks whose largest magnitude is below 2^-63 are not searched: errors there are subnormal on some devices.
  static let smallestSearched: UInt32 = 64 << 23

  private let format: BlockFormat
  private let magnitude: UInt32
  private let fraction: UInt32

  /// - Parameters:
  ///   - magnitude: The bits of the block's largest magnitude.
  ///   - count: Elements of a whole tile.
  init(_ format: BlockFormat, magnitude: UInt32, count: Int) {
    self.format = format
    self.magnitude = magnitude
    fraction = Self.fractionBits(count: count)
  }

  /// The best scale of a block.
  func scale(of values: [Float], tensor: TensorScale?) -> BlockScale {
    let first = format.scale(of: magnitude, tensor: tensor)
    guard magnitude >= Self.smallestSearched, first.decode.isFinite else { return first }
    var best = (scale: first, error: error(of: values, first))
    for step in Self.steps(for: format.scaling).dropFirst() {
      let scale = format.scale(of: magnitude, tensor: tensor, step: step)
      let found = error(of: values, scale)
      if found < best.error { best = (scale, found) }
    }
    return best.scale
  }

  /// The sum of squared errors in units of `2^(2 (exponent - fraction))`.
  private func error(of values: [Float], _ scale: BlockScale) -> Int32 {
    let unit = Float(bitPattern: min(254 + fraction - magnitude >> 23, 254) << 23)
    let limit = Float(UInt32(2) << fraction)
    return values.reduce(0) { sum, value in
      let rounded = format.quantize(value, scale, .nearestEven).value
      let error = Int32(min((value - rounded).magnitude * unit, limit) + 0.5)
      return sum &+ error &* error
    }
  }
}
