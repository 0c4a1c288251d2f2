import CHost
public import Kernels

/// Hedgehog's features: exponentials of a projection and of its negative, side by side.
///
/// Four incompatible spellings are in use; a checkpoint must say which. Inputs: y [..., width]. Outputs:
/// z [..., 2 width].
///
/// - SeeAlso: Zhang et al., "The Hedgehog & the Porcupine: Expressive Linear Attentions with Softmax Mimicry", 2024.
public struct HedgehogFeatures: DifferentiableOperation {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// `[exp(y), exp(-y)]` (the paper).
    case exp
    /// `[exp(y - max y), exp(min y - y)]`; the gradient of an extreme is shared by equal values.
    case expShifted = "exp_shifted"
    /// `[softmax(y), softmax(-y)]`, each value held above 1e-12 (the authors' later code).
    case softmaxHalves = "softmax_halves"
    /// `softmax([2 y, -2 y])` (flash-linear-attention).
    case softmaxJoint = "softmax_joint"

    var number: nibble_hedgehog {
      switch self {
      case .exp: NIBBLE_EXP_PLAIN
      case .expShifted: NIBBLE_EXP_SHIFTED
      case .softmaxHalves: NIBBLE_SOFTMAX_HALVES
      case .softmaxJoint: NIBBLE_SOFTMAX_JOINT
      }
    }
  }

  /// The least value of ``Kind/softmaxHalves``.
  static let floor = 1e-12

  public static let name = "hedgehog_features"
  public let kind: Kind
  public let width: Int

  /// - Parameter width: Length of the last axis of y.
  public init(_ kind: Kind, width: Int) {
    self.kind = kind
    self.width = width
  }

  public var signature: String { "y [..., \(width)] > z [..., \(2 * width)]" }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard width > 0 else {
      throw ShapeError(operation: Self.name, expected: signature, problem: "features of \(width) values")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let steepness: Scalar = kind == .softmaxJoint ? 2 : 1
    for row in 0..<inputs[0].shape.rows {
      let y = inputs[0].values[row * width..<(row + 1) * width].map { $0 * steepness }
      var (top, bottom): (Scalar, Scalar) = (0, 0)
      if kind != .exp { (top, bottom) = (y.max() ?? 0, -(y.min() ?? 0)) }
      if kind == .softmaxJoint { (top, bottom) = (max(top, bottom), max(top, bottom)) }
      var (up, down) = (y.map { Scalar.exp($0 - top) }, y.map { Scalar.exp(-$0 - bottom) })
      if kind == .softmaxJoint || kind == .softmaxHalves {
        let sums = (up.reduce(0, +), down.reduce(0, +))
        let (sum, negative) = kind == .softmaxJoint ? (sums.0 + sums.1, sums.0 + sums.1) : sums
        let least: Scalar = kind == .softmaxHalves ? Scalar(Self.floor) : 0
        (up, down) = (up.map { max($0 / sum, least) }, down.map { max($0 / negative, least) })
      }
      for column in 0..<width {
        outputs[0][row * 2 * width + column] = up[column]
        outputs[0][row * 2 * width + width + column] = down[column]
      }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let y = HostArray<Float>(inputs[0].memory), let z = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let (width, kind) = (width, kind)
    device.threads.forRanges(inputs[0].shape.rows, grain: max(1, 16_384 / width)) { range in
      let start = range.lowerBound * width
      nibble_hedgehog_forward(y.pointer + start, z.pointer + 2 * start, kind.number, range.count, width)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let launch = RowLaunch(inputs[0].shape, on: device)
    guard launch.rows > 0 else { return }
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32> =
      try device.kernel("hedgehog", in: "hedgehog", definitions(launch))
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt32(launch.rows), UInt32(launch.dim),
      UInt32(launch.block), over: launch.geometry)
  }

  func definitions(_ launch: RowLaunch) -> [String: String] {
    launch.definitions.merging(["KIND": "\(kind.number.rawValue)"]) { first, _ in first }
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(
      flops: 8 * Double(inputs[0].shape.count), bytes: Double(inputs[0].byteCount + outputs[0].byteCount))
  }

  public var saved: SavedTensors { SavedTensors(inputs: [0], outputs: [0]) }

  public func backward(_ context: GradientContext) {
    guard let dz = context.cotangent(0) else { return }
    let gradient = HedgehogFeaturesGradient(of: self)
    context.add(context.tape.apply(gradient, [context.input(0), context.output(0), dz])[0], to: 0)
  }

  public static var samples: [Sample] {
    Kind.allCases.flatMap { kind in
      [(1, 1), (3, 7), (17, 16), (5, 64), (2, 307)].map { rows, width in
        Sample(
          "\(kind.rawValue) \(rows)x\(width)", HedgehogFeatures(kind, width: width), [.init([rows, width])])
      }
    } + [
      Sample(
        "softmax_halves held", HedgehogFeatures(.softmaxHalves, width: 4),
        [.init([1, 4], .float32, .values([50, 1, -40, 2]))])
    ]
  }
}

extension Tape {
  /// Hedgehog's learnable feature map: a projection of each head, then ``HedgehogFeatures``.
  ///
  /// - Parameters:
  ///   - x: [batch, time, heads, dim].
  ///   - weight: [heads, dim, width]; the identity at the start of training.
  ///   - bias: [heads, width].
  /// - Returns: [batch, time, heads, 2 width].
  public func hedgehogFeatureMap(
    _ x: Tensor, weight: Tensor, bias: Tensor? = nil, kind: HedgehogFeatures.Kind,
  ) -> Tensor {
    let (batch, time, heads, dim) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let (tokens, width) = (batch * time, weight.shape.last)
    let grouped = apply(SwapAxes(), [x.reshaped(to: [1, tokens, heads, dim])])[0]
    let products = matmul(grouped.reshaped(to: [heads, tokens, dim]), weight)
    var y = apply(SwapAxes(), [products.reshaped(to: [1, heads, tokens, width])])[0]
    if let bias {
      y = add(y.reshaped(to: [tokens, heads * width]), bias: bias.reshaped(to: [heads * width]))
    }
    let features = HedgehogFeatures(kind, width: width)
    return apply(features, [y.reshaped(to: [batch, time, heads, width])])[0]
  }
}
