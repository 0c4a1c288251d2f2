import Kernels

/// An attention to be timed.
public struct AttentionProblem: Sendable, Hashable {
  public enum Pass: String, Sendable, Hashable, CaseIterable {
    case forward
    case backward
    /// Forward and backward one after the other.
    case both
  }

  public var pass: Pass
  public var batch: Int
  public var time: Int
  public var heads: Int
  public var keyHeads: Int
  /// Values of a head.
  public var width: Int
  public var isCausal: Bool
  /// Keys that a query sees, itself included; nil sees all.
  public var window: Int?

  public init(
    _ pass: Pass, batch: Int = 1, time: Int, heads: Int, keyHeads: Int, width: Int, isCausal: Bool = true,
    window: Int? = nil,
  ) {
    self.pass = pass
    self.batch = batch
    self.time = time
    self.heads = heads
    self.keyHeads = keyHeads
    self.width = width
    self.isCausal = isCausal
    self.window = window
  }

  var options: AttentionOptions {
    AttentionOptions(
      scale: 1 / Float(width).squareRoot(), isCausal: isCausal, windowLeft: window.map { $0 - 1 })
  }

  var queryShape: Shape { [batch, time, heads, width] }
  private var keyShape: Shape { [batch, time, keyHeads, width] }

  /// Queries, keys, values and the result; backward also their gradients.
  var tensors: [Shape] {
    let forward = [queryShape, keyShape, keyShape, queryShape]
    return pass == .forward ? forward : forward + forward
  }

  var forward: OperationProblem {
    OperationProblem(
      Attention(options),
      [.init(queryShape), .init(keyShape), .init(keyShape)],
      check: BenchmarkCheck(rows.map { forwardPart($0) }))
  }

  /// - Parameters:
  ///   - inputs: Those of ``forward``.
  ///   - outputs: What the device made of them.
  func backward(_ inputs: [[Float]], _ outputs: [[Float]]) -> OperationProblem {
    let cotangent = BenchmarkValues.make(
      .normal(deviation: 1), count: queryShape.count, stream: "cotangent")
    let shapes = [queryShape, keyShape, keyShape, queryShape, [batch, heads, time], queryShape]
    var check = BenchmarkCheck(rows.map { queryGradientPart($0) }, factor: 3)
    check.further = keys.flatMap { place in
      [1, 2].map { output in
        BenchmarkCheck.Further(output: output, elements: elements(ofKey: place)) { inputs, _ in
          let truth: AttentionKeyGradient<Double> = .init(self, place, inputs)
          let plain: AttentionKeyGradient<Float> = .init(self, place, inputs)
          return output == 1
            ? (truth.key, plain.key.map(Double.init)) : (truth.value, plain.value.map(Double.init))
        }
      }
    }
    return OperationProblem(
      AttentionGradient(options), types: shapes.map { TensorType($0, .float32) },
      values: inputs + outputs + [cotangent], check: check)
  }

  // MARK: Parts

  /// A row of queries or keys.
  struct Place: Sendable, Hashable {
    let batch: Int
    let head: Int
    let row: Int
  }

  /// Rows of the first and the last head.
  ///
  /// - Parameter ends: Rows that are always among them: where few keys or queries meet, gradients and their rounding are
  ///   largest, and the plain reference must show it.
  private func places(_ count: Int, heads: Int, and ends: Range<Int>, _ stream: String) -> [Place] {
    let corners = Set([Place(batch: 0, head: 0, row: 0), Place(batch: batch - 1, head: heads - 1, row: 0)])
    return corners.sorted { ($0.batch, $0.head) < ($1.batch, $1.head) }.flatMap { corner in
      let chosen = BenchmarkChoice("\(stream) \(corner.head)").numbers(count, of: 0..<time)
      return Set(chosen).union(ends).sorted().map {
        Place(batch: corner.batch, head: corner.head, row: $0)
      }
    }
  }

  private var rows: [Place] { places(8, heads: heads, and: 0..<min(8, time), "query rows") }
  private var keys: [Place] { places(6, heads: keyHeads, and: max(0, time - 4)..<time, "key rows") }

  /// Keys that matter to one row: with causality, the row stands last among them.
  private func keyCount(_ place: Place) -> Int { isCausal ? place.row + 1 : time }

  private func elements(ofQuery place: Place) -> [Int] {
    let start = ((place.batch * time + place.row) * heads + place.head) * width
    return Array(start..<start + width)
  }

  private func elements(ofKey place: Place) -> [Int] {
    let start = ((place.batch * time + place.row) * keyHeads + place.head) * width
    return Array(start..<start + width)
  }

  private func operands(_ place: Place) -> [BenchmarkCheck.Operand] {
    let group = place.head * keyHeads / heads
    let keys = (0..<keyCount(place)).flatMap {
      elements(ofKey: Place(batch: place.batch, head: group, row: $0))
    }
    let shape: Shape = [1, keyCount(place), 1, width]
    return [.init([1, 1, 1, width], elements(ofQuery: place)), .init(shape, keys), .init(shape, keys)]
  }

  private func statistic(_ place: Place) -> [Int] {
    [(place.batch * heads + place.head) * time + place.row]
  }

  /// One query row against its keys.
  ///
  /// Without causality the row's number says nothing, so a window needs causality.
  private func forwardPart(_ place: Place) -> BenchmarkCheck.Part {
    BenchmarkCheck.Part(
      operation: Attention(options), inputs: operands(place),
      results: [.init(0, ofWhole: elements(ofQuery: place)), .init(1, ofWhole: statistic(place))])
  }

  private func queryGradientPart(_ place: Place) -> BenchmarkCheck.Part {
    let row = BenchmarkCheck.Operand([1, 1, 1, width], elements(ofQuery: place))
    return BenchmarkCheck.Part(
      operation: AttentionGradient(options),
      inputs: operands(place) + [row, .init([1, 1, 1], statistic(place)), row],
      results: [.init(0, ofWhole: elements(ofQuery: place))])
  }

  /// Rows of queries that see a key.
  func rowsThatSee(_ key: Int) -> Range<Int> {
    (isCausal ? key : 0)..<min(time, window.map { key + $0 } ?? time)
  }
}

/// Gradients of one key and its value by the definition, with the probabilities that `log_sum_exp` gives: one pass over
/// the queries, where the reference of the whole operation would take as many as there are keys.
private struct AttentionKeyGradient<Scalar: ReferenceScalar> {
  var key: [Scalar]
  var value: [Scalar]

  /// - Parameter inputs: Query, key, value, output, log-sum-exp and cotangent.
  init(_ problem: AttentionProblem, _ place: AttentionProblem.Place, _ inputs: [[Float]]) {
    let width = problem.width
    let k = ((place.batch * problem.time + place.row) * problem.keyHeads + place.head) * width
    let share = problem.heads / problem.keyHeads
    let scale = Scalar(problem.options.scale)
    key = [Scalar](repeating: 0, count: width)
    value = key
    func dot(_ a: Int, _ i: Int, _ b: Int, _ j: Int) -> Scalar {
      (0..<width).reduce(0) { $0 + Scalar(inputs[a][i + $1]) * Scalar(inputs[b][j + $1]) }
    }
    for head in place.head * share..<(place.head + 1) * share {
      for row in problem.rowsThatSee(place.row) {
        let q = ((place.batch * problem.time + row) * problem.heads + head) * width
        let sum = Scalar(inputs[4][(place.batch * problem.heads + head) * problem.time + row])
        let probability = Scalar.exp(dot(0, q, 1, k) * scale - sum)
        let slope = probability * (dot(5, q, 2, k) - dot(5, q, 3, q)) * scale
        for column in 0..<width {
          key[column] += slope * Scalar(inputs[0][q + column])
          value[column] += probability * Scalar(inputs[5][q + column])
        }
      }
    }
  }
}

extension KernelBenchmark {
  /// Attention on random queries, keys and values.
  public static func attention(_ problem: AttentionProblem) -> KernelBenchmark {
    let name = problem.pass == .both ? "attention" : "attention_\(problem.pass.rawValue)"
    let parameters: [BenchmarkRow.Parameter] =
      [
        .init("time", "\(problem.time)"), .init("heads", "\(problem.heads)"),
        .init("kv_heads", "\(problem.keyHeads)"), .init("width", "\(problem.width)"),
        .init("batch", "\(problem.batch)"), .init("causal", problem.isCausal ? "yes" : "no"),
      ] + (problem.window.map { [.init("window", "\($0)")] } ?? [])
    return KernelBenchmark(name, parameters, tensors: problem.tensors) { device in
      let whole = problem.forward
      let forward = try OperationTensors(whole, on: device)
      if problem.pass == .forward { return PreparedBenchmark(whole, forward, on: device) }
      // The gradient starts from what the forward really gives.
      try device.execute(whole.operation, forward.inputs, forward.outputs)
      let outputs = try forward.outputValues(on: device)
      let gradient = problem.backward(whole.values, outputs)
      let tensors = try OperationTensors(gradient, on: device)
      var backward = PreparedBenchmark(gradient, tensors, on: device)
      backward.verify = { [verify = backward.verify] in
        let first = try whole.verify(outputs)
        return first.isFailed ? first : .worse(first, try verify())
      }
      return problem.pass == .backward
        ? backward : PreparedBenchmark(whole, forward, on: device).followed(by: backward)
    }
  }
}
