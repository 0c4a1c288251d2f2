import CHost
public import Kernels

/// One block of query rows of one head on the host: products by BLAS, rows by vector loops.
///
/// The keys are passed in stretches, so that the scores of a block and a stretch stay in the second-level cache.
struct HostAttentionBlock {
  /// Keys of a stretch.
  static let keys = 256

  let options: AttentionOptions
  let size: AttentionExtents
  let batch: Int
  let head: Int
  let rowRange: Range<Int>
  let extras: AttentionExtras<Tensor>

  init(
    _ options: AttentionOptions, _ size: AttentionExtents, batch: Int, head: Int, block: Int,
    extras: AttentionExtras<Tensor>,
  ) {
    self.options = options
    self.size = size
    self.batch = batch
    self.head = head
    self.extras = extras
    let first = block * Self.rows(size)
    rowRange = first..<min(size.queryTime, first + Self.rows(size))
  }

  /// Rows of a block: few where the masked corner of a block would be a large part of all, else enough to hide the
  /// packing of the keys.
  static func rows(_ size: AttentionExtents) -> Int { size.queryTime <= 1024 ? 64 : 128 }

  static func count(_ size: AttentionExtents) -> Int { (size.queryTime + rows(size) - 1) / rows(size) }

  /// A stretch of keys and the rows of the block of which some may see it.
  struct Stretch {
    let rows: Range<Int>
    let keys: Range<Int>
  }

  /// The stretches that some row may see, in order.
  var stretches: [Stretch] {
    let seen = rowRange.map { options.range(position: position($0), keyTime: size.keyTime) }
    let lower = seen.map(\.lowerBound).min() ?? 0
    let upper = min(size.keyTime, seen.map(\.upperBound).max() ?? 0)
    return stride(from: lower, to: upper, by: Self.keys).compactMap { first in
      let keys = first..<min(upper, first + Self.keys)
      let rows = seen.indices.filter { seen[$0].overlaps(keys) }
      guard let start = rows.first, let end = rows.last else { return nil }
      return Stretch(rows: rowRange.lowerBound + start..<rowRange.lowerBound + end + 1, keys: keys)
    }
  }

  private func position(_ row: Int) -> Int { row + size.keyTime - size.queryTime }

  var keyHead: Int { head * size.keyHeads / size.heads }

  /// The rows of queries (outputs, their gradients) from `row` on, and of keys (values) from `key` on.
  func queries(_ array: HostArray<Float>, _ row: Int, _ width: Int) -> HostProduct.Operand {
    .init(queryRow(array, row, width), stride: size.heads * width)
  }
  func keys(_ array: HostArray<Float>, _ key: Int, _ width: Int) -> HostProduct.Operand {
    .init(
      array.pointer + ((batch * size.keyTime + key) * size.keyHeads + keyHead) * width,
      stride: size.keyHeads * width)
  }
  func queryRow(_ array: HostArray<Float>, _ row: Int, _ width: Int) -> UnsafeMutablePointer<Float> {
    array.pointer + ((batch * size.queryTime + row) * size.heads + head) * width
  }
  func statistic(_ row: Int) -> Int { (batch * size.heads + head) * size.queryTime + row }

  func clear(_ array: HostArray<Float>, _ width: Int) {
    for row in rowRange { queryRow(array, row, width).update(repeating: 0, count: width) }
  }

  /// Raw scores of a stretch into `scores` [rows, keys], soft cap applied.
  func multiply(
    _ query: HostArray<Float>, _ key: HostArray<Float>, _ stretch: Stretch,
    into scores: UnsafeMutablePointer<Float>,
  ) {
    let (rows, keys) = (stretch.rows, stretch.keys)
    HostProduct(transposeB: true, m: rows.count, n: keys.count, k: size.width, alpha: options.scale).run(
      queries(query, rows.lowerBound, size.width), self.keys(key, keys.lowerBound, size.width),
      .init(scores, stride: keys.count))
    if options.softcap > 0 { nibble_attention_cap(scores, rows.count * keys.count, options.softcap) }
  }

  /// Bias and masks of one row of scores.
  func mask(_ row: Int, _ keys: Range<Int>, _ scores: UnsafeMutablePointer<Float>) {
    let position = position(row)
    let seen = options.range(position: position, keyTime: size.keyTime)
    let documents = extras.documents.flatMap { HostArray<Int32>($0.memory) }
    let mask = extras.mask.flatMap { HostArray<UInt8>($0.memory) }
    let slope = extras.slopes.flatMap { HostArray<Float>($0.memory) }.map { $0[head] } ?? 0
    let line = batch * size.keyTime
    var settings = nibble_attention_row(
      slope: slope, position: position, first_key: keys.lowerBound,
      begin: seen.lowerBound - keys.lowerBound, end: seen.upperBound - keys.lowerBound,
      documents: documents.map { UnsafePointer($0.pointer + line + keys.lowerBound) },
      document_known: position >= 0 ? 1 : 0,
      document: position >= 0 ? documents.map { $0[line + position] } ?? 0 : 0,
      mask: mask.map { UnsafePointer($0.pointer + row * size.keyTime + keys.lowerBound) })
    nibble_attention_mask(scores, keys.count, &settings)
  }
}

extension Attention {
  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let query = HostArray<Float>(inputs[0].memory), let key = HostArray<Float>(inputs[1].memory),
      let value = HostArray<Float>(inputs[2].memory), let output = HostArray<Float>(outputs[0].memory),
      let logSumExp = HostArray<Float>(outputs[1].memory)
    else { return }
    let entropy = returnsEntropy ? HostArray<Float>(outputs[2].memory) : nil
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    let blocks = HostAttentionBlock.count(size)
    let extras = HostExtras(options.extras(of: inputs))
    BLAS.singleThreaded(restoring: device.threads.count) {
      device.threads.forRanges(size.batch * size.heads * blocks, grain: 1) { range in
        for index in range {
          // The last blocks see most keys when causal: they start first.
          let block = HostAttentionBlock(
            options, size, batch: index / blocks / size.heads, head: index / blocks % size.heads,
            block: blocks - 1 - index % blocks, extras: extras.value)
          run(block, query, key, value, output, logSumExp, entropy)
        }
      }
    }
  }

  private func run(
    _ block: HostAttentionBlock, _ query: HostArray<Float>, _ key: HostArray<Float>,
    _ value: HostArray<Float>, _ output: HostArray<Float>, _ logSumExp: HostArray<Float>,
    _ entropy: HostArray<Float>?,
  ) {
    let size = block.size
    let sink = block.extras.sinks.flatMap { HostArray<Float>($0.memory) }.map { $0[block.head] }
    var rows = [OnlineSoftmax](repeating: OnlineSoftmax(sink: sink), count: block.rowRange.count)
    block.clear(output, size.valueWidth)
    let stretch = block.rowRange.count * HostAttentionBlock.keys
    withUnsafeTemporaryAllocation(of: Float.self, capacity: stretch + HostAttentionBlock.keys) { scratch in
      guard let scores = scratch.baseAddress else { return }
      let raw = entropy.map { _ in scores + stretch }
      for stretch in block.stretches {
        let keys = stretch.keys
        block.multiply(query, key, stretch, into: scores)
        for (index, row) in stretch.rows.enumerated() {
          let line = scores + index * keys.count
          block.mask(row, keys, line)
          let factor = rows[row - block.rowRange.lowerBound].add(line, keys.count, raw: raw)
          guard factor != 1 else { continue }
          nibble_row_scale(block.queryRow(output, row, size.valueWidth), size.valueWidth, factor)
        }
        HostProduct(m: stretch.rows.count, n: size.valueWidth, k: keys.count, beta: 1).run(
          .init(scores, stride: keys.count), block.keys(value, keys.lowerBound, size.valueWidth),
          block.queries(output, stretch.rows.lowerBound, size.valueWidth))
      }
    }
    for (softmax, row) in zip(rows, block.rowRange) {
      let target = block.queryRow(output, row, size.valueWidth)
      nibble_row_scale(target, size.valueWidth, softmax.total > 0 ? 1 / softmax.total : 0)
      logSumExp[block.statistic(row)] = softmax.logSumExp
      entropy?[block.statistic(row)] = softmax.entropy
    }
  }
}

/// The softmax of one row of scores that come in stretches.
private struct OnlineSoftmax {
  private var maximum: Float
  /// Sum of the keys' exponentials, relative to the maximum.
  private var sum: Float = 0
  /// The sink's.
  private var sinkWeight: Float
  /// Sum of exponential times (score - maximum).
  private var moment: Float = 0

  init(sink: Float?) {
    maximum = sink ?? NIBBLE_MASKED
    sinkWeight = sink == nil ? 0 : 1
  }

  var total: Float { sum + sinkWeight }
  var logSumExp: Float { total > 0 ? maximum + Float.log(total) : NIBBLE_MASKED }
  /// - sum of p log p over the keys.
  var entropy: Float { total > 0 ? (Float.log(total) * sum - moment) / total : 0 }

  /// Turns scores into exponentials relative to the new maximum.
  ///
  /// - Parameter raw: Room for the scores where the entropy is wanted.
  /// - Returns: What everything before has to be multiplied with.
  mutating func add(_ scores: UnsafeMutablePointer<Float>, _ count: Int, raw: UnsafeMutablePointer<Float>?)
    -> Float
  {
    let new = max(nibble_row_maximum(scores, count), maximum)
    let factor = new == maximum ? 1 : Float.exp(maximum - new)
    raw?.update(from: scores, count: count)
    moment = sum > 0 ? factor * (moment + sum * (maximum - new)) : 0
    sum = factor * sum + nibble_row_exponentials(scores, count, new)
    sinkWeight *= factor
    if let raw { moment += nibble_row_moment(scores, raw, count, new) }
    maximum = new
    return factor
  }
}

/// The optional operands inside a threaded loop, where they are only read.
struct HostExtras: @unchecked Sendable {
  // Tensors hold references to memory that nobody writes during the loop.
  let value: AttentionExtras<Tensor>

  init(_ value: AttentionExtras<Tensor>) { self.value = value }
}
