public import Kernels

extension Tape {
  /// Writes the rows of `new` [rows, width] into `target` [capacity, width] from row `start` on, in place.
  ///
  /// A cache is the one thing beside parameters that is written in place; nothing is recorded.
  func appendRows(_ new: Tensor, to target: Tensor, at start: Int) {
    precondition(start + new.shape[0] <= target.shape[0], "rows beyond the capacity")
    let copy = CopyRows(rows: new.shape[0], from: 0, to: start, capacity: target.shape[0])
    apply(copy, [new.detached], into: [0: target])
  }

  /// The last row of a matrix, as [1, width]; without gradient.
  func lastRow(of matrix: Tensor) -> Tensor {
    guard matrix.shape[0] > 1 else { return matrix.detached }
    let target = Tensor(device.allocate(matrix.shape[1], of: .float32), shape: [1, matrix.shape[1]])
    return apply(CopyRows(rows: 1, from: matrix.shape[0] - 1, to: 0), [matrix.detached], into: [0: target])[0]
  }
}

/// Copies some rows of a matrix into another of the same width, which keeps its other rows.
public struct CopyRows: Operation {
  public static let name = "copy_rows"
  public let rows: Int
  /// First row that is read.
  public let source: Int
  /// First row that is written.
  public let target: Int
  private let capacity: Int

  /// - Parameter capacity: Rows of the output when the operation allocates it.
  public init(rows: Int, from source: Int, to target: Int, capacity: Int? = nil) {
    self.rows = rows
    self.source = source
    self.target = target
    self.capacity = capacity ?? target + rows
  }

  public var signature: String { "x [rows, width] > y [\(capacity), width]" }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard source + rows <= inputs[0].shape[0], target + rows <= capacity else {
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "rows \(source)..<\(source + rows) of \(inputs[0]) to row \(target)")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let width = inputs[0].shape[1]
    for index in 0..<rows * width { outputs[0][target * width + index] = inputs[0][source * width + index] }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let x = HostArray<Float>(inputs[0].memory), let y = HostArray<Float>(outputs[0].memory) else {
      return
    }
    let width = inputs[0].shape[1]
    (y.pointer + target * width).update(from: x.pointer + source * width, count: rows * width)
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let width = inputs[0].shape[1]
    let kernel = try CopyColumns.kernel(on: device, accumulates: false)
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt32(width), UInt32(width),
      UInt32(source * width),
      UInt32(width), UInt32(target * width), over: .groups(rows))
  }

  public static var samples: [Sample] {
    // Rows, width, first row read, first row written, rows of the output after those written.
    let cases = [(1, 5, 0, 0, 0), (3, 8, 2, 1, 0), (4, 19, 0, 3, 0), (2, 6, 0, 1, 4)]
    return cases.map { rows, width, source, target, more in
      let capacity = target + rows + more
      return Sample(
        "\(rows)x\(width) \(source) to \(target) of \(capacity)",
        CopyRows(rows: rows, from: source, to: target, capacity: capacity), [.init([source + rows, width])],
        initialOutput: .values([Float](repeating: 0.5, count: capacity * width)))
    }
  }
}
