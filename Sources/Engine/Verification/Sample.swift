public import Kernels

/// One case of an operation: its attributes, its inputs, and how they are filled.
public struct Sample: Sendable {
  public enum Fill: Sendable, Hashable {
    case normal(deviation: Double)
    case uniform(ClosedRange<Double>)
    /// Whole numbers, for ids, labels and masks.
    case integers(Range<Int>)
    case values([Float])
  }

  public struct Input: Sendable {
    public let type: TensorType
    public let fill: Fill

    public init(_ shape: Shape, _ element: ElementType = .float32, _ fill: Fill = .normal(deviation: 1)) {
      type = TensorType(shape, element)
      self.fill = fill
    }
  }

  /// What distinguishes the case, for example `causal t65 d64`.
  public let label: String
  public let operation: any Operation
  public let inputs: [Input]
  /// What outputs hold before an accumulating operation runs.
  public let initialOutput: Fill?
  /// Inputs whose gradient is checked; nil checks every float input.
  public let gradients: Set<Int>?
  /// Outputs that have a gradient; nil for all.
  public let differentiableOutputs: Set<Int>?
  /// How many times more than usual a device may lose: above 1 where the fused form cancels and the definition does
  /// not, with the reason beside it.
  public let slack: Double

  public init(
    _ label: String, _ operation: any Operation, _ inputs: [Input], initialOutput: Fill? = nil,
    gradients: Set<Int>? = nil, differentiableOutputs: Set<Int>? = nil, slack: Double = 1,
  ) {
    self.label = label
    self.operation = operation
    self.inputs = inputs
    self.initialOutput = initialOutput
    self.gradients = gradients
    self.differentiableOutputs = differentiableOutputs
    self.slack = slack
  }

  /// Whether a cotangent is given to output `index`.
  func isDifferentiable(output index: Int) -> Bool { differentiableOutputs?.contains(index) ?? true }

  /// The values of input `index`, the same in every run.
  public func values(of index: Int) -> [Float] {
    let input = inputs[index]
    return Self.values(input.fill, count: input.type.shape.count, seed: "\(label) input \(index)")
  }

  static func values(_ fill: Fill, count: Int, seed: String) -> [Float] {
    let random = CounterRandom(seed: 7, stream: seed)
    switch fill {
    case .normal(let deviation): return random.normals(count, deviation: deviation)
    case .uniform(let range):
      return (0..<count).map {
        Float(range.lowerBound + (range.upperBound - range.lowerBound) * random.uniform(UInt64($0)))
      }
    case .integers(let range):
      return (0..<count).map { Float(range.lowerBound + random.integer(UInt64($0), below: range.count)) }
    case .values(let values): return values
    }
  }
}
