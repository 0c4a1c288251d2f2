import CHost
public import Kernels

/// Rows of a table by id: token embeddings, learned positions.
///
/// ids: int32 [...] and weight [vocabulary, dim] give y [..., dim]. Ids are checked where they come in; one outside
/// the vocabulary reads zeros and receives no gradient, never memory that is not the table's.
public struct Embedding: DifferentiableOperation {
  public static let name = "embedding"

  public init() {}

  public var signature: String { "ids: int32 [...], weight [vocabulary, dim] > y [..., dim]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (vocabulary, dim) = (inputs[1].shape[0], inputs[1].shape[1])
    for token in 0..<inputs[0].shape.count {
      let id = inputs[0].integer(token)
      for column in 0..<dim {
        outputs[0][token * dim + column] = id >= 0 && id < vocabulary ? inputs[1][id * dim + column] : 0
      }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let ids = HostArray<Int32>(inputs[0].memory), let weight = HostArray<Float>(inputs[1].memory),
      let y = HostArray<Float>(outputs[0].memory)
    else { return }
    let (vocabulary, dim) = (inputs[1].shape[0], inputs[1].shape[1])
    device.threads.forRanges(ids.count, grain: max(1, 65_536 / max(1, dim))) { range in
      for token in range {
        let id = Int(ids[token])
        if id >= 0, id < vocabulary {
          (y.pointer + token * dim).update(from: weight.pointer + id * dim, count: dim)
        } else {
          (y.pointer + token * dim).update(repeating: 0, count: dim)
        }
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let tokens = inputs[0].shape.count
    let (vocabulary, dim) = (inputs[1].shape[0], inputs[1].shape[1])
    guard tokens > 0, dim > 0 else { return }
    let grid = EmbeddingGrid(on: device)
    let kernel: EmbeddingGrid.TableKernel = try device.kernel(
      "embedding_forward", in: "embedding", ["LANES": "\(grid.lanes)", "ACCUMULATE": "0"])
    let columns = grid.isProcessor ? dim : EmbeddingGrid.laneColumns
    let rows = grid.isProcessor ? max(1, 32_768 / dim) : 1
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(outputs[0].memory), UInt32(tokens),
      UInt32(vocabulary), UInt32(dim), UInt32(columns), UInt32(rows),
      over: grid.geometry(columns: dim, of: columns, rows: tokens, of: rows))
  }

  /// The rows that are read, not the whole table.
  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: 0, bytes: Double(inputs[0].byteCount) + 2 * Double(outputs[0].byteCount))
  }

  public var saved: SavedTensors { SavedTensors(inputs: [0]) }

  public func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    let vocabulary = context.inputType(1).shape[0]
    context.add(EmbeddingGradient(vocabulary: vocabulary), [context.input(0), cotangent], to: 1)
  }

  public static var samples: [Sample] {
    [
      Sample("1 of 1x1", Embedding(), [.init([1], .int32, .integers(0..<1)), .init([1, 1])]),
      Sample("2x3 of 5x7", Embedding(), [.init([2, 3], .int32, .integers(0..<5)), .init([5, 7])]),
      Sample("9 of 3x301", Embedding(), [.init([9], .int32, .integers(0..<3)), .init([3, 301])]),
      Sample("33 of 4x17", Embedding(), [.init([33], .int32, .integers(0..<4)), .init([4, 17])]),
      Sample(
        "ids outside", Embedding(),
        [.init([6], .int32, .values([-1, 2, 3, 2_000_000, 0, -2_000_000])), .init([3, 8])]),
    ]
  }
}

/// The gradient of ``Embedding``: rows of dy summed by id, in the order of the tokens.
///
/// Every thread or work-item owns a rectangle of the table and reads all ids: no atomics and no sorting, and the
/// cost beside moving dy and the table is the ids times the number of rectangles.
public struct EmbeddingGradient: AccumulatingOperation {
  public static let name = "embedding_gradient"
  public let vocabulary: Int
  public var accumulates: Bool

  public init(vocabulary: Int, accumulates: Bool = false) {
    self.vocabulary = vocabulary
    self.accumulates = accumulates
  }

  public var signature: String { "ids: int32 [...], dy [..., dim] > dweight [\(vocabulary), dim]" }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let dim = inputs[1].shape.last
    if !accumulates { outputs[0].values = [Scalar](repeating: 0, count: vocabulary * dim) }
    for token in 0..<inputs[0].shape.count {
      let id = inputs[0].integer(token)
      guard id >= 0, id < vocabulary else { continue }
      for column in 0..<dim { outputs[0][id * dim + column] += inputs[1][token * dim + column] }
    }
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let ids = HostArray<Int32>(inputs[0].memory), let dy = HostArray<Float>(inputs[1].memory),
      let target = HostArray<Float>(outputs[0].memory)
    else { return }
    let dim = inputs[1].shape.last
    let rows = EmbeddingGrid.tableRows
    let columns = EmbeddingGrid.tableColumns(of: dim, processors: device.threads.count)
    let across = (dim + columns - 1) / columns
    device.threads.forRanges((vocabulary + rows - 1) / rows * across, grain: 1) { range in
      for rectangle in range {
        let first = rectangle / across * rows
        let column = rectangle % across * columns
        add(
          ids, dy, to: target, rows: first..<min(first + rows, vocabulary), column: column,
          width: min(columns, dim - column), dim: dim)
      }
    }
  }

  private func add(
    _ ids: HostArray<Int32>, _ dy: HostArray<Float>, to target: HostArray<Float>, rows: Range<Int>,
    column: Int,
    width: Int, dim: Int,
  ) {
    if !accumulates {
      for row in rows { (target.pointer + row * dim + column).update(repeating: 0, count: width) }
    }
    nibble_add_rows(
      ids.pointer, dy.pointer, target.pointer, ids.count, rows.lowerBound, rows.upperBound, dim, column, width
    )
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let (tokens, dim) = (inputs[0].shape.count, inputs[1].shape.last)
    guard vocabulary > 0, dim > 0 else { return }
    let grid = EmbeddingGrid(on: device)
    let kernel: EmbeddingGrid.TableKernel = try device.kernel(
      "embedding_backward", in: "embedding",
      ["LANES": "\(grid.lanes)", "ACCUMULATE": accumulates ? "1" : "0"])
    let units = device.description.computeUnits
    let columns =
      grid.isProcessor ? EmbeddingGrid.tableColumns(of: dim, processors: units) : EmbeddingGrid.laneColumns
    let rows = grid.isProcessor ? EmbeddingGrid.tableRows : EmbeddingGrid.groupRows
    kernel(
      Buffer(inputs[0].memory), Buffer(inputs[1].memory), Buffer(outputs[0].memory), UInt32(tokens),
      UInt32(vocabulary), UInt32(dim), UInt32(columns), UInt32(rows),
      over: grid.geometry(columns: dim, of: columns, rows: vocabulary, of: rows))
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    let additions = Double(inputs[1].shape.count)
    let table = accumulates ? 8 * additions : Double(outputs[0].byteCount)
    return Cost(flops: additions, bytes: inputs.reduce(0) { $0 + Double($1.byteCount) } + table)
  }

  public static var samples: [Sample] {
    let sizes = [(1, 1, 1), (33, 4, 17), (7, 19, 8), (5, 2050, 1), (40, 3, 140), (70, 67, 301)]
    return sizes.flatMap { tokens, vocabulary, dim in
      [false, true].map { accumulates in
        Sample(
          "\(tokens) to \(vocabulary)x\(dim)\(accumulates ? " accumulate" : "")",
          EmbeddingGradient(vocabulary: vocabulary, accumulates: accumulates),
          [.init([tokens], .int32, .integers(-2..<vocabulary + 2)), .init([tokens, dim])],
          initialOutput: accumulates ? .normal(deviation: 1) : nil)
      }
    }
  }
}

/// How the embedding kernels are cut into rectangles of columns and rows.
private struct EmbeddingGrid {
  typealias TableKernel = Kernel<
    Buffer<Int32>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32, UInt32, UInt32
  >

  /// Rows of the rectangle of the table that one processor owns: the ids are read once per rectangle.
  static let tableRows = 1024

  /// Its columns: four shares for every processor, but not narrow ones, as memory likes long stretches.
  ///
  /// Each element is summed over the tokens in order, so the result does not depend on the rectangles.
  static func tableColumns(of dim: Int, processors: Int) -> Int {
    max(64, (dim / (4 * max(1, processors)) + 15) / 16 * 16)
  }

  /// Columns of a graphics processor's work-item: neighbours read without gaps.
  static let laneColumns = 4

  /// Rows of the table of one of its groups, which reads all ids: few, so that there are many groups.
  static let groupRows = 32

  let lanes: Int
  var isProcessor: Bool { lanes == 1 }

  init(on device: OpenCLDevice) { lanes = device.description.lanes(atMost: 64) }

  func geometry(columns: Int, of itemColumns: Int, rows: Int, of itemRows: Int) -> Geometry {
    let groupColumns = itemColumns * lanes
    return .groups((columns + groupColumns - 1) / groupColumns, (rows + itemRows - 1) / itemRows)
  }
}

extension Tape {
  /// Rows of `weight` by id; see ``Embedding``.
  ///
  /// - Parameters:
  ///   - ids: int32 [...].
  ///   - weight: [vocabulary, dim].
  /// - Returns: [..., dim].
  public func embedding(_ ids: Tensor, weight: Tensor) -> Tensor { apply(Embedding(), [ids, weight])[0] }
}
