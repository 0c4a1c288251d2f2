import Kernels

/// What a sample of a recurrence has besides its operands' values.
struct RecurrenceSample {
  var time: Int
  var width: Int
  var valueWidth: Int
  var heads = 1
  /// Heads of shared rows; as many as ``heads`` if nil.
  var groups: Int?
  var batch = 1
  /// There is an initial state.
  var initial = false
  /// Tokens of a document; nil for one document.
  var documents: Int?
  var slack = 1.0
  /// Finite differences would take minutes.
  var isLarge = false

  var size: RecurrenceExtents {
    RecurrenceExtents(
      query: [batch, time, groups ?? heads, width], value: [batch, time, heads, valueWidth])
  }

  /// What every recurrence with a decay per key channel meets.
  static let usual: [(label: String, sample: RecurrenceSample)] = [
    ("t5 k4 v8", RecurrenceSample(time: 5, width: 4, valueWidth: 8)),
    (
      "step t1 state", RecurrenceSample(time: 1, width: 20, valueWidth: 33, heads: 2, batch: 2, initial: true)
    ),
    ("step t3 documents", RecurrenceSample(time: 3, width: 4, valueWidth: 16, documents: 1)),
    ("t64 two sequences", RecurrenceSample(time: 64, width: 5, valueWidth: 4, heads: 2, batch: 2)),
    ("t65 k16 v16 state", RecurrenceSample(time: 65, width: 16, valueWidth: 16, initial: true)),
    ("t33 odd widths", RecurrenceSample(time: 33, width: 7, valueWidth: 19, heads: 3)),
    ("t129 documents", RecurrenceSample(time: 129, width: 4, valueWidth: 6, initial: true, documents: 7)),
    ("t40 long documents", RecurrenceSample(time: 40, width: 4, valueWidth: 4, documents: 23)),
    (
      "t20 documents of one token",
      RecurrenceSample(time: 20, width: 4, valueWidth: 4, initial: true, documents: 1)
    ),
  ]

  /// Gates that end the memory between ordinary ones.
  static func nearZeroGates(_ count: Int) -> Sample.Fill {
    .values(
      (0..<count).map { (token: Int) -> Float in
        token % 3 == 1 ? -18 - 2 * Float(token) : -0.1 * Float(token % 5)
      })
  }

  /// - Parameters:
  ///   - fills: Values of operands by name; normal ones for the others.
  ///   - make: The operation; the scale that it is given is the usual one of attention.
  func callAsFunction<Forward: Recurrence>(
    _ label: String, _ fills: [String: Sample.Fill] = [:], _ make: (RecurrenceOptions) -> Forward,
  ) -> Sample {
    let operation = make(
      RecurrenceOptions(
        scale: 1 / Float(width).squareRoot(), hasInitialState: initial, hasDocuments: documents != nil))
    var inputs = operation.operands.map { operand in
      Sample.Input(operand.shape(size), .float32, fills[operand.name] ?? .normal(deviation: 1))
    }
    if initial { inputs.append(.init(size.stateShape)) }
    if let documents {
      // The same id comes again behind another.
      let numbers = (0..<batch * time).map { Float($0 % time / documents % 2) }
      inputs.append(.init([batch, time], .int32, .values(numbers)))
    }
    return Sample(
      label, operation, inputs,
      gradients: isLarge ? [] : documents == nil ? nil : Set(0..<inputs.count - 1), slack: slack)
  }
}
