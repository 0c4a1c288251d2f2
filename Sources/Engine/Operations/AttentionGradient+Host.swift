import CHost
public import Kernels

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
            for block in 0..<HostAttentionBlock.count(size) {
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
    let (output, logSumExp, cotangent) = (arrays[3], arrays[4], arrays[5])
    let size = block.size
    block.clear(arrays[6], size.width)
    let sinks = block.extras.sinks.flatMap { HostArray<Float>($0.memory) }
    var sinkGradient: Float = 0
    let deltas = block.rowRange.map { row in
      let delta = nibble_dot(
        block.queryRow(output, row, size.valueWidth), block.queryRow(cotangent, row, size.valueWidth),
        size.valueWidth)
      if let sinks { sinkGradient -= Float.exp(sinks[block.head] - logSumExp[block.statistic(row)]) * delta }
      return delta
    }
    let isCapped = options.softcap > 0
    let capacity = block.rowRange.count * HostAttentionBlock.keys
    withUnsafeTemporaryAllocation(of: Float.self, capacity: (isCapped ? 3 : 2) * capacity) { scratch in
      guard let p = scratch.baseAddress else { return }
      for stretch in block.stretches {
        add(
          stretch, of: block, arrays, deltas, p: p, dp: p + capacity,
          capped: isCapped ? p + 2 * capacity : nil)
      }
    }
    return sinkGradient
  }

  /// Adds the gradients of one stretch of keys.
  ///
  /// - Parameters:
  ///   - p: Room for the probabilities [rows, keys]; `dp` likewise for the gradient of the scores, `capped` for the
  ///     scores behind the soft cap.
  private func add(
    _ stretch: HostAttentionBlock.Stretch, of block: HostAttentionBlock, _ arrays: [HostArray<Float>],
    _ deltas: [Float], p: UnsafeMutablePointer<Float>, dp: UnsafeMutablePointer<Float>,
    capped: UnsafeMutablePointer<Float>?,
  ) {
    let (width, valueWidth) = (block.size.width, block.size.valueWidth)
    let (row, key) = (stretch.rows.lowerBound, stretch.keys.lowerBound)
    let (rows, keys) = (stretch.rows.count, stretch.keys.count)
    let cotangent = block.queries(arrays[5], row, valueWidth)
    block.multiply(arrays[0], arrays[1], stretch, into: p)
    capped?.update(from: p, count: rows * keys)
    HostProduct(transposeB: true, m: rows, n: keys, k: valueWidth).run(
      cotangent, block.keys(arrays[2], key, valueWidth), .init(dp, stride: keys))
    for (index, row) in stretch.rows.enumerated() {
      let line = p + index * keys
      block.mask(row, stretch.keys, line)
      _ = nibble_row_exponentials(line, keys, arrays[4][block.statistic(row)])
      nibble_score_gradient(
        dp + index * keys, line, capped.map { $0 + index * keys }, options.softcap,
        deltas[row - block.rowRange.lowerBound], keys)
    }
    HostProduct(transposeA: true, m: keys, n: valueWidth, k: rows, beta: 1).run(
      .init(p, stride: keys), cotangent, block.keys(arrays[8], key, valueWidth))
    HostProduct(m: rows, n: width, k: keys, alpha: options.scale, beta: 1).run(
      .init(dp, stride: keys), block.keys(arrays[1], key, width), block.queries(arrays[6], row, width))
    HostProduct(transposeA: true, m: keys, n: width, k: rows, alpha: options.scale, beta: 1).run(
      .init(dp, stride: keys), block.queries(arrays[0], row, width), block.keys(arrays[7], key, width))
  }
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
