/// A Hadamard transform of a size that is no power of two: `y = x (base kron H) / sqrt(n)`, with a Hadamard matrix of
/// another order, such as 12 or 20, in front of Sylvester's of a power of two.
public struct KroneckerHadamard: Sendable, Hashable {
  public let size: Int
  private let base: [Float]
  private let order: Int

  /// - Parameters:
  ///   - base: [order, order], row-major, of 1 and -1.
  ///   - size: `order` times a power of two.
  public init(base: [Float], size: Int) {
    let order = Int(Double(base.count).squareRoot())
    precondition(order * order == base.count && size % order == 0 && (size / order).nonzeroBitCount == 1)
    (self.base, self.order, self.size) = (base, order, size)
  }

  /// - Parameter x: ``size`` numbers.
  public func callAsFunction(_ x: [Float]) -> [Float] {
    let width = size / order
    let sylvester = HadamardTransform(size: width, signs: [Float](repeating: 1, count: width))
    let parts = (0..<order).map { part in
      var block = Array(x[part * width..<(part + 1) * width])
      sylvester.apply(to: &block)
      return block
    }
    let scale = 1 / Float(order).squareRoot()
    return (0..<order).flatMap { column in
      (0..<width).map { index in
        scale * (0..<order).reduce(Float(0)) { $0 + base[$1 * order + column] * parts[$1][index] }
      }
    }
  }
}
