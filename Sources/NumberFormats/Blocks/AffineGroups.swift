/// Groups of integers with a scale and a zero point: `value = (code - zero) * scale`.
public struct AffineGroups: Sendable {
  /// The range that a group's codes span.
  public enum Span: String, Sendable, Hashable, CaseIterable {
    /// From the smallest to the largest number, stretched to contain zero (GPTQ, compressed-tensors).
    case zeroIncluded = "zero_included"
    /// From the smallest to the largest; of numbers with one sign the far end may saturate (AWQ).
    case minimumToMaximum = "minmax"
  }

  public let bits: Int
  public let rows: Int
  public let columns: Int
  public let groupSize: Int
  /// [rows, columns], `0..<2^bits`.
  public let codes: [UInt8]
  /// [rows, groups].
  public let scales: [Float]
  public let zeros: [Float]

  /// - Parameters:
  ///   - values: [rows, columns], row-major, finite.
  ///   - bits: 2...8.
  ///   - groupSize: Neighbours in a row that share scale and zero; nil for whole rows.
  public init(_ values: [Float], rows: Int, columns: Int, bits: Int, groupSize: Int?, span: Span) {
    precondition(values.count == rows * columns && (2...8).contains(bits))
    self.bits = bits
    self.rows = rows
    self.columns = columns
    self.groupSize = groupSize ?? max(1, columns)
    var codes: [UInt8] = []
    var (scales, zeros): ([Float], [Float]) = ([], [])
    for row in 0..<rows {
      for start in stride(from: 0, to: columns, by: self.groupSize) {
        let end = min(columns, start + self.groupSize)
        let group = values[row * columns + start..<row * columns + end]
        let (scale, zero) = Self.parameters(group, bits: bits, span: span)
        scales.append(scale)
        zeros.append(zero)
        codes += group.map {
          UInt8(min(max(($0 / scale).rounded(.toNearestOrEven) + zero, 0), Float(1 << bits - 1)))
        }
      }
    }
    self.codes = codes
    self.scales = scales
    self.zeros = zeros
  }

  private static func parameters(_ group: ArraySlice<Float>, bits: Int, span: Span) -> (Float, Float) {
    let steps = Float(1 << bits - 1)
    let (smallest, largest) = (group.min() ?? 0, group.max() ?? 0)
    switch span {
    case .zeroIncluded:
      var (low, high) = (min(smallest, 0), max(largest, 0))
      if low == 0, high == 0 { (low, high) = (-1, 1) }
      let scale = (high - low) / steps
      return (scale, (-low / scale).rounded(.toNearestOrEven))
    case .minimumToMaximum:
      let scale = max((largest - smallest) / steps, 1e-5)
      return (scale, min(max(-(smallest / scale).rounded(.toNearestOrEven), 0), steps))
    }
  }

  public var values: [Float] {
    let groups = (columns + groupSize - 1) / groupSize
    return codes.indices.map { index in
      let group = index / columns * groups + index % columns / groupSize
      return (Float(codes[index]) - zeros[group]) * scales[group]
    }
  }
}
