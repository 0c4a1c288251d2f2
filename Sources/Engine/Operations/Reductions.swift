import CHost
public import Kernels

/// Sum over rows: [rows, columns] to [columns].
///
/// The gradient of a bias or gain.
public struct SumRows: DifferentiableOperation, AccumulatingOperation {
  public static let name = "sum_rows"
  public var accumulates = false

  public init(accumulates: Bool = false) { self.accumulates = accumulates }

  public var signature: String { "x [rows, columns] > y [columns]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let columns = inputs[0].shape[1]
    for column in 0..<columns {
      var sum: Scalar = 0
      for row in 0..<inputs[0].shape[0] { sum += inputs[0][row * columns + column] }
      outputs[0][column] = accumulates ? outputs[0][column] + sum : sum
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let (rows, columns) = (inputs[0].shape[0], inputs[0].shape[1])
    device.threads.forRanges(columns, grain: max(16, columns / 8)) { range in
      if !accumulates { (y.pointer + range.lowerBound).update(repeating: 0, count: range.count) }
      nibble_add_all_rows(
        x.pointer + range.lowerBound, y.pointer + range.lowerBound, rows, columns, range.count)
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (rows, columns) = (inputs[0].shape[0], inputs[0].shape[1])
    let splits = Self.splits(rows: rows, on: device.description)
    guard splits > 1 else {
      return try enqueue(on: device, inputs[0].memory, outputs[0].memory, rows: rows, columns: columns)
    }
    let share = (rows + splits - 1) / splits
    let partial = device.allocate(splits * columns, of: .float32)
    try SumRows().enqueue(
      on: device, inputs[0].memory, partial, rows: rows, columns: columns, share: share, splits: splits)
    try enqueue(on: device, partial, outputs[0].memory, rows: splits, columns: columns)
  }

  /// Parts of the rows that are summed side by side: few columns alone do not fill a graphics processor.
  private static func splits(rows: Int, on device: DeviceDescription) -> Int {
    guard device.kernelStyle == .graphics, rows >= 512 else { return 1 }
    let share = max(128, (rows + 63) / 64)
    return (rows + share - 1) / share
  }

  /// - Parameters:
  ///   - share: Rows of one sum; all by default.
  ///   - splits: Sums per column, one row of the output each.
  private func enqueue(
    on device: OpenCLDevice, _ x: Memory, _ y: Memory, rows: Int, columns: Int, share: Int? = nil,
    splits: Int = 1,
  ) throws {
    let lanes = device.description.lanes(atMost: 256)
    let kernel: Kernel<Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32> = try device.kernel(
      "sum_rows", in: "reduce", ["ACCUMULATE": accumulates ? "1" : "0", "LANES": "\(lanes)"])
    let across = lanes == 1 ? 8 : min(32, lanes)
    kernel(
      Buffer(x), Buffer(y), UInt32(rows), UInt32(columns), UInt32(share ?? rows),
      over: .groups((columns + across - 1) / across, splits))
  }

  public var activations: Set<Int> { [] }

  public var saved: SavedTensors { SavedTensors() }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    let shape = context.inputType(0).shape
    context.add(context.tape.apply(RepeatRow(rows: shape[0]), [cotangent])[0], to: 0)
  }

  public static var samples: [Sample] {
    [(1, 1), (3, 7), (33, 8), (65, 19), (130, 40), (700, 35)].flatMap { rows, columns in
      [false, true].map { accumulates in
        Sample(
          "\(rows)x\(columns)\(accumulates ? " accumulate" : "")", SumRows(accumulates: accumulates),
          [.init([rows, columns])], initialOutput: accumulates ? .normal(deviation: 1) : nil)
      }
    }
  }
}

/// One row repeated: [columns] to [rows, columns]; the transpose of ``SumRows``.
public struct RepeatRow: DifferentiableOperation {
  public static let name = "repeat_row"
  public let rows: Int

  public init(rows: Int) { self.rows = rows }

  public var signature: String { "x [columns] > y [\(rows), columns]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let columns = inputs[0].shape[0]
    for index in 0..<rows * columns { outputs[0][index] = inputs[0][index % columns] }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    for row in 0..<rows { (y.pointer + row * x.count).update(from: x.pointer, count: x.count) }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let columns = inputs[0].shape[0]
    let kernel = try CopyColumns.kernel(on: device, accumulates: false)
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt32(columns), 0, 0, UInt32(columns), 0,
      over: .groups(rows))
  }

  public var activations: Set<Int> { [] }

  public var saved: SavedTensors { SavedTensors() }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    context.add(SumRows(), [cotangent], to: 0)
  }

  public static var samples: [Sample] {
    [(1, 1), (5, 3), (17, 24)].map { Sample("\($0)x\($1)", RepeatRow(rows: $0), [.init([$1])]) }
  }
}

/// Sum of squares over everything, to one number; the square of the global gradient norm.
public struct SumOfSquares: DifferentiableOperation {
  public static let name = "sum_of_squares"

  public init() {}

  public var signature: String { "x [...] > y [1]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    outputs[0][0] = inputs[0].values.reduce(0) { $0 + $1 * $1 }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let share = 32_768
    let partial = PartialSums(count: max(1, (x.count + share - 1) / share))
    device.threads.forRanges(x.count, grain: share) { range in
      partial.set(range.lowerBound / share, nibble_sum_of_squares(x.pointer + range.lowerBound, range.count))
    }
    y[0] = Float(partial.total)
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try DeviceSum(squares: true).enqueue(on: device, inputs[0].memory, to: outputs[0].memory)
  }

  public var activations: Set<Int> { [] }

  public var saved: SavedTensors { SavedTensors(inputs: [0]) }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    let program = PointwiseProgram(inputs: 2) { [2 * $0[0] * $0[1]] }
    let operation = Pointwise(program, operands: [.init(0), .init(1, .element(0))])
    context.add(context.tape.apply(operation, [context.input(0), cotangent])[0], to: 0)
  }

  public static var samples: [Sample] {
    [1, 7, 16, 100, 1023].map { Sample("n\($0)", SumOfSquares(), [.init([$0])]) }
      + [Sample("n40000", SumOfSquares(), [.init([200, 200])])]
  }
}

/// Sums made by several threads, each its own, added up in order in double precision.
private final class PartialSums: @unchecked Sendable {
  // Each index is written by one thread only.
  private let sums: UnsafeMutableBufferPointer<Double>

  init(count: Int) {
    sums = .allocate(capacity: count)
    sums.initialize(repeating: 0)
  }

  deinit { sums.deallocate() }

  func set(_ index: Int, _ value: Double) { sums[index] = value }
  var total: Double { sums.reduce(0, +) }
}
