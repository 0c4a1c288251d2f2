/// A table of values between -1 and 1; a number is stored as the place of the nearest one.
public struct Codebook: Sendable, Hashable {
  public let name: String
  /// By code.
  public let values: [Float]
  /// Codes in rising order of their values.
  private let sorted: [UInt8]
  /// Twice the middles between neighbours in that order, exact.
  private let middles: [Double]

  /// - Parameter values: At most 256, each a different code's.
  public init(name: String, values: [Float]) {
    precondition(!values.isEmpty && values.count <= 256)
    self.name = name
    self.values = values
    // Codes of equal values, 0 and -0, keep their order.
    let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
    sorted = order.map { UInt8($0) }
    middles = zip(order, order.dropFirst()).map { Double(values[$0]) + Double(values[$1]) }
  }

  /// The code of the nearest value; on the middle between two that of the smaller one.
  public func encode(_ value: Float) -> UInt8 {
    var (low, high) = (0, middles.count)
    while low < high {
      let middle = (low + high) / 2
      if 2 * Double(value) > middles[middle] { low = middle + 1 } else { high = middle }
    }
    return sorted[low]
  }

  public func decode(_ code: UInt8) -> Float { values[Int(code)] }
}
