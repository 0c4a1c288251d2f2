import Kernels

/// The small operations of linear-attention layers that can be timed.
public enum LayerPart: String, Sendable, Hashable, CaseIterable {
  /// Four taps and a SiLU over [batch, time, channels].
  case convolution = "causal_conv1d"
  case l2Normalization = "l2_normalize"
  case gatedNorm = "gated_rms_norm"
  /// Softmax over every head, a feature map.
  case softmax
  /// Hedgehog's features of a projection, as softmaxes of it and of its negative.
  case hedgehog
}

/// One of them at a size: `heads * width` channels.
public struct LayerPartProblem: Sendable, Hashable {
  public var part: LayerPart
  public var isBackward: Bool
  public var batch: Int
  public var time: Int
  public var heads: Int
  public var width: Int

  public init(_ part: LayerPart, isBackward: Bool, batch: Int, time: Int, heads: Int, width: Int) {
    self.part = part
    self.isBackward = isBackward
    self.batch = batch
    self.time = time
    self.heads = heads
    self.width = width
  }

  private var channels: Int { heads * width }
  private var rows: Sample.Input { .init([batch, time, heads, width]) }
  private var statistics: Sample.Input { .init([batch, time, heads], .float32, .uniform(0.5...2)) }
  private var features: Sample.Input { .init([batch, time, heads, 2 * width]) }
  private var hedgehog: HedgehogFeatures { HedgehogFeatures(.softmaxHalves, width: width) }
  private var convolution: CausalConvolution { CausalConvolution(width: 4, activation: .silu) }

  var operation: any Operation {
    let norm = GatedRMSNorm(order: .normThenGate, epsilon: 1e-5)
    switch (part, isBackward) {
    case (.convolution, false): return convolution
    case (.convolution, true):
      return CausalConvolutionGradient(
        of: convolution, sequences: batch, time: time, hasFinalCotangent: false)
    case (.l2Normalization, false): return L2Normalization()
    case (.l2Normalization, true): return L2NormalizationGradient(of: L2Normalization())
    case (.gatedNorm, false): return norm
    case (.gatedNorm, true): return GatedRMSNormGradient(of: norm, x: rows.type.shape)
    case (.softmax, false): return Softmax()
    case (.softmax, true): return SoftmaxGradient()
    case (.hedgehog, false): return hedgehog
    case (.hedgehog, true): return HedgehogFeaturesGradient(of: hedgehog)
    }
  }

  var inputs: [Sample.Input] {
    let sequence = Sample.Input([batch, time, channels])
    switch (part, isBackward) {
    case (.convolution, false): return [sequence, .init([channels, 4])]
    case (.convolution, true): return [sequence, .init([channels, 4]), sequence]
    case (.l2Normalization, false): return [rows]
    case (.l2Normalization, true): return [rows, statistics, rows]
    case (.gatedNorm, false): return [rows, rows, .init([width])]
    case (.gatedNorm, true): return [rows, rows, .init([width]), statistics, rows]
    case (.softmax, false), (.hedgehog, false): return [rows]
    case (.softmax, true): return [rows, rows]
    case (.hedgehog, true): return [rows, features, features]
    }
  }

  /// The large operands and results, whose product of lengths may be too large for a number.
  var tensors: [Shape] {
    let count =
      switch (part, isBackward) {
      case (.convolution, false), (.l2Normalization, false), (.softmax, false): 2
      case (.convolution, true), (.l2Normalization, true), (.gatedNorm, false), (.softmax, true): 3
      // Features are twice as wide.
      case (.hedgehog, false): 3
      case (.gatedNorm, true): 5
      case (.hedgehog, true): 6
      }
    return [Shape](repeating: [batch, time, heads, width], count: count)
  }

  /// What the reference computes: whole sequences of some channels, or whole rows.
  var check: BenchmarkCheck {
    guard part == .convolution else { return BenchmarkCheck(rowParts) }
    let channels = BenchmarkChoice("channels").numbers(3, of: 0..<channels)
    return BenchmarkCheck(channels.map { channelPart($0) })
  }

  private func channelPart(_ channel: Int) -> BenchmarkCheck.Part {
    let sequence = channel % batch
    let elements = (0..<time).map { (sequence * time + $0) * channels + channel }
    let taps = (0..<4).map { channel * 4 + $0 }
    let column = BenchmarkCheck.Operand([1, time, 1], elements)
    let operands = [column, .init([1, 4], taps)] + (isBackward ? [column] : [])
    var results = [BenchmarkCheck.Result(0, ofWhole: elements)]
    var small: any Operation = convolution
    if isBackward {
      let gradient = CausalConvolutionGradient(
        of: convolution, sequences: 1, time: time, hasFinalCotangent: false)
      let sums = (0..<gradient.blocks).flatMap { block in
        taps.map { (sequence * gradient.blocks + block) * channels * 4 + $0 }
      }
      results.append(.init(1, ofWhole: sums))
      small = gradient
    }
    return BenchmarkCheck.Part(operation: small, inputs: operands, results: results)
  }

  private var rowParts: [BenchmarkCheck.Part] {
    guard let gradient = operation as? GatedRMSNormGradient else {
      let chosen = BenchmarkChoice("rows").numbers(12, of: 0..<batch * time * heads)
      return [rowPart(operation, chosen, sums: [])]
    }
    // Sums over rows are made per block: whole blocks are compared.
    return BenchmarkChoice("blocks").numbers(2, of: 0..<gradient.blocks).map { block in
      let first = block * gradient.blockRows
      let chosen = Array(first..<min(batch * time * heads, first + gradient.blockRows))
      let small = GatedRMSNormGradient(of: gradient.forward, x: [chosen.count, width])
      return rowPart(small, chosen, sums: Array(block * width..<(block + 1) * width))
    }
  }

  private func rowPart(_ operation: any Operation, _ rows: [Int], sums: [Int]) -> BenchmarkCheck.Part {
    func elements(_ width: Int) -> [Int] { rows.flatMap { row in (0..<width).map { row * width + $0 } } }
    let operands = inputs.map { input -> BenchmarkCheck.Operand in
      let shape = input.type.shape
      switch shape.rank {
      case 4: return .init([rows.count, shape.last], elements(shape.last))
      case 3: return .init([rows.count], rows)
      default: return .init([width])
      }
    }
    let whole = elements(width)
    let results: [BenchmarkCheck.Result]
    switch (part, isBackward) {
    case (.hedgehog, false): results = [.init(0, ofWhole: elements(2 * width))]
    case (.gatedNorm, true):
      results = [.init(0, ofWhole: whole), .init(1, ofWhole: whole), .init(2, ofWhole: sums)]
    case (.softmax, false), (_, true): results = [.init(0, ofWhole: whole)]
    case (_, false): results = [.init(0, ofWhole: whole), .init(1, ofWhole: rows)]
    }
    return BenchmarkCheck.Part(operation: operation, inputs: operands, results: results)
  }
}

extension KernelBenchmark {
  /// A small operation of linear-attention layers, or the pass that makes its gradients.
  ///
  /// The sums of the parameters' gradients per block of rows are part of the bytes, their addition is not.
  public static func layerPart(_ problem: LayerPartProblem) -> KernelBenchmark {
    let parameters: [BenchmarkRow.Parameter] = [
      .init("batch", "\(problem.batch)"), .init("time", "\(problem.time)"),
      .init("heads", "\(problem.heads)"), .init("width", "\(problem.width)"),
    ]
    let name = problem.part.rawValue + (problem.isBackward ? "_backward" : "")
    return KernelBenchmark(name, parameters, tensors: problem.tensors) { device in
      try PreparedBenchmark(
        OperationProblem(problem.operation, problem.inputs, check: problem.check), on: device)
    }
  }
}
