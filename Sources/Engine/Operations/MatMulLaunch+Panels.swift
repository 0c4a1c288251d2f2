import Kernels

/// Products on processors: the kernels of `matmul.cl`.
extension MatMulLaunch {
  /// Which kernel, how rows are divided among work-items, and how deep the blocks of k are.
  private enum Plan {
    /// Reads b once; up to ``MatMulClass/skinnyRows`` rows of a.
    case skinny(columnsPerItem: Int)
    /// A column panel of b per work-item, a read in place.
    case panels(rowsPerItem: Int, depth: Int)
    /// Several panels of b and tiles of a packed: weight gradients, and rows of a that collide in the cache.
    case packed(rowsPerItem: Int, columnsPerItem: Int, depth: Int)
  }

  /// The most columns of a work-item of `matmul_skinny_nn` (`SKINNY_COLUMNS`).
  private static let skinnyColumns = 512
  /// A flag of `matmul_tn` (`FLAG_A_ROWS`): a is stored [m, k].
  private static let storedByRows: UInt32 = 8

  func enqueue(_ shape: MatMulPanels, on device: OpenCLDevice) throws {
    let definitions = shape.definitions
    switch plan(shape, units: device.description.computeUnits) {
    case .skinny(let columns):
      if transposeB {
        try enqueueSkinny(on: device, definitions, groups: Self.quotient(size.n, shape.tileColumns))
      } else {
        try enqueueSkinny(on: device, definitions, groups: Self.quotient(size.n, columns), columns: columns)
      }
    case .panels(let rows, let depth):
      try enqueuePanels(on: device, definitions, shape, rows: rows, depth: depth)
    case .packed(let rows, let columns, let depth):
      try enqueuePacked(on: device, definitions, rows: rows, columns: columns, depth: depth)
    }
  }

  // MARK: Planning

  private func plan(_ shape: MatMulPanels, units: Int) -> Plan {
    if size.m <= MatMulClass.skinnyRows, !transposeA {
      let share = Self.quotient(Self.quotient(size.n, 2 * units), 64) * 64
      return .skinny(columnsPerItem: min(Self.skinnyColumns, max(64, share)))
    }
    let isLarge = size.m * size.n * size.k >= 1 << shape.packedLimit
    // Rows of a that lie a multiple of 4 KiB apart share cache sets: reading them in place is slower than packing.
    let collides = size.k.isMultiple(of: 1024) && size.n >= 128
    if transposeA || collides, isLarge, let packed = packedPlan(shape, units: units) { return packed }
    let panels = Self.quotient(size.n, shape.tileColumns) * size.batch
    let (rows, _) = split(shape, units: units) { rows, parts in
      Double(Self.quotient(panels * parts, units)) * (Double(rows) + 8)
    }
    return .panels(rowsPerItem: rows, depth: blockDepth(shape.depth))
  }

  /// Equal blocks of k, each a multiple of 4, none above `largest`.
  private func blockDepth(_ largest: Int) -> Int {
    let blocks = max(1, Self.quotient(size.k, largest))
    return max(4, min(largest, Self.quotient(Self.quotient(size.k, blocks), 4) * 4))
  }

  private func packedPlan(_ shape: MatMulPanels, units: Int) -> Plan? {
    let panels = Self.quotient(size.n, shape.tileColumns)
    var best: (cost: Double, rows: Int, panels: Int)?
    for wanted in 1...min(shape.packedPanels, panels) {
      let balanced = Self.quotient(panels, Self.quotient(panels, wanted))
      let (rows, cost) = split(shape, units: units) { rows, parts in
        packedCost(panels: panels, perItem: balanced, rows: rows, parts: parts, units: units)
      }
      if cost < (best?.cost ?? .infinity) * 0.995 { best = (cost, rows, balanced) }
    }
    guard let best else { return nil }
    return .packed(
      rowsPerItem: best.rows, columnsPerItem: best.panels * shape.tileColumns,
      depth: blockDepth(shape.packedDepth))
  }

  /// The time of the busiest unit: drivers hand out consecutive work-items, at first an equal share of all to each unit
  /// and then ever fewer, so the first share must not be more than what is left for the others.
  private func packedCost(panels: Int, perItem: Int, rows: Int, parts: Int, units: Int) -> Double {
    // What an item spends on packing, in rows and in panels: a row of a costs as much as one more panel.
    let (packingRows, packingPanels) = (14.0, 1.0)
    let groups = Self.quotient(panels, perItem)
    let share = Self.quotient(groups * parts * size.batch, units)
    let narrow = share / groups
    let narrowPanels = panels - (groups - 1) * perItem
    let first =
      (Double(rows) + packingRows)
      * (Double(share - narrow) * (Double(perItem) + packingPanels)
        + Double(narrow) * (Double(narrowPanels) + packingPanels))
    let all =
      (Double(size.m) + packingRows * Double(parts)) * (Double(panels) + packingPanels * Double(groups))
    return max(first, all * Double(size.batch) / Double(units))
  }

  /// The number of rows per work-item with the least time of the busiest compute unit.
  private func split(
    _ shape: MatMulPanels, units: Int, cost: (_ rows: Int, _ parts: Int) -> Double,
  ) -> (rows: Int, cost: Double) {
    var best = (rows: Self.quotient(size.m, shape.tileRows) * shape.tileRows, cost: Double.infinity)
    for parts in 1...min(64, Self.quotient(size.m, shape.tileRows)) {
      let rows = Self.quotient(Self.quotient(size.m, parts), shape.tileRows) * shape.tileRows
      let value = cost(rows, Self.quotient(size.m, rows))
      if value < best.cost * 0.995 { best = (rows, value) }
    }
    return best
  }

  // MARK: Launches

  private func enqueuePanels(
    on device: OpenCLDevice, _ definitions: [String: String], _ shape: MatMulPanels, rows: Int, depth: Int,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
        UInt32, UInt32, UInt32, UInt32, UInt32, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
        UInt64, UInt64, UInt64
      > = try device.kernel("matmul", in: "matmul", definitions)
    kernel(
      Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
      UInt32(size.k), UInt32(rows), UInt32(depth), transposeB ? 1 : 0, flags, activationCode,
      UInt64(offsets.a), strides.a, transposeA ? 1 : lda, transposeA ? lda : 1, UInt64(offsets.b), strides.b,
      ldb,
      UInt64(offsets.c), strides.c, UInt64(size.n),
      over: .groups(Self.quotient(size.n, shape.tileColumns), Self.quotient(size.m, rows), size.batch))
  }

  private func enqueuePacked(
    on device: OpenCLDevice, _ definitions: [String: String], rows: Int, columns: Int, depth: Int,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
        UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
        UInt64, UInt64, UInt64
      > = try device.kernel("matmul_tn", in: "matmul", definitions)
    kernel(
      Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
      UInt32(size.k), UInt32(rows), UInt32(columns), UInt32(depth), transposeB ? 1 : 0,
      flags | (transposeA ? 0 : Self.storedByRows), activationCode, UInt64(offsets.a), strides.a, lda,
      UInt64(offsets.b),
      strides.b, ldb, UInt64(offsets.c), strides.c, UInt64(size.n),
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
          UInt32, UInt32, UInt32, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
        > = try device.kernel("matmul_skinny_nn", in: "matmul", definitions)
      kernel(
        Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
        UInt32(size.k), UInt32(columns), flags, activationCode, UInt64(offsets.a), strides.a, lda,
        UInt64(offsets.b), strides.b, ldb, UInt64(offsets.c), strides.c, UInt64(size.n),
        over: .groups(groups, 1, size.batch))
    } else {
      let kernel:
        Kernel<
          Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, UInt32, UInt32, UInt32,
          UInt32, UInt32, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
        > = try device.kernel("matmul_skinny_nt", in: "matmul", definitions)
      kernel(
        Buffer(a), Buffer(b), Buffer(c), Buffer(bias), Buffer(residual), UInt32(size.m), UInt32(size.n),
        UInt32(size.k), flags, activationCode, UInt64(offsets.a), strides.a, lda, UInt64(offsets.b),
        strides.b,
        ldb, UInt64(offsets.c), strides.c, UInt64(size.n),
        over: .groups(groups, 1, size.batch))
    }
  }
}
