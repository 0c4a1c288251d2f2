import CHost
import Glibc
import Kernels

/// The row pass that ``CrossEntropy``, its gradient and ``LinearCrossEntropy`` share: from the logits of some
/// consecutive rows to their losses and, where asked, their gradient.
struct CrossEntropyRows {
  let options: CrossEntropyOptions

  /// Memory of one pass.
  ///
  /// Logits and gradient belong to the rows of the pass, all others to the whole batch.
  struct Operands {
    var logits: Memory
    var labels: Memory
    var tokenLosses: Memory?
    var logSumExp: Memory?
    /// May be the logits' own memory; nil for losses alone.
    var gradient: Memory?
    /// Nil stands for 1.
    var lossCotangent: Memory?
    /// Nil stands for zeros; the same for the next one.
    var tokenCotangents: Memory?
    var logSumExpCotangents: Memory?
  }

  /// The rows of a pass: `first..<first + count` of the batch.
  struct Rows {
    var first: Int
    var count: Int
    var columns: Int
  }
}

/// A device that runs the pass.
protocol CrossEntropyDevice: MatMulDevice {
  func run(_ pass: CrossEntropyRows, _ operands: CrossEntropyRows.Operands, _ rows: CrossEntropyRows.Rows)
    throws
  /// `loss = scale * sum of token losses`, in a fixed order.
  func sum(_ pass: CrossEntropyRows, _ tokenLosses: Memory, to loss: Memory) throws
}

/// An operation of such passes, and of products where it has the head; both kinds of devices run it the same way.
protocol CrossEntropyOperation: Operation {
  func run(_ inputs: [Tensor], _ outputs: [Tensor], on device: some CrossEntropyDevice) throws
}

extension CrossEntropyOperation {
  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try run(inputs, outputs, on: device)
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    try run(inputs, outputs, on: device)
  }
}

extension HostDevice: CrossEntropyDevice {
  func run(
    _ pass: CrossEntropyRows, _ operands: CrossEntropyRows.Operands, _ rows: CrossEntropyRows.Rows,
  ) throws {
    guard let arrays = HostArrays(operands) else { return }
    let columns = rows.columns
    threads.forRanges(rows.count, grain: max(1, 16_384 / columns)) { range in
      for row in range { pass.run(row, of: rows, arrays) }
    }
  }

  func sum(_ pass: CrossEntropyRows, _ tokenLosses: Memory, to loss: Memory) throws {
    guard let losses = HostArray<Float>(tokenLosses), let loss = HostArray<Float>(loss) else { return }
    var sum = 0.0
    for index in 0..<losses.count { sum += Double(losses[index]) }
    loss[0] = Float(pass.options.scale * sum)
  }
}

/// The operands as pointers.
private struct HostArrays: Sendable {
  let logits: HostArray<Float>
  let labels: HostArray<Int32>
  let tokenLosses, logSumExp, gradient: HostArray<Float>?
  let lossCotangent, tokenCotangents, logSumExpCotangents: HostArray<Float>?

  /// Nil when an allocation failed.
  init?(_ operands: CrossEntropyRows.Operands) {
    guard let logits = HostArray<Float>(operands.logits), let labels = HostArray<Int32>(operands.labels)
    else {
      return nil
    }
    self.logits = logits
    self.labels = labels
    let optional = [
      operands.tokenLosses, operands.logSumExp, operands.gradient, operands.lossCotangent,
      operands.tokenCotangents, operands.logSumExpCotangents,
    ]
    let arrays = optional.map { $0.flatMap { HostArray<Float>($0) } }
    guard zip(optional, arrays).allSatisfy({ ($0 == nil) == ($1 == nil) }) else { return nil }
    tokenLosses = arrays[0]
    logSumExp = arrays[1]
    gradient = arrays[2]
    lossCotangent = arrays[3]
    tokenCotangents = arrays[4]
    logSumExpCotangents = arrays[5]
  }
}

extension CrossEntropyRows {
  fileprivate func run(_ row: Int, of rows: Rows, _ arrays: HostArrays) {
    let columns = rows.columns
    let index = rows.first + row
    let x = arrays.logits.pointer + row * columns
    let label = Int(arrays.labels[index])
    let isIgnored = label == options.ignoreIndex
    let target: Float? = !isIgnored && label >= 0 && label < columns ? capped(x[label]) : nil
    let statistics = nibble_softmax_statistics(x, columns, Float(options.softcap))
    let logSumExp = statistics.maximum + logf(statistics.sum)
    if let sums = arrays.logSumExp { sums[index] = logSumExp }
    if let losses = arrays.tokenLosses {
      losses[index] = isIgnored ? 0 : target.map { tokenLoss(statistics, target: $0, columns) } ?? .nan
    }
    guard let gradient = arrays.gradient else { return }
    let d = gradient.pointer + row * columns
    if isIgnored && arrays.logSumExpCotangents == nil { return d.update(repeating: 0, count: columns) }
    let token = arrays.tokenCotangents.map { $0[index] } ?? 0
    let valid = (arrays.lossCotangent.map { $0[0] } ?? 1) * Float(options.scale) + token
    let weight: Float = isIgnored ? 0 : target == nil ? .nan : valid
    let share = isIgnored ? 0 : weight * (1 + 2 * Float(options.zLoss) * logSumExp)
    let whole = share + (arrays.logSumExpCotangents.map { $0[index] } ?? 0)
    let uniform = weight * Float(options.labelSmoothing) / Float(columns)
    nibble_cross_entropy_gradient(
      d, x, columns, Float(options.softcap), statistics.maximum, whole / statistics.sum, uniform)
    if let target { d[label] -= weight * (1 - Float(options.labelSmoothing)) * slope(target) }
  }

  private func tokenLoss(_ row: nibble_row_statistics, target: Float, _ columns: Int) -> Float {
    let logSum = logf(row.sum)
    let logSumExp = row.maximum + logSum
    let s = Float(options.labelSmoothing)
    let loss = logSum - (1 - s) * (target - row.maximum) + Float(options.zLoss) * logSumExp * logSumExp
    return s > 0 ? loss - s * (row.shifted / Float(columns)) : loss
  }

  private func capped(_ x: Float) -> Float {
    let cap = Float(options.softcap)
    return cap > 0 ? cap * tanhf(x / cap) : x
  }

  /// The derivative of the cap where it has the value `l`.
  private func slope(_ l: Float) -> Float {
    let t = l / Float(options.softcap)
    return options.softcap > 0 ? 1 - t * t : 1
  }
}

extension OpenCLDevice: CrossEntropyDevice {
  func run(
    _ pass: CrossEntropyRows, _ operands: CrossEntropyRows.Operands, _ rows: CrossEntropyRows.Rows,
  ) throws {
    let shape = configuration(RowConfiguration.self, for: RowConfiguration.problem(length: rows.columns))
    try pass.enqueue(on: self, operands, rows, lanes: shape.lanes)
  }

  func sum(_ pass: CrossEntropyRows, _ tokenLosses: Memory, to loss: Memory) throws {
    try DeviceSum(scale: Float(pass.options.scale)).enqueue(on: self, tokenLosses, to: loss)
  }
}

extension CrossEntropyRows {
  /// - Parameter lanes: Work-items per row, a power of two.
  func enqueue(on device: OpenCLDevice, _ operands: Operands, _ rows: Rows, lanes: Int) throws {
    let definitions = ["LANES": "\(lanes)", "CAPPED": options.softcap > 0 ? "1" : "0"]
    let ignoreIndex = Int32(clamping: options.ignoreIndex)
    guard let gradient = operands.gradient else {
      let kernel:
        Kernel<
          Buffer<Float>, Buffer<Int32>, Buffer<Float>, Buffer<Float>, UInt32, UInt64, Int32, Float, Float,
          Float,
        > = try device.kernel("cross_entropy_rows", in: "cross_entropy", definitions)
      return kernel(
        Buffer(operands.logits), Buffer(operands.labels), Buffer(operands.tokenLosses),
        Buffer(operands.logSumExp), UInt32(rows.columns), UInt64(rows.first), ignoreIndex,
        Float(options.labelSmoothing), Float(options.softcap), Float(options.zLoss), over: .groups(rows.count)
      )
    }
    let kernel:
      Kernel<
        Buffer<Float>, Buffer<Int32>, Buffer<Float>, Buffer<Float>, Buffer<Float>, Buffer<Float>,
        Buffer<Float>,
        Buffer<Float>, UInt32, UInt64, Int32, Float, Float, Float, Float,
      > = try device.kernel("cross_entropy_gradient", in: "cross_entropy", definitions)
    kernel(
      Buffer(operands.logits), Buffer(operands.labels), Buffer(gradient), Buffer(operands.tokenLosses),
      Buffer(operands.logSumExp), Buffer(operands.lossCotangent), Buffer(operands.tokenCotangents),
      Buffer(operands.logSumExpCotangents), UInt32(rows.columns), UInt64(rows.first), ignoreIndex,
      Float(options.labelSmoothing), Float(options.softcap), Float(options.zLoss), Float(options.scale),
      over: .groups(rows.count))
  }
}
