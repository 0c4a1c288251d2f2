extension Codebook {
  /// The signed 8-bit dynamic map: seven decades, each with twice the values of the one below (Dettmers et al., "8-bit
  /// Optimizers via Block-wise Quantization", 2022).
  public static let dynamicMap = Codebook(name: "dynamic", values: dynamicValues)

  private static let dynamicValues: [Float] = {
    var values: [Double] = [0, 1]
    for decade in 0..<7 {
      let count = 1 << decade
      let scale = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1][decade]
      for place in 0..<count {
        let fraction = 0.1 + 0.9 * (Double(place) + 0.5) / Double(count)
        values += [scale * fraction, -scale * fraction]
      }
    }
    return values.sorted().map { Float($0) }
  }()
}
