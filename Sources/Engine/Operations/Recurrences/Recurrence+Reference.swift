import Kernels

/// One token of one head, as references see it.
struct RecurrenceToken<Scalar: ReferenceScalar> {
  /// Values of a query's or key's row.
  let width: Int
  /// Values of a value's row.
  let valueWidth: Int
  private let rows: [[Scalar]]

  init(
    _ operands: [RecurrenceOperand], _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents,
    batch: Int,
    time: Int, head: Int,
  ) {
    width = size.width
    valueWidth = size.valueWidth
    rows = operands.indices.map {
      Array(inputs[$0].values[operands[$0].elements(size, batch: batch, time: time, head: head)])
    }
  }

  /// The numbers of an operand.
  subscript(operand: Int) -> [Scalar] { rows[operand] }

  /// The only number of an operand.
  func number(_ operand: Int) -> Scalar { rows[operand][0] }

  /// Zeros, one row per operand.
  var zeros: [[Scalar]] { rows.map { [Scalar](repeating: 0, count: $0.count) } }

  /// `x^T state`: what a row of keys reads of a state.
  func read(_ state: [Scalar], with x: [Scalar]) -> [Scalar] {
    var sums = [Scalar](repeating: 0, count: valueWidth)
    for row in 0..<width {
      for column in 0..<valueWidth { sums[column] += state[row * valueWidth + column] * x[row] }
    }
    return sums
  }

  /// `state y`: what a row of values reads of a state.
  func readRows(_ state: [Scalar], with y: [Scalar]) -> [Scalar] {
    (0..<width).map { row in
      var sum: Scalar = 0
      for column in 0..<valueWidth { sum += state[row * valueWidth + column] * y[column] }
      return sum
    }
  }

  /// The rows of a state by one factor each.
  func scaleRows(of state: inout [Scalar], by factors: [Scalar]) {
    for row in 0..<width {
      for column in 0..<valueWidth { state[row * valueWidth + column] *= factors[row] }
    }
  }

  /// The dot product of every row of a and b.
  func rowDots(_ a: [Scalar], _ b: [Scalar]) -> [Scalar] {
    (0..<width).map { row in
      var sum: Scalar = 0
      for index in row * valueWidth..<(row + 1) * valueWidth { sum += a[index] * b[index] }
      return sum
    }
  }

  /// `state += x y^T`.
  func write(_ x: [Scalar], _ y: [Scalar], to state: inout [Scalar]) {
    for row in 0..<width {
      for column in 0..<valueWidth { state[row * valueWidth + column] += x[row] * y[column] }
    }
  }
}

extension Recurrence {
  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = extents(inputs.map(\.shape))
    let scale = Scalar(options.scale)
    for batch in 0..<size.batch {
      for head in 0..<size.heads {
        let last = walk(inputs, size, batch: batch, head: head) { time, token, _, state in
          let row = size.row(batch, time, head, width: size.valueWidth)
          let read = token.read(state, with: token[0])
          for column in 0..<size.valueWidth { outputs[0][row + column] = scale * read[column] }
        }
        let place = size.statePlace(batch, head)
        for index in 0..<size.stateCount { outputs[1][place + index] = last[index] }
      }
    }
  }

  /// The tokens of one head in order.
  ///
  /// - Parameter visit: Told every token with the states in front of it, 0 behind the end of a document, and behind it.
  /// - Returns: The last state.
  func walk<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ size: RecurrenceExtents, batch: Int, head: Int,
    _ visit: (_ time: Int, RecurrenceToken<Scalar>, _ before: [Scalar], _ after: [Scalar]) -> Void,
  ) -> [Scalar] {
    let operands = operands
    let (initial, documents) = options.extras(of: inputs, from: operands.count)
    let empty = [Scalar](repeating: 0, count: size.stateCount)
    let place = size.statePlace(batch, head)
    var state = initial.map { Array($0.values[place..<place + size.stateCount]) } ?? empty
    for time in 0..<size.time {
      if RecurrenceOptions.isReset(documents, batch: batch, time: time, of: size.time) { state = empty }
      let token = RecurrenceToken(operands, inputs, size, batch: batch, time: time, head: head)
      let before = state
      advance(&state, by: token)
      visit(time, token, before, state)
    }
    return state
  }
}

extension RecurrenceGradient {
  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let size = forward.extents(inputs.map(\.shape))
    for batch in 0..<size.batch {
      for head in 0..<size.heads { reference(inputs, &outputs, size, batch: batch, head: head) }
    }
  }

  private func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
    _ size: RecurrenceExtents, batch: Int, head: Int,
  ) {
    typealias Step = (token: RecurrenceToken<Scalar>, before: [Scalar], after: [Scalar])
    var steps: [Step] = []
    _ = forward.walk(inputs, size, batch: batch, head: head) { steps.append(($1, $2, $3)) }
    let place = size.statePlace(batch, head)
    let empty = [Scalar](repeating: 0, count: size.stateCount)
    var gradient =
      hasFinalCotangent
      ? Array(inputs[cotangentPosition + 1].values[place..<place + size.stateCount]) : empty
    let documents = forward.options.extras(of: inputs, from: operands.count).documents
    let scale = Scalar(forward.options.scale)
    let targets = operands.map(\.gradient)
    for (time, step) in steps.enumerated().reversed() {
      let row = size.row(batch, time, head, width: size.valueWidth)
      let cotangent = Array(inputs[cotangentPosition].values[row..<row + size.valueWidth])
      step.token.write(step.token[0].map { scale * $0 }, cotangent, to: &gradient)
      var results = step.token.zeros
      results[0] = step.token.readRows(step.after, with: cotangent).map { scale * $0 }
      forward.retreat(&gradient, from: step.token, behind: step.before, into: &results)
      for (output, position) in positions.enumerated() {
        let elements = targets[position].elements(size, batch: batch, time: time, head: head)
        for (element, value) in zip(elements, results[position]) { outputs[output][element] = value }
      }
      if RecurrenceOptions.isReset(documents, batch: batch, time: time, of: size.time) { gradient = empty }
    }
    guard forward.options.hasInitialState else { return }
    let last = outputs.count - 1
    for index in 0..<size.stateCount { outputs[last][place + index] = gradient[index] }
  }
}
