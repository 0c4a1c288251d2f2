public import Kernels
public import NumberFormats

/// A gradient on its way through a rounding to a block format: `dx = dy slope(x)`, by an estimator of the slope
/// (``GradientEstimator``).
///
/// ``GradientEstimator/full`` adds the derivative of the block's scale, taken as inverse to the block's largest magnitude:
/// numbers that have it share the sum of `dy (q(x) - slope(x) x) / x` over the block, q(x) as it was rounded. A tensor's scale
/// above those of blocks counts as a constant.
///
/// Inputs: x and dy [rows, columns]; largest [1], where the choice needs it. Outputs: dx [rows, columns].
public struct RoundingGradient: Operation {
  public static let name = "rounding_gradient"
  public let choice: QuantizationChoice
  public let estimator: GradientEstimator

  /// - Precondition: The estimator is not straight-through, which needs no operation.
  public init(_ choice: QuantizationChoice, _ estimator: GradientEstimator) {
    precondition(estimator != .straightThrough)
    self.choice = choice
    self.estimator = estimator
  }

  public var signature: String {
    "x [rows, columns], dy [rows, columns]\(choice.needsLargest ? ", largest [1]" : "") > dx [rows, columns]"
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    let shape = inputs[0].shape
    var problem = choice.problem(rows: shape[0], columns: shape[1])
    if choice.format.scaling == .none { problem = "without scales nothing is within a format" }
    if choice.rotation != nil { problem = "gradients do not pass through a transform here" }
    if estimator == .full, choice.format.tile == .wholeMatrix {
      problem = "only scales of blocks are differentiated"
    }
    if let problem { throw ShapeError(operation: Self.name, expected: signature, problem: problem) }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (rows, columns) = (inputs[0].shape[0], inputs[0].shape[1])
    let (x, format) = (inputs[0].values.map { Float($0) }, choice.format)
    let largest = choice.needsLargest ? Float(inputs[2][0]) : nil
    let tensor = largest.flatMap { format.tensorScale(largest: $0) }
    let scales = format.scales(of: x, rows: rows, columns: columns, tensor: tensor, largest: largest)
    let size = format.tile.size(rows: rows, columns: columns)
    let across = format.tile.grid(rows: rows, columns: columns).columns
    let blocks = x.indices.map { $0 / columns / size.rows * across + $0 % columns / size.columns }
    for index in x.indices {
      let slope: Scalar = slope(at: x[index] * scales[blocks[index]].encode)
      outputs[0][index] = inputs[1][index] * slope
    }
    guard estimator == .full else { return }
    let rounded = QuantizationReference(
      choice, largest.map { [inputs[0], .init([1], [Scalar($0)])] } ?? [inputs[0]])
    for block in scales.indices {
      let members = x.indices.filter { blocks[$0] == block }
      let top = members.map { x[$0].magnitude }.max() ?? 0
      guard top >= .leastNormalMagnitude else { continue }
      let sum = members.reduce(Scalar(0)) { sum, index in
        let slope: Scalar = slope(at: x[index] * scales[block].encode)
        let error = Scalar(rounded.matrix.values[index]) - slope * inputs[0][index]
        return sum + inputs[1][index] * error
      }
      let holders = members.filter { x[$0].magnitude == top }
      for index in holders { outputs[0][index] += sum / Scalar(holders.count) / inputs[0][index] }
    }
  }

  /// - Parameter scaled: An element times its scale.
  private func slope<Scalar: ReferenceScalar>(at scaled: Float) -> Scalar {
    let element = choice.format.element
    let end = scaled < 0 ? element.ends.negative : element.ends.positive
    // Products are rounded: what lies up to four units in the last place above the largest value does not saturate.
    guard scaled.magnitude.bitPattern <= end.bitPattern + 4 else { return 0 }
    if estimator == .clipped { return 1 }
    let grid = element.grid
    let exponent = max(scaled.magnitude.bitPattern >> 23, grid.lowestExponent)
    let quanta = scaled.magnitude * Float(bitPattern: (254 + grid.mantissaBits - exponent) << 23)
    let place = quanta - quanta.rounded(.down)
    let distance = Scalar((2 * place - 1).magnitude)
    let root = Scalar(GradientEstimator.root)
    guard distance > 0 else { return Scalar(GradientEstimator.largestSlope) }
    let slope = Scalar.exp((1 / root - 1) * Scalar.log(distance)) / root
    return min(slope, Scalar(GradientEstimator.largestSlope))
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    RoundingGradientLaunch(self, inputs).run(on: device, outputs[0])
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try RoundingGradientLaunch(self, inputs).run(on: device, outputs[0])
  }

  public static var samples: [Sample] {
    let formats: [(BlockFormat, Int, Int)] = [
      (.mxfp4, 3, 133), (.mxfp4.scaled(.powerOfTwo(.rceil)).tiled(.alongColumn(32)), 70, 37),
      (.nvfp4, 5, 96), (.nvfp4.tiled(Tile(rows: 16, columns: 16)), 33, 50), (.nvfp4.searched, 4, 64),
      (.int4Group, 3, 160), (.int8Row, 4, 77), (.fp8Tile.tiled(.wholeColumn), 40, 21), (.mxint8, 2, 64),
    ]
    let blocks = formats.flatMap { format, rows, columns in
      GradientEstimator.allCases.dropFirst().map { estimator in
        sample(RoundingGradient(QuantizationChoice(format), estimator), rows, columns)
      }
    }
    let random = QuantizationChoice(.mxfp4, randomness: RoundingBits(seed: 6))
    return blocks + [
      sample(RoundingGradient(random, .full), 9, 70),
      sample(RoundingGradient(QuantizationChoice(.fp8Tensor), .clipped), 7, 33),
      sample(RoundingGradient(QuantizationChoice(.fp8Tensor), .differentiable), 7, 33),
    ]
  }

  private static func sample(_ operation: RoundingGradient, _ rows: Int, _ columns: Int) -> Sample {
    let (choice, estimator) = (operation.choice, operation.estimator)
    var inputs: [Sample.Input] = [.init([rows, columns]), .init([rows, columns])]
    if choice.needsLargest { inputs.append(.init([1], .float32, .values([2.7]))) }
    let random = choice.randomness == nil ? "" : " stochastic"
    return Sample(
      "\(choice.format.name) \(choice.format.tile)\(choice.format.isSearched ? " search" : "")\(random)"
        + " \(estimator.rawValue)", operation, inputs)
  }
}
