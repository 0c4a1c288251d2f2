import Kernels
import Testing

@testable import Engine

/// The laws of every linear mixer's recurrence: parallel = chunked = token by token, in values and gradients.
@Suite(.serialized, .exclusiveDevices) struct RecurrenceLawTests {
  typealias Mixer = LinearAttentionProblem.Mixer

  /// Single precision in another order; a state that is lost, doubled or decayed once too often is off by 0.01 and more.
  private static let tolerance = 3e-5

  private func expectEqual(
    _ got: RecurrenceRun.Results, _ want: RecurrenceRun.Results, _ comment: String,
    sourceLocation: SourceLocation = #_sourceLocation,
  ) {
    let pairs =
      [("output", got.output, want.output), ("state", got.state, want.state)]
      + zip(got.gradients, want.gradients).enumerated().map { ("gradient \($0)", $1.0, $1.1) }
    #expect(got.gradients.count == want.gradients.count, sourceLocation: sourceLocation)
    for (name, a, b) in pairs {
      let error = a.isEmpty ? .infinity : relativeError(a, b)
      #expect(error < Self.tolerance, "\(comment): \(name)", sourceLocation: sourceLocation)
    }
  }

  /// Every device, and the definition in fp64 under a name of its own.
  private func devices() throws -> [any OperationDevice] {
    try TestDevices.all() + [ReferenceDevice<Double>()]
  }

  @Test(arguments: Mixer.allCases)
  func partsThatHandOnTheirStateAreTheWhole(mixer: Mixer) throws {
    let run = RecurrenceRun(mixer, time: 131)
    let truth = try run(on: ReferenceDevice<Double>())
    let cuts = [[], [1], [63], [64], [65], [130], [1, 64, 65], [8, 17], Array(1..<131)]
    for device in try devices() {
      for places in cuts {
        let got = try run(on: device, .init(places: places))
        expectEqual(
          got, truth, "\(mixer) on \(device.description.name), \(places.count) cuts, \(places.first ?? 0)")
      }
    }
  }

  /// Lengths around that of a chunk and of the kernel for a few tokens.
  @Test(arguments: Mixer.allCases, [1, 8, 9, 64, 65])
  func everyLengthIsTheDefinition(mixer: Mixer, time: Int) throws {
    let run = RecurrenceRun(mixer, time: time)
    let truth = try run(on: ReferenceDevice<Double>())
    for device in try TestDevices.all() {
      expectEqual(try run(on: device), truth, "\(mixer) on \(device.description.name)")
    }
  }

  @Test(arguments: Mixer.allCases)
  func documentsAreSequencesOfTheirOwn(mixer: Mixer) throws {
    let run = RecurrenceRun(mixer, time: 150)
    let starts = [1, 2, 65, 128, 133]
    // A number that was there before is another document.
    let numbers = (0..<150).map { time in Int32(starts.count { $0 <= time } % 3) }
    let truth = try run(
      on: ReferenceDevice<Double>(), .init(places: starts, handsOnState: false, documents: nil))
    for device in try devices() {
      for places in [[], [40], [90, 140]] {
        let got = try run(on: device, .init(places: places, documents: numbers))
        expectEqual(got, truth, "\(mixer) on \(device.description.name) cut at \(places)")
      }
    }
  }

  @Test(arguments: Mixer.allCases, [1, 9, 70])
  func theParallelFormIsTheSame(mixer: Mixer, time: Int) throws {
    let run = RecurrenceRun(mixer, time: time, batch: 1, heads: 2)
    let (output, state) = ParallelForm(run)()
    for device in try devices() {
      let got = try run(on: device)
      #expect(relativeError(got.output, output) < Self.tolerance, "\(device.description.name)")
      #expect(relativeError(got.state, state) < Self.tolerance, "\(device.description.name)")
    }
  }

  /// Every gradient along a random direction against differences of the parallel form.
  @Test(arguments: Mixer.allCases)
  func theSlopeOfTheParallelFormIsTheGradient(mixer: Mixer) throws {
    let run = RecurrenceRun(mixer, time: 70, batch: 1, heads: 2)
    let slopes = (0...run.inputs.count).map { slope(of: run, input: $0) }
    for device in try devices() {
      let gradients = try run(on: device).gradients
      #expect(gradients.count == slopes.count)
      for (input, gradient) in gradients.enumerated() {
        let direction = direction(input, gradient.count)
        let terms = zip(gradient, direction).map { $0 * $1 }
        let size = terms.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(
          abs(terms.reduce(0, +) - slopes[input]) < Self.tolerance * size,
          "\(mixer) on \(device.description.name): input \(input)")
      }
    }
  }

  private func direction(_ input: Int, _ count: Int) -> [Double] {
    Sample.values(.normal(deviation: 1), count: count, seed: "direction \(input)").map(Double.init)
  }

  /// - Parameter input: The initial state behind the last one.
  private func slope(of run: RecurrenceRun, input: Int) -> Double {
    let step = 1e-5
    let values = [1.0, -1.0].map { sign -> Double in
      var form = ParallelForm(run)
      let isState = input == form.inputs.count
      var moved = isState ? form.initialState : form.inputs[input]
      for (index, slope) in direction(input, moved.count).enumerated() { moved[index] += sign * step * slope }
      if isState { form.initialState = moved } else { form.inputs[input] = moved }
      let (output, state) = form()
      return zip(output + state, run.cotangent + run.finalCotangent).reduce(0) { $0 + $1.0 * Double($1.1) }
    }
    return (values[0] - values[1]) / (2 * step)
  }
}
