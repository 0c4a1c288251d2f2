import Glibc
import Kernels
import Testing

@testable import Engine

@Suite(.serialized, .exclusiveDevices) struct ActivationTests {
  private static let names = DeviceCatalog.list().map(\.name)
  /// Far outside, where single precision overflows inside careless formulas, at the limits of exp, and near zero.
  private static let points: [Float] = [
    -1e4, -1000, -104, -89, -88, -20, -1, -1e-6, -1e-30, 0, 1e-30, 1e-6, 1, 20, 88, 89, 104, 1000, 1e4,
  ]

  /// Value and slope from the definitions, in double precision.
  private func definition(_ activation: Activation, _ x: Double) -> (value: Double, slope: Double) {
    func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    switch activation {
    case .sigmoid: return (logistic(x), logistic(x) * logistic(-x))
    case .silu: return (x * logistic(x), logistic(x) + x * logistic(x) * logistic(-x))
    case .relu: return (max(x, 0), x > 0 ? 1 : 0)
    case .reluSquared: return (max(x, 0) * max(x, 0), 2 * max(x, 0))
    case .gelu:
      let below = 0.5 * erfc(-x / 2.0.squareRoot())
      return (x * below, below + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
    case .geluTanh:
      let root = (2 / Double.pi).squareRoot()
      let inner = 2 * root * (x + 0.044715 * x * x * x)
      let innerSlope = 2 * root * (1 + 3 * 0.044715 * x * x)
      return (x * logistic(inner), logistic(inner) + x * logistic(inner) * logistic(-inner) * innerSlope)
    }
  }

  private func evaluate(
    _ activation: Activation, _ points: [Float], on device: any OperationDevice,
  ) throws -> (values: [Float], slopes: [Float]) {
    let tape = Tape(on: device, isRecording: true)
    let x = tape.watch(Tensor(points, shape: [points.count], on: device))
    let y = tape.activation(activation, x)
    let ones = Tensor([Float](repeating: 1, count: points.count), shape: x.shape, on: device)
    let slopes = try #require(tape.gradients(of: [y], with: [ones], for: [x])[0])
    return (try y.floats(on: device), try slopes.floats(on: device))
  }

  @Test(arguments: names, Activation.allCases)
  func extremeInputsGiveTheLimits(name: String, activation: Activation) throws {
    let device = try DeviceCatalog.openForOperations(name)
    let found = try evaluate(activation, Self.points, on: device)
    for (index, x) in Self.points.enumerated() {
      let expected = definition(activation, Double(x))
      let (value, slope) = (Double(found.values[index]), Double(found.slopes[index]))
      // Below 1e-27 single precision and the bounded exponential may give another vanishing number.
      #expect(abs(value - expected.value) <= 3e-6 * abs(expected.value) + 1e-27, "value at \(x): \(value)")
      // Slopes of the ends that vanish are sums of large terms that cancel: relative to 1.
      let kink = x == 0 && (activation == .relu || activation == .reluSquared)
      if !kink {
        #expect(abs(slope - expected.slope) <= 3e-6 * max(1, abs(expected.slope)), "slope at \(x): \(slope)")
      }
    }
  }

  @Test(arguments: names, Activation.allCases)
  func notANumberStaysNotANumber(name: String, activation: Activation) throws {
    let device = try DeviceCatalog.openForOperations(name)
    // A whole vector and a tail, so that both paths meet it; the neighbours are untouched.
    let points = (0..<13).map { $0 % 3 == 1 ? Float.nan : 2 }
    let found = try evaluate(activation, points, on: device)
    for (index, x) in points.enumerated() {
      #expect(found.values[index].isNaN == x.isNaN, "element \(index)")
    }
    #expect(found.slopes.enumerated().allSatisfy { points[$0.offset].isNaN || $0.element.isFinite })
  }

  @Test func namesAreThoseOfConfigurations() {
    #expect(
      Activation.allCases.map(\.rawValue) == ["silu", "sigmoid", "relu", "relu_squared", "gelu", "gelu_tanh"])
  }
}
