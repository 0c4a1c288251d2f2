import CHost
public import Kernels

/// One block of query rows of one head on the host: products by BLAS, rows by vector loops.
private struct HostAttentionBlock {
  static let rows = 64

  let options: AttentionOptions
  let size: AttentionExtents
  let batch: Int
  let head: Int
  let rowRange: Range<Int>
  /// Keys that some row of the block may see.
  let keyRange: Range<Int>
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
    let first = block * Self.rows
    rowRange = first..<min(size.queryTime, first + Self.rows)
    let shift = size.keyTime - size.queryTime
    let lower = options.range(position: rowRange.lowerBound + shift, keyTime: size.keyTime)
    let upper = options.range(position: rowRange.upperBound - 1 + shift, keyTime: size.keyTime)
    let start = min(lower.lowerBound, size.keyTime)
    keyRange = start..<max(start, min(size.keyTime, upper.upperBound))
  }

  var keyHead: Int { head * size.keyHeads / size.heads }

  func queryOffset(_ width: Int) -> Int {
    ((batch * size.queryTime + rowRange.lowerBound) * size.heads + head) * width
  }
  func keyOffset(_ width: Int) -> Int {
    ((batch * size.keyTime + keyRange.lowerBound) * size.keyHeads + keyHead) * width
  }
  func statistic(_ row: Int) -> Int { (batch * size.heads + head) * size.queryTime + row }

  /// Raw scores into `scores` [rows, keys], soft cap applied.
  func multiply(_ query: HostArray<Float>, _ key: HostArray<Float>, into scores: UnsafeMutablePointer<Float>)
  {
    HostProduct(transposeB: true, m: rowRange.count, n: keyRange.count, k: size.width, alpha: options.scale)
      .run(
        .init(query.pointer + queryOffset(size.width), stride: size.heads * size.width),
        .init(key.pointer + keyOffset(size.width), stride: size.keyHeads * size.width),
        .init(scores, stride: keyRange.count))
    if options.softcap > 0 { nibble_attention_cap(scores, rowRange.count * keyRange.count, options.softcap) }
  }

  /// Bias and masks of one row of scores.
  func mask(_ row: Int, _ scores: UnsafeMutablePointer<Float>) {
    let position = row + size.keyTime - size.queryTime
    let seen = options.range(position: position, keyTime: size.keyTime)
    let documents = extras.documents.flatMap { HostArray<Int32>($0.memory) }
    let mask = extras.mask.flatMap { HostArray<UInt8>($0.memory) }
    let slope = extras.slopes.flatMap { HostArray<Float>($0.memory) }.map { $0[head] } ?? 0
    let line = batch * size.keyTime
    var settings = nibble_attention_row(
      slope: slope, position: position, first_key: keyRange.lowerBound,
      begin: seen.lowerBound - keyRange.lowerBound, end: seen.upperBound - keyRange.lowerBound,
      documents: documents.map { UnsafePointer($0.pointer + line + keyRange.lowerBound) },
      document_known: position >= 0 ? 1 : 0,
      document: position >= 0 ? documents.map { $0[line + position] } ?? 0 : 0,
      mask: mask.map { UnsafePointer($0.pointer + row * size.keyTime + keyRange.lowerBound) })
    nibble_attention_mask(scores, keyRange.count, &settings)
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
    let blocks = (size.queryTime + HostAttentionBlock.rows - 1) / HostAttentionBlock.rows
    let extras = HostExtras(options.extras(of: inputs))
    BLAS.singleThreaded(restoring: device.threads.count) {
      device.threads.forRanges(size.batch * size.heads * blocks, grain: 1) { range in
        for index in range {
          let block = HostAttentionBlock(
            options, size, batch: index / blocks / size.heads, head: index / blocks % size.heads,
            block: index % blocks, extras: extras.value)
          run(block, query, key, value, output, logSumExp, entropy)
        }
      }
    }
  }

  private func run(
    _ block: HostAttentionBlock, _ query: HostArray<Float>, _ key: HostArray<Float>,
    _ value: HostArray<Float>,
    _ output: HostArray<Float>, _ logSumExp: HostArray<Float>, _ entropy: HostArray<Float>?,
  ) {
    let size = block.size
    let keys = block.keyRange.count
    let sinks = block.extras.sinks.flatMap { HostArray<Float>($0.memory) }
    var scores = [Float](repeating: 0, count: max(1, block.rowRange.count * keys))
    scores.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      if keys > 0 { block.multiply(query, key, into: base) }
      for (index, row) in block.rowRange.enumerated() {
        let line = base + index * keys
        block.mask(row, line)
        let sink = sinks.map { $0[block.head] }
        let maximum = max(nibble_row_maximum(line, keys), sink ?? -1e30)
        let sum = nibble_row_exponentials(line, keys, maximum) + (sink.map { Float.exp($0 - maximum) } ?? 0)
        nibble_row_scale(line, keys, sum > 0 ? 1 / sum : 0)
        logSumExp[block.statistic(row)] = sum > 0 ? maximum + Float.log(sum) : -1e30
        entropy?[block.statistic(row)] = nibble_row_entropy(line, keys)
      }
      let target = output.pointer + block.queryOffset(size.valueWidth)
      guard keys > 0 else {
        for row in 0..<block.rowRange.count {
          (target + row * size.heads * size.valueWidth).update(repeating: 0, count: size.valueWidth)
        }
        return
      }
      HostProduct(m: block.rowRange.count, n: size.valueWidth, k: keys).run(
        .init(base, stride: keys),
        .init(value.pointer + block.keyOffset(size.valueWidth), stride: size.keyHeads * size.valueWidth),
        .init(target, stride: size.heads * size.valueWidth))
    }
  }
}

extension AttentionGradient {
  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let first = 3 + options.extraCount
    let arrays = (inputs[0..<3] + inputs[first...] + outputs).compactMap { HostArray<Float>($0.memory) }
    guard arrays.count == 6 + outputs.count else { return }
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    let extras = HostExtras(options.extras(of: inputs))
    let parts = SinkGradients(count: size.batch * size.heads)
    for gradient in arrays[7...8] { gradient.pointer.update(repeating: 0, count: gradient.count) }
    // One thread per key/value head: the heads that share it add to its gradients in turn.
    BLAS.singleThreaded(restoring: device.threads.count) {
      device.threads.forRanges(size.batch * size.keyHeads, grain: 1) { range in
        for index in range {
          let (batch, keyHead) = (index / size.keyHeads, index % size.keyHeads)
          let group = size.heads / size.keyHeads
          for head in keyHead * group..<(keyHead + 1) * group {
            let blocks = (size.queryTime + HostAttentionBlock.rows - 1) / HostAttentionBlock.rows
            for block in 0..<blocks {
              let block = HostAttentionBlock(
                options, size, batch: batch, head: head, block: block, extras: extras.value)
              parts.add(run(block, arrays), at: batch * size.heads + head)
            }
          }
        }
      }
    }
    guard options.hasSinks else { return }
    for head in 0..<size.heads {
      arrays[9][head] = (0..<size.batch).reduce(0) { $0 + parts[$1 * size.heads + head] }
    }
  }

  /// Adds the gradients of one block; returns that of the head's sink.
  private func run(_ block: HostAttentionBlock, _ arrays: [HostArray<Float>]) -> Float {
    let (query, key, value, output) = (arrays[0], arrays[1], arrays[2], arrays[3])
    let (logSumExp, cotangent) = (arrays[4], arrays[5])
    let size = block.size
    let (rows, keys) = (block.rowRange.count, block.keyRange.count)
    let queryGradient = arrays[6].pointer + block.queryOffset(size.width)
    guard keys > 0 else {
      for row in 0..<rows {
        (queryGradient + row * size.heads * size.width).update(repeating: 0, count: size.width)
      }
      return 0
    }
    let o = block.queryOffset(size.valueWidth)
    let (valueStride, queryStride) = (size.heads * size.valueWidth, size.heads * size.width)
    let (keyRowStride, valueRowStride) = (size.keyHeads * size.width, size.keyHeads * size.valueWidth)
    let sinks = block.extras.sinks.flatMap { HostArray<Float>($0.memory) }
    var sinkGradient: Float = 0
    let isCapped = options.softcap > 0
    withUnsafeTemporaryAllocation(of: Float.self, capacity: (isCapped ? 3 : 2) * rows * keys) { scratch in
      guard let p = scratch.baseAddress else { return }
      let dp = p + rows * keys
      let capped = isCapped ? dp + rows * keys : nil
      block.multiply(query, key, into: p)
      capped?.update(from: p, count: rows * keys)
      HostProduct(transposeB: true, m: rows, n: keys, k: size.valueWidth).run(
        .init(cotangent.pointer + o, stride: valueStride),
        .init(value.pointer + block.keyOffset(size.valueWidth), stride: valueRowStride),
        .init(dp, stride: keys))
      for (index, row) in block.rowRange.enumerated() {
        let line = p + index * keys
        let sum = logSumExp[block.statistic(row)]
        block.mask(row, line)
        _ = nibble_row_exponentials(line, keys, sum)
        let delta = nibble_dot(
          output.pointer + o + index * valueStride, cotangent.pointer + o + index * valueStride,
          size.valueWidth)
        nibble_score_gradient(
          dp + index * keys, line, capped.map { $0 + index * keys }, options.softcap, delta, keys)
        if let sinks { sinkGradient -= Float.exp(sinks[block.head] - sum) * delta }
      }
      HostProduct(transposeA: true, m: keys, n: size.valueWidth, k: rows, beta: 1).run(
        .init(p, stride: keys), .init(cotangent.pointer + o, stride: valueStride),
        .init(arrays[8].pointer + block.keyOffset(size.valueWidth), stride: valueRowStride))
      HostProduct(m: rows, n: size.width, k: keys, alpha: options.scale).run(
        .init(dp, stride: keys), .init(key.pointer + block.keyOffset(size.width), stride: keyRowStride),
        .init(queryGradient, stride: queryStride))
      HostProduct(transposeA: true, m: keys, n: size.width, k: rows, alpha: options.scale, beta: 1).run(
        .init(dp, stride: keys), .init(query.pointer + block.queryOffset(size.width), stride: queryStride),
        .init(arrays[7].pointer + block.keyOffset(size.width), stride: keyRowStride))
    }
    return sinkGradient
  }
}

/// The optional operands inside a threaded loop, where they are only read.
private struct HostExtras: @unchecked Sendable {
  // Tensors hold references to memory that nobody writes during the loop.
  let value: AttentionExtras<Tensor>

  init(_ value: AttentionExtras<Tensor>) { self.value = value }
}

/// Gradients of sinks per (batch, head); each is written by the one thread that owns its key/value head.
private final class SinkGradients: @unchecked Sendable {
  private let values: UnsafeMutableBufferPointer<Float>

  init(count: Int) {
    values = .allocate(capacity: count)
    values.initialize(repeating: 0)
  }

  deinit { values.deallocate() }

  func add(_ value: Float, at index: Int) { values[index] += value }
  subscript(index: Int) -> Float { values[index] }
}
