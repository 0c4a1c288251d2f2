import NumberFormats

/// The 8-bit dynamic map of an optimizer's state, as kernels look it up.
///
/// A level is a magnitude's place among the map's: codes with a sign are 127 plus or minus it, those without are levels.
struct DynamicMap: Sendable, Hashable {
  /// First moments have a sign, second moments none.
  let isSigned: Bool

  /// By code.
  var values: [Float] {
    isSigned ? Codebook.dynamicMap.values : Codebook.unsignedDynamicMap.values
  }

  /// By level, rising from 0 to 1.
  var magnitudes: [Float] { isSigned ? Array(values[127...]) : values }

  /// The largest number that has a level, by level; nothing is above the last.
  ///
  /// A share is on the middle between two levels only where that is a float: it gets the lower one.
  var thresholds: [Float] {
    zip(magnitudes, magnitudes.dropFirst()).map { low, high in
      let middle = (Double(low) + Double(high)) / 2
      let nearest = Float(middle)
      return Double(nearest) > middle ? nearest.nextDown : nearest
    }
  }

  /// Upper halves of floats from 2^-23, below which is level 0, to 1.
  static let firstStep: UInt32 = 0x3400
  static let stepCount = 0x3F80 - Int(firstStep) + 1

  /// For every upper half the level at its lower end, and the threshold above that: 2 where there is none.
  var steps: (levels: [Int32], thresholds: [Float]) {
    let thresholds = thresholds + [2, 2]
    var (level, steps) = (0, (levels: [Int32](), thresholds: [Float]()))
    for step in 0..<Self.stepCount {
      let start = (Self.firstStep + UInt32(step)) << 16
      while thresholds[level] < Float(bitPattern: start) { level += 1 }
      precondition(
        thresholds[level + 1].bitPattern >> 16 > start >> 16, "two thresholds within an upper half")
      steps.levels.append(Int32(level))
      steps.thresholds.append(thresholds[level])
    }
    return steps
  }

  /// The element of largest magnitude, of both signs the positive one: codes have 1, but not -1.
  ///
  /// 0 where it is too small to divide by, NaN where it is too large.
  func scale(of values: [Float]) -> Float {
    let positive = values.filter { $0.sign == .plus }.map(\.bitPattern).max() ?? 0
    let negative = values.filter { $0.sign == .minus }.map { $0.bitPattern & 0x7FFF_FFFF }.max() ?? 0
    let largest = max(positive, negative)
    switch largest >> 23 {
    case 0: return 0
    case 253...: return .nan
    default:
      let magnitude = Float(bitPattern: largest)
      return isSigned && negative > positive ? -magnitude : magnitude
    }
  }

  /// The codes of a block by the map's definition.
  func codes(of values: [Float], scale: Float, _ thresholds: [Float]) -> [UInt8] {
    let factor = scale == 0 || scale.isNaN ? 0 : 1 / scale.magnitude
    return values.map { value in
      let product = value.magnitude * factor
      let share = product < 1 ? product : 1
      let level = thresholds.firstIndex { share <= $0 } ?? thresholds.count
      guard isSigned else { return UInt8(value.magnitude > 0 && factor != 0 ? max(level, 1) : 0) }
      let isBelow = (value.sign == .minus) != (scale.sign == .minus && !scale.isNaN)
      return UInt8(isBelow ? 127 - min(level, 127) : 127 + level)
    }
  }
}
