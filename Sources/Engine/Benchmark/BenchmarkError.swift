/// What can go wrong with a measurement itself.
public enum BenchmarkError: Error, CustomStringConvertible {
  /// A time that no device has.
  case impossibleReading(what: String, device: String, seconds: Double)
  /// A loss or a gradient that is no number: the time of such a step means nothing.
  case nonFinite(step: Int, device: String, place: String?)
  /// The first loss of random weights on random tokens is not what it must be.
  case wrongFirstLoss(Double, expected: ClosedRange<Double>, device: String)

  public var description: String {
    switch self {
    case .impossibleReading(let what, let device, let seconds):
      """
      an impossible reading on \(device): \(seconds) s for \(what)
        hint: the driver may skip work or report wrong times; nibble verify --device \(device) tells more
      """
    case .nonFinite(let step, let device, let place):
      """
      step \(step) on \(device) has a loss or a gradient that is not finite
        first non-finite result: \(place ?? "not found when the step was repeated")
        hint: nibble verify --device \(device) compares every operation with its reference
      """
    case .wrongFirstLoss(let loss, let expected, let device):
      """
      the first loss on \(device) is \(loss): something is computed wrongly
        expected of small random weights: \(expected.lowerBound) to \(expected.upperBound)
        hint: nibble verify --device \(device) compares every operation with its reference
      """
    }
  }
}
