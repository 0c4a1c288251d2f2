/// A matrix in a block format.
public struct QuantizedMatrix: Sendable {
  public let rows: Int
  public let columns: Int
  /// One per element, row-major, not packed.
  public var codes: [UInt32]
  /// One per tile, row-major: decoded, without the tensor's scale.
  public var scales: [Float]
  public let tensorScale: TensorScale?
  /// What the codes stand for.
  public var values: [Float]

  public init(
    rows: Int, columns: Int, codes: [UInt32], scales: [Float], tensorScale: TensorScale?, values: [Float],
  ) {
    self.rows = rows
    self.columns = columns
    self.codes = codes
    self.scales = scales
    self.tensorScale = tensorScale
    self.values = values
  }
}

extension BlockFormat {
  /// Quantizes a matrix.
  ///
  /// Products and scales are rounded as Floats, one operation at a time; values that would be subnormal before the scale
  /// is put back become zero. A block with a number that is not finite becomes NaN.
  ///
  /// - Parameters:
  ///   - values: [rows, columns], row-major.
  ///   - rounding: Called with each element's number.
  ///   - largest: The tensor's largest magnitude where it is not that of `values`.
  public func quantize(
    _ values: [Float], rows: Int, columns: Int, largest: Float? = nil,
    rounding: (Int) -> Rounding = { _ in .nearestEven },
  ) -> QuantizedMatrix {
    precondition(values.count == rows * columns, "\(values.count) values for \(rows) x \(columns)")
    let tensor = tensorTarget == nil ? nil : tensorScale(largest: largest ?? values.largestMagnitude)
    let scales = scales(of: values, rows: rows, columns: columns, tensor: tensor, largest: largest)
    var result = QuantizedMatrix(
      rows: rows, columns: columns, codes: [UInt32](repeating: 0, count: values.count),
      scales: scales.map(\.stored), tensorScale: tensor, values: values)
    let size = tile.size(rows: rows, columns: columns)
    let across = tile.grid(rows: rows, columns: columns).columns
    for index in values.indices {
      let scale = scales[index / columns / size.rows * across + index % columns / size.columns]
      (result.codes[index], result.values[index]) = quantize(values[index], scale, rounding(index))
    }
    return result
  }

  /// The scales of all tiles, row-major.
  ///
  /// - Parameters:
  ///   - tensor: What ``tensorScale(largest:)`` gave.
  ///   - largest: The tensor's largest magnitude where it is not that of `values`.
  public func scales(
    of values: [Float], rows: Int, columns: Int, tensor: TensorScale?, largest: Float? = nil,
  ) -> [BlockScale] {
    let size = tile.size(rows: rows, columns: columns)
    let grid = tile.grid(rows: rows, columns: columns)
    // One tile with a remembered magnitude is delayed scaling.
    let given = tensorTarget == nil && tile == .wholeMatrix ? largest : nil
    var scales: [BlockScale] = []
    for tileRow in 0..<grid.rows {
      for tileColumn in 0..<grid.columns {
        let rowRange = tileRow * size.rows..<min(rows, (tileRow + 1) * size.rows)
        let columnRange = tileColumn * size.columns..<min(columns, (tileColumn + 1) * size.columns)
        let block = rowRange.lazy.flatMap { row in columnRange.lazy.map { values[row * columns + $0] } }
        let magnitude = given?.bitPattern ?? block.reduce(0) { max($0, $1.bitPattern & 0x7FFF_FFFF) }
        guard isSearched else {
          scales.append(scale(of: magnitude, tensor: tensor))
          continue
        }
        let search = ScaleSearch(self, magnitude: magnitude, count: size.rows * size.columns)
        scales.append(search.scale(of: Array(block), tensor: tensor))
      }
    }
    return scales
  }

  /// One number's code and what it stands for.
  func quantize(_ x: Float, _ scale: BlockScale, _ rounding: Rounding) -> (code: UInt32, value: Float) {
    var value = x
    if scaling == .none, value.isSubnormal { value = Float(sign: value.sign, exponent: 0, significand: 0) }
    // NaN says nothing about codes: they are 0.
    let scaled = value * scale.encode
    let code = scaled.isNaN ? 0 : element.encode(scaled, rounding)
    var rounded = element.decode(code)
    if rounded.magnitude < .leastNormalMagnitude { rounded = 0 }
    // The sign of zero is kept, of integers as well: only codes tell them apart.
    rounded = Float(sign: value.sign, exponent: 0, significand: rounded.magnitude)
    let isBroken = scaling == .none && !value.isFinite
    return (code, isBroken ? .nan : rounded * scale.decode)
  }

  /// What stored codes stand for.
  public func decode(_ matrix: QuantizedMatrix) -> [Float] {
    let size = tile.size(rows: matrix.rows, columns: matrix.columns)
    let across = tile.grid(rows: matrix.rows, columns: matrix.columns).columns
    return matrix.codes.indices.map { index in
      let (row, column) = (index / matrix.columns, index % matrix.columns)
      var stored = matrix.scales[row / size.rows * across + column / size.columns]
      if case .float(_, zeroIsOne: true) = scaling, stored == 0 { stored = 1 }
      let scale = matrix.tensorScale.map { stored * $0.decode } ?? stored
      return element.decode(matrix.codes[index]) * scale
    }
  }
}

extension [Float] {
  /// The largest magnitude; NaN wherever there is one, 0 of nothing.
  public var largestMagnitude: Float {
    Float(bitPattern: reduce(0) { Swift.max($0, $1.bitPattern & 0x7FFF_FFFF) })
  }
}
