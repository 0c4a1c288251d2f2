public import Kernels

/// Cuts a matrix into column ranges: GPT-2's fused projection into queries, keys and values.
public struct SplitColumns: DifferentiableOperation {
  public static let name = "split_columns"
  public let widths: [Int]

  public init(widths: [Int]) { self.widths = widths }

  public var signature: String {
    let outputs = widths.enumerated().map { "y\($0.offset) [..., \($0.element)]" }
    return "x [..., \(widths.reduce(0, +))] > " + outputs.joined(separator: ", ")
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let columns = inputs[0].shape.last
    var first = 0
    for (part, width) in widths.enumerated() {
      for row in 0..<inputs[0].shape.rows {
        for column in 0..<width {
          outputs[part][row * width + column] = inputs[0][row * columns + first + column]
        }
      }
      first += width
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    var first = 0
    for (part, width) in widths.enumerated() {
      CopyColumns(from: first, to: 0, width: width).run(on: device, inputs[0], outputs[part])
      first += width
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    var first = 0
    for (part, width) in widths.enumerated() {
      try CopyColumns(from: first, to: 0, width: width).run(on: device, inputs[0], outputs[part])
      first += width
    }
  }

  public var activations: Set<Int> { Set(widths.indices) }

  public var saved: SavedTensors { SavedTensors() }

  public func backward(_ context: GradientContext) {
    let cotangents = widths.indices.map { context.cotangentOrZero($0) }
    context.add(context.tape.apply(JoinColumns(widths: widths), cotangents)[0], to: 0)
  }

  public static var samples: [Sample] {
    [
      Sample("1x3", SplitColumns(widths: [1, 2]), [.init([1, 3])]),
      Sample("5x24", SplitColumns(widths: [8, 3, 13]), [.init([5, 24])]),
      Sample("2x3x48", SplitColumns(widths: [16, 16, 16]), [.init([2, 3, 48])]),
    ]
  }
}

/// Puts matrices side by side; the transpose of ``SplitColumns``.
public struct JoinColumns: DifferentiableOperation {
  public static let name = "join_columns"
  public let widths: [Int]

  public init(widths: [Int]) { self.widths = widths }

  public var signature: String {
    let inputs = widths.enumerated().map { "x\($0.offset) [..., \($0.element)]" }
    return inputs.joined(separator: ", ") + " > y [..., \(widths.reduce(0, +))]"
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let columns = outputs[0].shape.last
    var first = 0
    for (part, width) in widths.enumerated() {
      for row in 0..<outputs[0].shape.rows {
        for column in 0..<width {
          outputs[0][row * columns + first + column] = inputs[part][row * width + column]
        }
      }
      first += width
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    var first = 0
    for (part, width) in widths.enumerated() {
      CopyColumns(from: 0, to: first, width: width).run(on: device, inputs[part], outputs[0])
      first += width
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    var first = 0
    for (part, width) in widths.enumerated() {
      try CopyColumns(from: 0, to: first, width: width).run(on: device, inputs[part], outputs[0])
      first += width
    }
  }

  public var saved: SavedTensors { SavedTensors() }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    let parts = context.tape.apply(SplitColumns(widths: widths), [cotangent])
    for (index, part) in parts.enumerated() { context.add(part, to: index) }
  }

  public static var samples: [Sample] {
    [
      Sample("1x3", JoinColumns(widths: [1, 2]), [.init([1, 1]), .init([1, 2])]),
      Sample("5x24", JoinColumns(widths: [8, 3, 13]), [.init([5, 8]), .init([5, 3]), .init([5, 13])]),
    ]
  }
}

/// Moves a range of columns between two matrices of the same number of rows.
struct CopyColumns {
  let source: Int
  let target: Int
  let width: Int

  init(from source: Int, to target: Int, width: Int) {
    self.source = source
    self.target = target
    self.width = width
  }

  func run(on device: HostDevice, _ x: Tensor, _ y: Tensor) {
    guard let from = HostArray<Float>(x.memory), let to = HostArray<Float>(y.memory) else { return }
    let (xColumns, yColumns) = (x.shape.last, y.shape.last)
    device.threads.forRanges(x.shape.rows, grain: max(1, 16_384 / max(1, width))) { range in
      for row in range {
        (to.pointer + row * yColumns + target).update(
          from: from.pointer + row * xColumns + source, count: width)
      }
    }
  }

  func run(on device: OpenCLDevice, _ x: Tensor, _ y: Tensor) throws {
    let kernel = try Self.kernel(on: device, accumulates: false)
    kernel(
      Buffer(x.memory), Buffer(y.memory), UInt32(width), UInt32(x.shape.last), UInt32(source),
      UInt32(y.shape.last), UInt32(target), over: .groups(x.shape.rows))
  }

  static func kernel(
    on device: OpenCLDevice, accumulates: Bool,
  ) throws -> Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt32> {
    let lanes = device.description.lanes(atMost: 128)
    return try device.kernel(
      "copy_columns", in: "columns", ["ACCUMULATE": accumulates ? "1" : "0", "LANES": "\(lanes)"])
  }
}
