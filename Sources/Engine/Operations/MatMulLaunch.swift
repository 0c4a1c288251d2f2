public import Kernels

/// One product for the kernels of matmul.cl: `c = activation(op(a) op(b) + bias) + residual`, or `c += op(a) op(b)`.
///
/// All matrices are dense and row-major; offsets are elements from the start of their memory.
struct MatMulLaunch {
  var a: Memory
  var b: Memory
  var c: Memory
  var bias: Memory?
  var residual: Memory?
  var size: MatMul.Extents
  var transposeA: Bool
  var transposeB: Bool
  var accumulates = false
  var activation: Activation?
  var offsets = (a: 0, b: 0, c: 0)

  /// Which kernel, how rows are divided among work-items, and how deep the blocks of k are.
  private enum Plan {
    /// Reads b once; up to ``skinnyRows`` rows of a.
    case skinny(columnsPerItem: Int)
    /// A column panel of b per work-item, a read in place.
    case panels(rowsPerItem: Int, depth: Int)
    /// Several panels of b and tiles of a packed: weight gradients, and rows of a that collide in the cache.
    case packed(rowsPerItem: Int, columnsPerItem: Int, depth: Int)
  }

  private static let skinnyRows = 8
  private static let depth = 384
  private static let packedPanels = 8
  /// Below this many multiplications packing a costs more than it saves.
  private static let packedLimit = 1 << 21

  /// Tile of the register block: 12 x 32 with vectors of 16 floats, 6 x 16 with vectors of 8.
  private struct Tile {
    let vector: Int
    var rows: Int { vector == 16 ? 12 : 6 }
    var columns: Int { 2 * vector }

    init(for description: DeviceDescription) { vector = description.nativeFloatWidth >= 16 ? 16 : 8 }
  }

  func enqueue(on device: OpenCLDevice) throws {
    guard size.batch > 0, size.m > 0, size.n > 0 else { return }
    let tile = Tile(for: device.description)
    let definitions = ["VECTOR": "\(tile.vector)"]
    switch plan(tile, units: device.description.computeUnits) {
    case .skinny(let columns):
      if transposeB {
        try enqueueSkinny(on: device, definitions, groups: Self.quotient(size.n, tile.columns))
      } else {
        try enqueueSkinny(on: device, definitions, groups: Self.quotient(size.n, columns), columns: columns)
      }
    case .panels(let rows, let depth):
      try enqueuePanels(on: device, definitions, tile, rows: rows, depth: depth)
    case .packed(let rows, let columns, let depth):
      try enqueuePacked(on: device, definitions, rows: rows, columns: columns, depth: depth)
    }
  }

  // MARK: Planning

  private static func quotient(_ count: Int, _ size: Int) -> Int { (count + size - 1) / size }

  private func plan(_ tile: Tile, units: Int) -> Plan {
    if size.m <= Self.skinnyRows, !transposeA {
      let share = Self.quotient(Self.quotient(size.n, 2 * units), 64) * 64
      return .skinny(columnsPerItem: min(512, max(64, share)))
    }
    let isLarge = size.m * size.n * size.k >= Self.packedLimit
    // Rows of a that lie a multiple of 4 KiB apart share cache sets: reading them in place is slower than packing.
    let collides = size.k.isMultiple(of: 1024) && size.n >= 128
    if transposeA || collides, isLarge, let packed = packedPlan(tile, units: units) { return packed }
    let panels = Self.quotient(size.n, tile.columns) * size.batch
    let (rows, _) = split(tile, units: units) { rows, parts in
      Double(Self.quotient(panels * parts, units)) * (Double(rows) + 8)
    }
    return .panels(rowsPerItem: rows, depth: blockDepth)
  }

  /// Equal blocks of k, each a multiple of 4, none above ``depth``.
  private var blockDepth: Int {
    let blocks = max(1, Self.quotient(size.k, Self.depth))
    return max(4, min(Self.depth, Self.quotient(Self.quotient(size.k, blocks), 4) * 4))
  }

  private func packedPlan(_ tile: Tile, units: Int) -> Plan? {
    let panels = Self.quotient(size.n, tile.columns)
    var best: (cost: Double, rows: Int, panels: Int)?
    for wanted in 1...min(Self.packedPanels, panels) {
      let balanced = Self.quotient(panels, Self.quotient(panels, wanted))
      let (rows, cost) = split(tile, units: units) { rows, parts in
        let items = Self.quotient(panels, balanced) * parts * size.batch
        return Double(Self.quotient(items, units)) * (Double(rows) + 8) * (Double(balanced) + 0.6)
      }
      if cost < (best?.cost ?? .infinity) * 0.995 { best = (cost, rows, balanced) }
    }
    guard let best else { return nil }
    return .packed(rowsPerItem: best.rows, columnsPerItem: best.panels * tile.columns, depth: blockDepth)
  }

  /// The number of rows per work-item with the least time of the busiest compute unit.
  private func split(
    _ tile: Tile, units: Int, cost: (_ rows: Int, _ parts: Int) -> Double,
  ) -> (rows: Int, cost: Double) {
    var best = (rows: Self.quotient(size.m, tile.rows) * tile.rows, cost: Double.infinity)
    for parts in 1...min(64, Self.quotient(size.m, tile.rows)) {
      let rows = Self.quotient(Self.quotient(size.m, parts), tile.rows) * tile.rows
      let value = cost(rows, Self.quotient(size.m, rows))
      if value < best.cost * 0.995 { best = (rows, value) }
    }
    return best
  }

  // MARK: Launches

  private var flags: UInt32 { (accumulates ? 1 : 0) | (bias != nil ? 2 : 0) | (residual != nil ? 4 : 0) }

  private var activationCode: UInt32 {
    switch activation {
    case nil: 0
    case .relu: 1
    case .reluSquared: 2
    case .silu: 3
    case .gelu: 4
    case .geluTanh: 5
    case .sigmoid: 6
    }
  }

  private var strides: (a: UInt64, b: UInt64, c: UInt64) {
    (UInt64(size.m * size.k), UInt64(size.k * size.n), UInt64(size.m * size.n))
  }
  private var lda: UInt64 { UInt64(transposeA ? size.m : size.k) }
  private var ldb: UInt64 { UInt64(transposeB ? size.k : size.n) }

  private func enqueuePanels(
    on device: OpenCLDevice, _ definitions: [String: String], _ tile: Tile, rows: Int, depth: Int,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
        UInt32,
        UInt32, UInt32, UInt32, UInt32, Float, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
        UInt64,
        UInt64, UInt64, UInt64, UInt64
      > = try device.kernel("matmul", in: "matmul", definitions)
    kernel(
      Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
      UInt32(size.k), UInt32(rows), UInt32(depth), transposeB ? 1 : 0, flags, activationCode, 1,
      UInt64(offsets.a), strides.a, transposeA ? 1 : lda, transposeA ? lda : 1, UInt64(offsets.b), strides.b,
      ldb,
      UInt64(offsets.c), strides.c, UInt64(size.n), 0, strides.c, UInt64(size.n),
      over: .groups(Self.quotient(size.n, tile.columns), Self.quotient(size.m, rows), size.batch))
  }

  private func enqueuePacked(
    on device: OpenCLDevice, _ definitions: [String: String], rows: Int, columns: Int, depth: Int,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
        UInt32,
        UInt32, UInt32, UInt32, UInt32, UInt32, Float, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
        UInt64,
        UInt64, UInt64, UInt64, UInt64
      > = try device.kernel("matmul_tn", in: "matmul", definitions)
    kernel(
      Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
      UInt32(size.k), UInt32(rows), UInt32(columns), UInt32(depth), transposeB ? 1 : 0,
      flags | (transposeA ? 0 : 8), activationCode, 1, UInt64(offsets.a), strides.a, lda, UInt64(offsets.b),
      strides.b, ldb, UInt64(offsets.c), strides.c, UInt64(size.n), 0, strides.c, UInt64(size.n),
      over: .groups(Self.quotient(size.n, columns), Self.quotient(size.m, rows), size.batch))
  }

  /// - Parameter columns: Columns per work-item for b stored [k, n]; nil for [n, k].
  private func enqueueSkinny(
    on device: OpenCLDevice, _ definitions: [String: String], groups: Int, columns: Int? = nil,
  ) throws {
    if let columns {
      let kernel:
        Kernel<
          Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
          UInt32,
          UInt32, UInt32, Float, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
          UInt64,
          UInt64, UInt64
        > = try device.kernel("matmul_skinny_nn", in: "matmul", definitions)
      kernel(
        Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
        UInt32(size.k), UInt32(columns), flags, activationCode, 1, UInt64(offsets.a), strides.a, lda,
        UInt64(offsets.b), strides.b, ldb, UInt64(offsets.c), strides.c, UInt64(size.n), 0, strides.c,
        UInt64(size.n), over: .groups(groups, 1, size.batch))
    } else {
      let kernel:
        Kernel<
          Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
          UInt32,
          UInt32, Float, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
          UInt64, UInt64
        > = try device.kernel("matmul_skinny_nt", in: "matmul", definitions)
      kernel(
        Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
        UInt32(size.k), flags, activationCode, 1, UInt64(offsets.a), strides.a, lda, UInt64(offsets.b),
        strides.b,
        ldb, UInt64(offsets.c), strides.c, UInt64(size.n), 0, strides.c, UInt64(size.n),
        over: .groups(groups, 1, size.batch))
    }
  }
}

extension MatMul {
  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    var launch = MatMulLaunch(
      a: inputs[0].memory, b: inputs[1].memory, c: outputs[0].memory, bias: hasBias ? inputs[2].memory : nil,
      residual: hasResidual ? inputs[hasBias ? 3 : 2].memory : nil,
      size: extents(inputs[0].shape, inputs[1].shape), transposeA: transposeA, transposeB: transposeB,
      accumulates: accumulates, activation: activation)
    guard keepsPreactivation, let activation else { return try launch.enqueue(on: device) }
    // The value before the activation is a result of its own: the product writes it, an elementwise kernel the rest.
    launch.c = outputs[1].memory
    launch.residual = nil
    launch.activation = nil
    try launch.enqueue(on: device)
    let hasResidual = hasResidual
    let rest = Pointwise(
      PointwiseProgram(inputs: hasResidual ? 2 : 1) { x in
        let value = activation(x[0])
        return [hasResidual ? value + x[1] : value]
      })
    try rest.run(on: device, [outputs[1]] + (hasResidual ? [inputs[hasBias ? 3 : 2]] : []), [outputs[0]])
  }
}
