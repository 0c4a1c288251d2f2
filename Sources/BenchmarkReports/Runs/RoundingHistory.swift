/// The measurements of a run as a table: operands down, steps across.
struct RoundingHistory {
  /// What a cell of a picture shows.
  enum Cell: Hashable {
    /// Not measured there.
    case missing
    case value(Double)
    /// Rounding made no error, so that its decibels have no end.
    case exact
    /// All numbers were zero before they were rounded.
    case zero
    /// Numbers were not finite any more.
    case nonFinite
  }

  /// Neighbouring steps that share a column.
  struct Column: Hashable {
    let first: Int
    let last: Int
    var text: String { first == last ? "step \(first)" : "steps \(first) to \(last)" }
  }

  /// Operand by operand, layers in their order within each.
  let names: [RoundedOperandName]
  let columns: [Column]
  private let cells: [RoundedOperandName: [[RoundingMeasurement]]]
  /// The first mean logarithm of the scales of every operand.
  private let firstScales: [RoundedOperandName: Double]

  /// - Parameter mostCells: Steps share columns beyond so many cells.
  init(_ measurements: [RoundingMeasurement], mostCells: Int = 6000) {
    let known = measurements.map(\.name).unique()
    let operands = known.map(\.operand).unique()
    let layers = Self.sorted(known.map(\.layer).unique())
    let isKnown = Set(known)
    names = operands.flatMap { operand in
      layers.map { RoundedOperandName(layer: $0, operand: operand) }.filter(isKnown.contains)
    }
    let steps = measurements.map(\.step).unique()
    let count = min(steps.count, max(20, mostCells / max(1, names.count)))
    let size = count > 0 ? (steps.count + count - 1) / count : 1
    let groups = stride(from: 0, to: steps.count, by: max(1, size)).map {
      steps[$0..<min($0 + size, steps.count)]
    }
    columns = groups.compactMap { group in
      group.first.flatMap { first in group.last.map { Column(first: first, last: $0) } }
    }
    var column: [Int: Int] = [:]
    for (index, group) in groups.enumerated() { for step in group { column[step] = index } }
    var cells: [RoundedOperandName: [[RoundingMeasurement]]] = [:]
    var firstScales: [RoundedOperandName: Double] = [:]
    for measurement in measurements {
      guard let index = column[measurement.step] else { continue }
      cells[measurement.name, default: Array(repeating: [], count: groups.count)][index].append(measurement)
      if firstScales[measurement.name] == nil {
        firstScales[measurement.name] = measurement.values[.scaleDrift]
      }
    }
    (self.cells, self.firstScales) = (cells, firstScales)
  }

  /// By their number: recomputed layers are met from the last to the first.
  ///
  /// Names of one layer keep their order.
  private static func sorted(_ layers: [String]) -> [String] {
    func number(_ layer: String) -> Int {
      layer.split(separator: ".").lazy.compactMap { Int($0) }.first ?? -1
    }
    return layers.enumerated().sorted { a, b in
      (number(a.element), a.offset) < (number(b.element), b.offset)
    }.map(\.element)
  }

  func column(of step: Int) -> Int? { columns.firstIndex { $0.first <= step && step <= $0.last } }

  func cell(_ name: RoundedOperandName, _ column: Int, _ quantity: RoundingQuantity) -> Cell {
    let found = cells[name]?[column] ?? []
    if found.isEmpty { return .missing }
    if found.contains(where: \.hasNonFinite) { return .nonFinite }
    if found.allSatisfy(\.isZero) { return .zero }
    if let worst = quantity.worst(found.compactMap { value($0, quantity) }) { return .value(worst) }
    return quantity == .signalToNoise ? .exact : .nonFinite
  }

  /// A quantity; the scale as its change.
  func value(_ measurement: RoundingMeasurement, _ quantity: RoundingQuantity) -> Double? {
    guard let value = measurement.values[quantity] else { return nil }
    return quantity == .scaleDrift ? value - (firstScales[measurement.name] ?? value) : value
  }
}
