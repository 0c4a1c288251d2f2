import Kernels

/// Lengths of a recurrence over matrix states.
///
/// Query and key [batch, time, keyHeads, width], value [batch, time, heads, valueWidth], states [batch, heads, width,
/// valueWidth]. Value head h reads query and key head `h * keyHeads / heads`.
struct RecurrenceExtents: Hashable {
  let batch: Int
  let time: Int
  let heads: Int
  let keyHeads: Int
  let width: Int
  let valueWidth: Int

  init(query: Shape, value: Shape) {
    batch = query[0]
    time = query[1]
    keyHeads = query[2]
    width = query[3]
    heads = value[2]
    valueWidth = value[3]
  }

  /// Numbers of one state.
  var stateCount: Int { width * valueWidth }

  var stateShape: Shape { [batch, heads, width, valueWidth] }

  /// Where the state of a head starts.
  func statePlace(_ batch: Int, _ head: Int) -> Int { (batch * heads + head) * stateCount }

  func keyHead(_ head: Int) -> Int { head * keyHeads / heads }

  /// Where the row of a token and a query or key head starts.
  func keyRow(_ batch: Int, _ time: Int, _ keyHead: Int) -> Int {
    ((batch * self.time + time) * keyHeads + keyHead) * width
  }

  /// Where the row of a token and a value head starts, `width` numbers each.
  func row(_ batch: Int, _ time: Int, _ head: Int, width: Int) -> Int {
    ((batch * self.time + time) * heads + head) * width
  }

  func validate(operation: String, signature: String) throws(ShapeError) {
    let demands: [(Bool, String)] = [
      (batch > 0 && time > 0 && width > 0 && valueWidth > 0 && heads > 0, "an axis is empty"),
      (
        keyHeads > 0 && heads.isMultiple(of: max(1, keyHeads)),
        "\(heads) heads are no multiple of \(keyHeads) key heads"
      ),
      (
        width <= Self.largestWidth && valueWidth <= Self.largestWidth,
        "heads of \(width) by \(valueWidth) are wider than \(Self.largestWidth)"
      ),
    ]
    for (holds, problem) in demands where !holds {
      throw ShapeError(operation: operation, expected: signature, problem: problem)
    }
  }

  /// The widest head: a state of this size squared is 4 MiB.
  static let largestWidth = 1024

  /// Multiplications and additions of the recurrent form that meet a state once: 2 for a multiply-add.
  var flopsPerStatePass: Double { 2 * Double(batch * time * heads) * Double(stateCount) }
}
