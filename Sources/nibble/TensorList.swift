import Files
import Terminal

/// Tensors of one or several files: names, types, shapes, and statistics on request.
struct TensorList {
  struct Row {
    let entry: SafetensorsEntry
    let statistics: Statistics?
  }

  struct Statistics {
    var minimum = Float.infinity
    var maximum = -Float.infinity
    var mean = 0.0
    var deviation = 0.0
    var zeros = 0
    var nonFinite = 0

    init(_ values: [Float]) {
      var sum = 0.0
      var sumOfSquares = 0.0
      for value in values {
        guard value.isFinite else {
          nonFinite += 1
          continue
        }
        if value == 0 { zeros += 1 }
        minimum = min(minimum, value)
        maximum = max(maximum, value)
        sum += Double(value)
        sumOfSquares += Double(value) * Double(value)
      }
      let count = Double(max(1, values.count - nonFinite))
      mean = sum / count
      deviation = max(0, sumOfSquares / count - mean * mean).squareRoot()
    }
  }

  private let rows: [Row]
  /// Of all tensors, whatever is listed.
  let elementCount: Int
  let byteCount: Int
  private let types: [String]

  init(file: SafetensorsFile, layer: Int?, statistics: Bool) throws {
    try self.init(file.entries, layer, statistics ? { try file.floats($0) } : nil)
  }

  init(files: ShardedTensors, layer: Int?, statistics: Bool) throws {
    try self.init(files.entries, layer, statistics ? { try files.floats($0) } : nil)
  }

  private init(
    _ entries: [SafetensorsEntry], _ layer: Int?, _ values: ((String) throws -> [Float])?,
  ) throws {
    let kept = layer.map { layer in entries.filter { TensorList.layer(of: $0.name) == layer } } ?? entries
    if let layer, kept.isEmpty {
      let known = Set(entries.compactMap { TensorList.layer(of: $0.name) }).sorted()
      throw Failure(
        "no tensor belongs to layer \(layer)",
        details: [
          known.isEmpty ? "no tensor has a layer" : "layers: \(known[0]) to \(known[known.count - 1])"
        ])
    }
    rows = try kept.map { entry in
      let isNumeric = [.float32, .float64, .float16, .bfloat16].contains(entry.type)
      return Row(
        entry: entry, statistics: isNumeric ? try values.map { Statistics(try $0(entry.name)) } : nil)
    }
    elementCount = entries.reduce(0) { $0 + $1.elementCount }
    byteCount = entries.reduce(0) { $0 + $1.byteRange.count }
    types = Set(entries.map(\.type.rawValue)).sorted()
  }

  /// The first number between dots: `model.layers.3.mlp.up_proj.weight` is of layer 3.
  static func layer(of name: String) -> Int? {
    name.split(separator: ".").lazy.compactMap { Int($0) }.first
  }

  var summary: String {
    "\(Numbers.si(Double(elementCount))) values in \(rows.count) tensors, \(Numbers.bytes(byteCount)), "
      + types.joined(separator: " and ")
  }

  var table: Table {
    let hasStatistics = rows.contains { $0.statistics != nil }
    let extra: [Table.Column] =
      hasStatistics
      ? ["MIN", "MAX", "MEAN", "DEVIATION", "ZEROS", "NOT FINITE"].map { .init($0, .right, priority: 1) } : []
    var table = Table(
      [
        .init("TENSOR", .left), .init("TYPE", .left), .init("SHAPE", .left),
        .init("BYTES", .right, priority: 2),
      ] + extra)
    for row in rows {
      let entry = row.entry
      var cells = [
        entry.name, entry.type.rawValue, entry.shape.map(String.init).joined(separator: " x "),
        Numbers.bytes(entry.byteRange.count),
      ]
      if let it = row.statistics {
        cells += [
          Numbers.significant(Double(it.minimum)), Numbers.significant(Double(it.maximum)),
          Numbers.significant(it.mean), Numbers.significant(it.deviation), Numbers.grouped(it.zeros),
          Numbers.grouped(it.nonFinite),
        ]
      }
      table.append(cells)
    }
    return table
  }

  var json: JSONText {
    .array(
      rows.map { row in
        var members: [JSONText.Member] = [
          .init("name", .string(row.entry.name)), .init("type", .string(row.entry.type.rawValue)),
          .init("shape", .array(row.entry.shape.map { .integer($0) })),
          .init("bytes", .integer(row.entry.byteRange.count)),
        ]
        if let it = row.statistics {
          members += [
            .init("minimum", .number(Double(it.minimum))), .init("maximum", .number(Double(it.maximum))),
            .init("mean", .number(it.mean)), .init("deviation", .number(it.deviation)),
            .init("zeros", .integer(it.zeros)), .init("non_finite", .integer(it.nonFinite)),
          ]
        }
        return .object(members)
      })
  }
}
