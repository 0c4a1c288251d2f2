import Kernels

/// Compares what a device made of a large problem with the fp64 reference of small parts of it.
///
/// Tolerances are those of ``OperationCheck``: a multiple of what the plain single-precision reference loses on the same
/// parts, and 16 units in the last place. Elements that no part covers must at least be finite.
struct BenchmarkCheck: Sendable {
  /// A small problem whose results are elements of the large one's.
  struct Part: Sendable {
    let operation: any Operation
    let inputs: [Operand]
    let results: [Result]
  }

  /// Where an input of a part comes from.
  struct Operand: Sendable {
    let type: TensorType
    /// Elements of the large problem's input; nil for all of them.
    let elements: [Int]?

    init(_ shape: Shape, _ elements: [Int]? = nil, element: ElementType = .float32) {
      type = TensorType(shape, element)
      self.elements = elements
    }
  }

  /// Which elements of an output are compared.
  struct Result: Sendable {
    let output: Int
    /// Elements of the part's output; nil for all of them.
    let ofPart: [Int]?
    let ofWhole: [Int]

    init(_ output: Int, ofPart: [Int]? = nil, ofWhole: [Int]) {
      self.output = output
      self.ofPart = ofPart
      self.ofWhole = ofWhole
    }
  }

  let parts: [Part]
  /// By how much the device may lose more than the plain reference: 2 for results, 3 for gradients.
  let factor: Double
  /// Outputs that are compared in other ways.
  var further: [Further] = []

  /// Elements of an output with values from elsewhere: where a part of the operation itself would be too large.
  struct Further: Sendable {
    let output: Int
    let elements: [Int]
    /// Elements of a row where rows have sizes of their own, as means over a few tokens have beside those over thousands; nil
    /// where all elements are of one size.
    var rowLength: Int? = nil
    /// The values in both precisions, from the large problem's inputs and outputs.
    let values: @Sendable (_ inputs: [[Float]], _ outputs: [[Float]]) -> (truth: [Double], plain: [Double])
  }

  init(_ parts: [Part], factor: Double = 2) {
    self.parts = parts
    self.factor = factor
  }

  private struct Comparison {
    var got: [Double] = []
    var truth: [Double] = []
    var plain: [Double] = []
    var rowLength: Int?

    mutating func append(_ got: [Double], _ truth: [Double], _ plain: [Double]) {
      self.got += got
      self.truth += truth
      self.plain += plain
    }

    var error: Double { relativeError(got, truth, rowLength: rowLength) }
    var plainError: Double { relativeError(plain, truth, rowLength: rowLength) }
  }

  func compare(_ outputs: [[Float]], inputs: [[Float]]) throws -> BenchmarkRow.Verification {
    for (index, output) in outputs.enumerated() {
      if let place = output.firstIndex(where: { !$0.isFinite }) {
        return .failed(reason: "output \(index), element \(place): \(output[place]), or never written")
      }
    }
    var comparisons: [Int: Comparison] = [:]
    for part in parts {
      let truth: [[Double]] = try Self.evaluate(part.operation, part, inputs)
      let plain: [[Float]] = try Self.evaluate(part.operation, part, inputs)
      for result in part.results {
        let elements = result.ofPart ?? Array(truth[result.output].indices)
        comparisons[result.output, default: Comparison()].append(
          result.ofWhole.map { Double(outputs[result.output][$0]) },
          elements.map { truth[result.output][$0] }, elements.map { Double(plain[result.output][$0]) })
      }
    }
    for item in further {
      let values = item.values(inputs, outputs)
      comparisons[item.output, default: Comparison(rowLength: item.rowLength)].append(
        item.elements.map { Double(outputs[item.output][$0]) }, values.truth, values.plain)
    }
    return verdict(comparisons)
  }

  private func verdict(_ comparisons: [Int: Comparison]) -> BenchmarkRow.Verification {
    var worst = 0.0
    for (output, comparison) in comparisons.sorted(by: { $0.key < $1.key }) {
      let error = comparison.error
      let allowed = OperationCheck.tolerance(plainError: comparison.plainError, factor: factor)
      guard allowed.isFinite, error <= allowed else {
        return .failed(reason: "output \(output): error \(error) is above \(allowed)")
      }
      worst = max(worst, error / allowed)
    }
    return .passed(worst: worst)
  }

  private static func evaluate<Scalar: ReferenceScalar>(
    _ operation: some Operation, _ part: Part, _ inputs: [[Float]],
  ) throws -> [[Scalar]] {
    let arguments = zip(part.inputs, inputs).map { operand, values in
      ReferenceTensor(
        operand.type.shape,
        operand.elements.map { $0.map { Scalar(values[$0]) } } ?? values.map { Scalar($0) })
    }
    let types = try operation.outputTypes(for: part.inputs.map(\.type))
    var outputs = types.map { ReferenceTensor<Scalar>($0.shape) }
    operation.reference(arguments, &outputs)
    return outputs.map(\.values)
  }
}

/// Seeded choices of what is compared: the same in every run.
struct BenchmarkChoice: Sendable {
  private let random: CounterRandom

  init(_ stream: String) { random = CounterRandom(seed: 5, stream: stream) }

  /// Up to `count` different numbers of `range` in order; its first and last are always among them.
  func numbers(_ count: Int, of range: Range<Int>) -> [Int] {
    guard range.count > count else { return Array(range) }
    var chosen: Set<Int> = [range.lowerBound, range.upperBound - 1]
    var counter: UInt64 = 0
    while chosen.count < count {
      chosen.insert(range.lowerBound + random.integer(counter, below: range.count))
      counter += 1
    }
    return chosen.sorted()
  }
}
