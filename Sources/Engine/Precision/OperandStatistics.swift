public import Files
import Glibc
import Kernels
import NumberFormats

/// What rounding did to one operand of one layer in one step.
public struct OperandStatistics: Sendable, Equatable {
  /// The weight's name without `.weight`.
  public let layer: String
  /// As in ``LinearFormats/operands``.
  public let operand: String
  /// Signal to noise: `10 log10(sum x^2 / sum (x - q)^2)` in dB; infinite without an error.
  public let signalToNoise: Double
  /// Share of the numbers that are not zero and became zero.
  public let underflow: Double
  /// Share of the numbers beyond their block's largest value.
  public let saturation: Double
  /// `sum (q - x) sign(x) / sum |x|`: below 0 where rounding shrinks; of stochastic rounding near 0.
  public let bias: Double
  /// Mean over rows of `mean x^4 / (mean (x - mean)^2)^2 - 3`, at least 0 (outliers; `excess kurtosis`).
  public let kurtosis: Double
  /// Mean over blocks of the scale's base-2 logarithm, zeros left out: drifts where a tensor grows.
  public let scale: Double
  public let largest: Double
  /// Numbers that are not finite, before or behind the rounding.
  public let nonFinite: Int

  /// - Parameters:
  ///   - x: What was rounded, behind its transform, [rows, columns].
  ///   - rounded: What became of it.
  ///   - format: With its tiles as they lie on this matrix.
  ///   - uniform: What spread the levels, where scales do not follow from the largest magnitude.
  init(
    layer: String, operand: String, x: [Float], rounded: [Float], rows: Int, columns: Int,
    format: BlockFormat,
    uniform: (quantizer: UniformQuantizer, scale: [Float])? = nil,
  ) {
    (self.layer, self.operand) = (layer, operand)
    var (signal, noise, drift, sum) = (0.0, 0.0, 0.0, 0.0)
    var (lost, nonZero, bad) = (0, 0, 0)
    for (value, result) in zip(x, rounded) {
      let (a, b) = (Double(value), Double(result))
      signal += a * a
      noise += (a - b) * (a - b)
      sum += abs(a)
      drift += a < 0 ? a - b : b - a
      if !(a.isFinite && b.isFinite) { bad += 1 }
      guard a != 0 else { continue }
      nonZero += 1
      if b == 0 { lost += 1 }
    }
    signalToNoise = 10 * log10(signal / noise)
    bias = sum > 0 ? drift / sum : 0
    underflow = nonZero > 0 ? Double(lost) / Double(nonZero) : 0
    let blocks =
      uniform.map { Self.blocks(x, columns: columns, $0.quantizer, $0.scale) }
      ?? Self.blocks(x, rows: rows, columns: columns, format)
    (saturation, scale) = (blocks.saturation, blocks.scale)
    kurtosis = ExcessKurtosis.published(x, columns: columns)
    largest = Double(x.largestMagnitude)
    nonFinite = bad
  }

  private static func blocks(
    _ x: [Float], rows: Int, columns: Int, _ format: BlockFormat,
  ) -> (saturation: Double, scale: Double) {
    guard format.scaling != .none, !x.isEmpty else { return (0, 0) }
    let (size, grid) = (
      format.tile.size(rows: rows, columns: columns), format.tile.grid(rows: rows, columns: columns)
    )
    let tensor = format.tensorScale(largest: x.largestMagnitude)
    var magnitudes = [UInt32](repeating: 0, count: grid.rows * grid.columns)
    func tile(_ index: Int) -> Int {
      index / columns / size.rows * grid.columns + index % columns / size.columns
    }
    for index in x.indices {
      let block = tile(index)
      magnitudes[block] = max(magnitudes[block], x[index].bitPattern & 0x7FFF_FFFF)
    }
    let decodes = magnitudes.map { format.scale(of: $0, tensor: tensor).decode }
    let limit = format.element.ends.positive
    let saturated = x.indices.count { x[$0].magnitude > limit * decodes[tile($0)] }
    let logarithms = zip(magnitudes, decodes).compactMap { $0 > 0 && $1 > 0 ? log2(Double($1)) : nil }
    return (
      Double(saturated) / Double(x.count),
      logarithms.isEmpty ? 0 : logarithms.reduce(0, +) / Double(logarithms.count)
    )
  }

  /// The same under scales that do not follow from the largest magnitude.
  private static func blocks(
    _ x: [Float], columns: Int, _ quantizer: UniformQuantizer, _ scales: [Float],
  ) -> (saturation: Double, scale: Double) {
    let grid = quantizer.grid
    let saturated = x.indices.count { index in
      let scale = UniformGrid.held(scales[quantizer.groups.scale(of: index, columns: columns)])
      let position = grid.position(of: x[index], scale: scale)
      return position < Float(grid.smallest) || position > Float(grid.largest)
    }
    let logarithms = scales.map { log2(Double(UniformGrid.held($0))) }
    return (
      Double(saturated) / Double(max(1, x.count)),
      logarithms.reduce(0, +) / Double(max(1, logarithms.count))
    )
  }

  /// As `metrics.jsonl` has it; what is not finite is null.
  public var json: JSON {
    var json: JSONObject = ["layer": .string(layer), "operand": .string(operand)]
    let numbers = [
      ("sqnr_db", signalToNoise), ("underflow", underflow), ("saturation", saturation), ("bias", bias),
      ("excess_kurtosis", kurtosis), ("log2_scale", scale), ("largest", largest),
    ]
    for (key, value) in numbers { json[key] = value.isFinite ? .number(value) : .null }
    json["nonfinite"] = .integer(Int64(nonFinite))
    return .object(json)
  }
}

extension OperandStatistics {
  /// Reads an operand back from its device, which waits for it.
  init(_ view: RoundedOperandView, on device: any OperationDevice) throws {
    let (rows, columns) = (view.x.shape[0], view.x.shape[1])
    var x = try view.x.floats(on: device)
    if let size = view.choice.rotation {
      HadamardTransform(size: size, signs: view.rounding.signs(size)).apply(
        to: &x, rows: rows, columns: columns, downColumns: view.axis == .rows)
    }
    let name = view.rounding.weight
    self.init(
      layer: name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name,
      operand: LinearFormats.operands[view.operand.rawValue], x: x,
      rounded: try view.result.floats(on: device),
      rows: rows, columns: columns, format: view.choice.format,
      uniform: try view.uniform.map { ($0.quantizer, try $0.scale.floats(on: device)) })
  }
}

/// How heavy the tails of activations are, per token over its channels (Outlier-Safe Pre-Training, 2025).
public enum ExcessKurtosis {
  /// As that work's evaluation has it: `mean x^4 / std^4 - 3` with the uncentred fourth moment and the sample deviation,
  /// negative tokens counted as 0, mean over tokens.
  public static func published(_ x: [Float], columns: Int) -> Double {
    mean(x, columns) { row in
      let count = Double(row.count)
      let mean = row.reduce(0, +) / count
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(1, count - 1)
      let fourth = row.reduce(0) { $0 + $1 * $1 * $1 * $1 } / count
      return variance > 0 ? max(0, fourth / (variance * variance) - 3) : 0
    }
  }

  /// The textbook's: central moments of the population, mean over tokens.
  public static func centered(_ x: [Float], columns: Int) -> Double {
    mean(x, columns) { row in
      let count = Double(row.count)
      let mean = row.reduce(0, +) / count
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
      let fourth = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) * ($1 - mean) * ($1 - mean) } / count
      return variance > 0 ? fourth / (variance * variance) - 3 : 0
    }
  }

  private static func mean(_ x: [Float], _ columns: Int, _ value: ([Double]) -> Double) -> Double {
    let rows = columns > 0 ? x.count / columns : 0
    guard rows > 0 else { return 0 }
    let sum = (0..<rows).reduce(0.0) { sum, row in
      sum + value(x[row * columns..<(row + 1) * columns].map(Double.init))
    }
    return sum / Double(rows)
  }
}
