import Kernels
import NumberFormats
import Testing

@testable import Engine

/// Laws of gradients that pass through a rounding.
@Suite(.serialized, .exclusiveDevices) struct RoundingGradientTests {
  private static let (rows, columns) = (6, 64)
  private static let x = CounterRandom(seed: 5, stream: "x").normals(rows * columns, deviation: 1)
  private static let dy = CounterRandom(seed: 5, stream: "dy").normals(rows * columns, deviation: 1)

  private func passed(_ format: BlockFormat, _ estimator: GradientEstimator) throws -> [Double] {
    let device = ReferenceDevice<Double>()
    let tape = Tape(on: device, isRecording: false)
    let inputs = [Self.x, Self.dy].map { Tensor($0, shape: [Self.rows, Self.columns], on: device) }
    let operation = RoundingGradient(QuantizationChoice(format), estimator)
    return device.values(tape.apply(operation, inputs)[0].memory)
  }

  /// A block's rounding with a scale that follows its largest magnitude grows with the block, so that
  /// `sum x dx = sum dy q(x)` (Euler), whatever the slope between neighbours is.
  @Test(arguments: [BlockFormat.fp8Tile.tiled(.alongRow(16)), .int4Group.tiled(.alongRow(32))])
  func theFullDerivativeIsThatOfAHomogeneousFunction(format: BlockFormat) throws {
    let gradient = try passed(format, .full)
    let rounded = format.quantize(Self.x, rows: Self.rows, columns: Self.columns).values
    let width = format.tile.columns ?? 1
    for first in stride(from: 0, to: Self.x.count, by: width) {
      let block = first..<first + width
      let left = block.reduce(0) { $0 + Double(Self.x[$1]) * gradient[$1] }
      let right = block.reduce(0) { $0 + Double(Self.dy[$1]) * Double(rounded[$1]) }
      #expect(abs(left - right) < 1e-5)
    }
  }

  @Test func numbersThatSaturateHaveNoGradient() throws {
    let format = BlockFormat.mxfp4
    let gradient = try passed(format, .clipped)
    let scales = format.scales(of: Self.x, rows: Self.rows, columns: Self.columns, tensor: nil)
    var saturated = 0
    for index in Self.x.indices {
      let isInside = Self.x[index].magnitude <= 6 * scales[index / 32].decode
      if !isInside { saturated += 1 }
      #expect(gradient[index] == (isInside ? Double(Self.dy[index]) : 0))
    }
    #expect(saturated > 0)
  }

  /// The differentiable estimator's curve rises from one value of the format to the next: its slope has the mean 1.
  @Test func slopesHaveTheMeanOfTheirCurve() throws {
    let device = ReferenceDevice<Double>()
    let count = 4000
    // From 2 to 3 under the scale 1, which 4 fixes.
    let x = (0..<count).map { 2 + (Float($0) + 0.5) / Float(count) } + [4]
    let format = BlockFormat.mxfp4.tiled(.wholeRow)
    let operation = RoundingGradient(QuantizationChoice(format), .differentiable)
    let tape = Tape(on: device, isRecording: false)
    let inputs = [x, [Float](repeating: 1, count: x.count)].map {
      Tensor($0, shape: [1, x.count], on: device)
    }
    let slopes = device.values(tape.apply(operation, inputs)[0].memory).dropLast()
    // Steeper than 3 it is held, which takes away what lies within 15^(-5/4) of the middle: 0.339 - 3 x 0.0339.
    let held = 0.508 - 3 * 0.0339
    #expect(abs(slopes.reduce(0, +) / Double(count) - (1 - held)) < 0.01)
    #expect(slopes.max() == 3 && slopes.min()! > 0.19)
  }

  @Test func layersPassTheirGradientsThroughTheEstimators() throws {
    for device in try TestDevices.all() {
      var formats = LinearFormats()
      try formats.set("fprop_input", to: "mxfp4 estimator=clipped")
      try formats.set("fprop_weight", to: "mxfp4 block=16 estimator=differentiable")
      func gradients(_ formats: LinearFormats) throws -> [[Float]] {
        let tape = Tape(on: device, isRecording: true)
        let x = tape.watch(Tensor(Self.x, shape: [Self.rows, Self.columns], on: device))
        let weight = CounterRandom(seed: 5, stream: "w").normals(16 * Self.columns, deviation: 1)
        let w = tape.watch(Tensor(weight, shape: [16, Self.columns], on: device))
        let rounding = LinearRounding(formats: formats, seed: 1)
        let y = tape.roundedLinear(x, weight: w, bias: nil, rounding, weightIsTransposed: false)
        let dy = Tensor(Array(Self.dy.prefix(Self.rows * 16)), shape: [Self.rows, 16], on: device)
        let found = tape.gradients(of: [y], with: [dy], for: [x, w])
        return try found.map { try $0?.floats(on: device) ?? [] }
      }
      let estimated = try gradients(formats)
      var plain = formats
      plain.fpropInput?.estimator = .straightThrough
      plain.fpropWeight?.estimator = .straightThrough
      let straight = try gradients(plain)
      let scales = BlockFormat.mxfp4.scales(of: Self.x, rows: Self.rows, columns: Self.columns, tensor: nil)
      for index in Self.x.indices {
        let isInside = Self.x[index].magnitude <= 6 * scales[index / 32].decode
        #expect(estimated[0][index] == (isInside ? straight[0][index] : 0))
      }
      let ratios = zip(estimated[1], straight[1]).map { $0 / $1 }
      #expect(ratios.allSatisfy { $0 >= 0 && $0 <= 3.001 } && Set(ratios).count > 100)
    }
  }
}
