extension Codebook {
  /// The unsigned 8-bit dynamic map: as ``dynamicMap`` without negative values and twice as fine.
  public static let unsignedDynamicMap = Codebook(
    name: "unsigned_dynamic", values: dynamicMagnitudes(perDecade: 2))

  /// Zero, the middles of `perDecade * 2^i` equal parts of the i-th of seven decades below 1, and 1.
  static func dynamicMagnitudes(perDecade: Int) -> [Float] {
    var values: [Double] = [0]
    for decade in 0..<7 {
      let count = perDecade << decade
      let scale = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1][decade]
      values += (0..<count).map { scale * (0.1 + 0.9 * (Double($0) + 0.5) / Double(count)) }
    }
    return (values + [1]).map { Float($0) }
  }
}
