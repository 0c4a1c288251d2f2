import Kernels

/// The launches that work on the chunks of all heads at once (`kernels/chunk_tiled.cl`).
struct ChunkLaunch {
  let size: RecurrenceExtents
  let tiles: ChunkTiles
  let device: OpenCLDevice
  /// The gates' decays inside every chunk.
  let decays: Memory

  /// Rows of tokens [batch, time, heads, width] with their own number of heads.
  struct Rows {
    let memory: Memory
    let heads: Int
    let width: Int

    init(_ tensor: Tensor) {
      memory = tensor.memory
      heads = tensor.shape[2]
      width = tensor.shape[3]
    }

    init(_ memory: Memory, heads: Int, width: Int) {
      self.memory = memory
      self.heads = heads
      self.width = width
    }
  }

  /// An end of the chunks: where tokens are decayed from or to, and whose states they meet.
  enum Side {
    case start
    case end
  }

  /// - Parameter documents: int32 [batch, time]; nil for none.
  init(
    _ size: RecurrenceExtents, gates: Memory?, gatesByToken: Bool, documents: Memory?, on device: OpenCLDevice,
  ) throws {
    self.size = size
    self.device = device
    tiles = ChunkTiles(for: device.description)
    decays = device.allocate(size.batch * size.heads * size.chunks * 5 * ChunkTiles.chunk, of: .float32)
    let kernel: Kernel<Buffer<Float>, Buffer<Int32>, Buffer<Float>, Int32, Int32, Int32> = try tiles.kernel(
      "chunk_decays", on: device)
    kernel(
      Buffer(gates), Buffer(documents), Buffer(decays), time, heads, gatesByToken ? 1 : 0, over: groups(1))
  }

  var time: Int32 { Int32(size.time) }
  var heads: Int32 { Int32(size.heads) }

  /// So many work-groups for every chunk of every head.
  func groups(_ count: Int) -> Geometry { .groups(count, size.chunks, size.batch * size.heads) }

  /// So many work-groups for every head.
  func groupsPerHead(_ count: Int) -> Geometry { .groups(count, 1, size.batch * size.heads) }

  /// New rows of tokens for every head of the values.
  func makeRows(width: Int) -> Rows {
    Rows(
      device.allocate(size.batch * size.time * size.heads * width, of: .float32), heads: size.heads,
      width: width)
  }

  /// The decayed products of rows `scale (x y^T) . M` [batch, time, heads, chunk].
  ///
  /// - Parameter isStrict: 0 on the diagonal, too.
  func scores(_ x: Rows, _ y: Rows, scale: Float = 1, isStrict: Bool = false) throws -> Memory {
    let scores = makeRows(width: ChunkTiles.chunk).memory
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Int32, Int32,
        Float
      > = try tiles.kernel("chunk_scores", on: device)
    let across = tiles.tiles(ChunkTiles.chunk)
    kernel(
      Buffer(x.memory), Buffer(y.memory), Buffer(decays), Buffer(scores), time, heads, Int32(x.heads),
      Int32(y.heads), Int32(x.width), isStrict ? 1 : 0, scale, over: groups(across * (across + 1) / 2))
    return scores
  }

  // MARK: States

  /// Memory of the states [batch, heads, chunks + 1, rows, columns] in front of every chunk and behind the last.
  func makeStates(_ rows: Int, _ columns: Int) -> Memory {
    device.allocate(size.batch * size.heads * (size.chunks + 1) * rows * columns, of: .float32)
  }

  /// What every chunk adds to the states: `scale F x^T y`, or `scale E x^T y` to the gradients of those at its start.
  ///
  /// - Parameter weights: Factors of the rows of y [batch, time, heads].
  func addOuter(
    _ x: Rows, _ y: Rows, weights: Memory? = nil, side: Side = .end, scale: Float = 1, adds: Bool = false,
    to states: Memory,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32,
        Int32, Int32, Int32, Int32, Float
      > = try tiles.kernel("chunk_outer", on: device)
    kernel(
      Buffer(x.memory), Buffer(y.memory), Buffer(weights), Buffer(decays), Buffer(states), time, heads,
      Int32(x.heads), Int32(y.heads), Int32(x.width), Int32(y.width), side == .start ? 1 : 0, adds ? 1 : 0,
      scale, over: groups(tiles.tiles(x.width) * tiles.tiles(y.width)))
  }

  /// From what every chunk adds to the states themselves: from the first to the last, or from the last to the first where
  /// they are gradients of those at the `start`.
  ///
  /// - Parameters:
  ///   - given: The first; nil for 0.
  ///   - result: Where the last goes.
  func scan(_ states: Memory, side: Side = .end, from given: Memory?, to result: Memory?) throws {
    let kernel:
      Kernel<Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32> =
        try tiles.kernel("chunk_scan", on: device)
    kernel(
      Buffer(given), Buffer(decays), Buffer(states), Buffer(result), time, heads, Int32(size.stateCount),
      side == .start ? 1 : 0, over: groupsPerHead(tiles.groups(size.stateCount)))
  }

  // MARK: Rows of tokens

  /// `scale E x S`, or with F and the states behind the chunks.
  struct StateTerm {
    let x: Rows
    let states: Memory
    var isTransposed = false
    var isDecayed = true
    var scale: Float = 1
  }

  /// `P y`, at the end of chunks `P^T y`.
  struct ScoreTerm {
    let scores: Memory
    let y: Rows
  }

  /// The sum of both terms.
  func rows(
    _ state: StateTerm?, _ score: ScoreTerm?, side: Side = .start, adds: Bool = false, to out: Rows,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32,
        Int32, Int32, Int32, Int32, Int32, Int32, Int32, Int32, Float
      > = try tiles.kernel("chunk_rows", on: device)
    kernel(
      Buffer(state?.x.memory), Buffer(state?.states), Buffer(score?.scores), Buffer(score?.y.memory),
      Buffer(state?.isDecayed == true ? decays : nil), Buffer(out.memory), time, heads,
      Int32(state?.x.heads ?? 1), Int32(score?.y.heads ?? 1), Int32(state?.x.width ?? 0), Int32(out.width),
      side == .end ? 1 : 0, state?.isTransposed == true ? 1 : 0, adds ? 1 : 0, state?.scale ?? 1,
      over: groups(tiles.tiles(ChunkTiles.chunk) * tiles.tiles(out.width)))
  }

  // MARK: Gates

  /// Gradients of the gates [batch, time, heads].
  ///
  /// - Parameters:
  ///   - keyGradient: What keys get for writing, minus what they get for reading.
  ///   - gradients: Those of the states.
  ///   - given: The state in front of the first token; nil for none.
  func gateGradients(
    _ query: Rows, gradient: Rows, _ key: Rows, keyGradient: Rows, states: Memory, gradients: Memory,
    gates: Memory, gatesByToken: Bool, given: Memory?, to result: Memory,
  ) throws {
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
        Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Int32, Int32, Int32, Int32, Int32, Int32
      > = try tiles.kernel("chunk_gate_gradients", on: device)
    kernel(
      Buffer(query.memory), Buffer(gradient.memory), Buffer(key.memory), Buffer(keyGradient.memory),
      Buffer(states), Buffer(gradients), Buffer(gates), Buffer(decays), Buffer(given), Buffer(result), time,
      heads, Int32(size.keyHeads), Int32(size.width), Int32(size.stateCount), gatesByToken ? 1 : 0,
      over: groups(1))
  }
}
