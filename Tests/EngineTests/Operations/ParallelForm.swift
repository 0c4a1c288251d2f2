import Glibc

@testable import Engine

/// Linear mixers as their papers write them: every token against every earlier one, in fp64 and without a state that is
/// carried along.
///
/// Token s writes `p_s u_s^T`; of it `diag(exp(G_t - G_s)) p_s u_s^T` is left at token t, G the sums of the gates. The
/// state in front is written before the first token.
struct ParallelForm {
  let problem: LinearAttentionProblem
  var inputs: [[Double]]
  var initialState: [Double]

  init(_ run: RecurrenceRun) {
    problem = run.problem
    inputs = run.inputs.map { $0.map(Double.init) }
    initialState = run.initialState.map(Double.init)
  }

  /// The output [batch, time, heads, v] and the state [batch, heads, k, v] behind the last token.
  func callAsFunction() -> (output: [Double], state: [Double]) {
    var output = [Double](repeating: 0, count: problem.outputShape.count)
    var state: [Double] = []
    for batch in 0..<problem.batch {
      for head in 0..<problem.heads {
        let sequence = Sequence(self, batch: batch, head: head)
        for (time, row) in sequence.outputs.enumerated() {
          let start = ((batch * problem.time + time) * problem.heads + head) * problem.valueWidth
          output.replaceSubrange(start..<start + problem.valueWidth, with: row)
        }
        state += sequence.state
      }
    }
    return (output, state)
  }

  /// The numbers of a token and a head, by the input's name; nil where the mixer has none.
  fileprivate func row(_ name: String, _ batch: Int, _ time: Int, _ head: Int) -> [Double]? {
    guard let index = problem.operands.firstIndex(where: { $0.name == name }) else { return nil }
    return Array(
      inputs[index][problem.operands[index].elements(problem.size, batch: batch, time: time, head: head)])
  }

  /// One head of one sequence.
  private struct Sequence {
    private struct Write {
      /// Gates that came before it, summed per row of the state.
      let age: [Double]
      let key: [Double]
      let value: [Double]
    }

    private(set) var outputs: [[Double]] = []
    private(set) var state: [Double]

    init(_ form: ParallelForm, batch: Int, head: Int) {
      let problem = form.problem
      let (width, columns) = (problem.width, problem.valueWidth)
      let scale = Double(problem.mixer.scale(width: width))
      var gates = [Double](repeating: 0, count: width)
      // The state in front is as many writes as it has rows.
      let start = (batch * problem.heads + head) * width * columns
      var writes = (0..<width).map { row in
        let values = form.initialState[start + row * columns..<start + (row + 1) * columns]
        return Write(age: gates, key: (0..<width).map { $0 == row ? 1 : 0 }, value: Array(values))
      }
      func read(_ vector: [Double]) -> [Double] {
        var sum = [Double](repeating: 0, count: columns)
        for write in writes {
          let score = (0..<width).reduce(0) {
            $0 + vector[$1] * exp(gates[$1] - write.age[$1]) * write.key[$1]
          }
          for column in 0..<columns { sum[column] += score * write.value[column] }
        }
        return sum
      }
      for time in 0..<problem.time {
        let row = { (name: String) in form.row(name, batch, time, head) }
        let gate = row("log_gate") ?? row("log_decay") ?? [0]
        // RWKV-7 reads what it takes back in front of the decay.
        let removed = row("removal").map(read)
        gates = (0..<width).map { gates[$0] + gate[gate.count == 1 ? 0 : $0] }
        guard let query = row("query") ?? row("receptance"), let key = row("key"), var value = row("value")
        else { break }
        if let beta = row("beta") { value = zip(value, read(key)).map { beta[0] * ($0 - $1) } }
        if let removed, let key = row("replacement") {
          writes.append(Write(age: gates, key: key, value: removed))
        }
        writes.append(Write(age: gates, key: key, value: value))
        outputs.append(read(query).map { scale * $0 })
      }
      state = (0..<width).flatMap { row in read((0..<width).map { $0 == row ? 1 : 0 }) }
    }
  }
}
