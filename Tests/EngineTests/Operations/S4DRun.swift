import Kernels

@testable import Engine

/// A diagonal state space on random operands behind a random state, with cotangents of all its results.
struct S4DRun {
  static let names = [
    "y", "final real", "final imaginary", "du", "dlog_dt", "dlog_a_real", "da_imag", "dc_real", "dc_imag",
    "dd", "dinitial real", "dinitial imaginary",
  ]

  private let time: Int
  private let batch: Int
  private let hasState: Bool
  private let channels = 19
  private let states = 3
  private let u: [Float]
  private let parameters: [[Float]]
  private let initial: [[Float]]
  private let cotangent: [Float]
  private let finalCotangents: [[Float]]

  /// - Parameter hasState: There is a state in front, and the final states have cotangents.
  init(time: Int, batch: Int = 2, logSteps: ClosedRange<Double> = -5 ... -1, hasState: Bool = true) {
    self.time = time
    self.batch = batch
    self.hasState = hasState
    let (width, matrix, state) = (channels, channels * states, batch * channels * states)
    func values(_ fill: Sample.Fill, _ count: Int, _ seed: String) -> [Float] {
      Sample.values(fill, count: count, seed: "s4d \(seed)")
    }
    let normal = Sample.Fill.normal(deviation: 1)
    u = values(normal, batch * time * width, "u")
    parameters = [
      values(.uniform(logSteps), width, "dt"), values(.uniform(-2...1), matrix, "real"),
      values(.uniform(0...6), matrix, "imaginary"), values(normal, matrix, "c real"),
      values(normal, matrix, "c imaginary"), values(normal, width, "d"),
    ]
    initial = ["real", "imaginary"].map { values(normal, state, "state \($0)") }
    cotangent = values(normal, batch * time * width, "dy")
    finalCotangents = ["real", "imaginary"].map { values(normal, state, "final \($0)") }
  }

  private func shape(ofParameter index: Int) -> Shape {
    index == 0 || index == 5 ? [channels] : [channels, states]
  }
  private var stateShape: Shape { [batch, channels, states] }
  private var inputShape: Shape { [batch, time, channels] }

  /// In the order of ``names``.
  typealias Results = [[Double]]

  /// Values and gradients of the sequence, whole or in parts.
  ///
  /// - Parameters:
  ///   - places: First tokens of all parts but the first.
  ///   - handsOnState: Parts start from the state behind the part in front; else from zero, all but the first.
  func callAsFunction(
    on device: any OperationDevice, places: [Int] = [], handsOnState: Bool = true, documents: [Int32]? = nil,
  ) throws -> Results {
    let tape = Tape(on: device, isRecording: true)
    let own = parameters.indices.map {
      tape.watch(Tensor(parameters[$0], shape: shape(ofParameter: $0), on: device))
    }
    let starts =
      hasState ? initial.map { tape.watch(Tensor($0, shape: stateShape, on: device)) } : []
    var inputs: [Tensor] = []
    var outputs: [Tensor] = []
    var state = starts
    let bounds = [0] + places + [time]
    let parts = zip(bounds, bounds.dropFirst()).map { $0..<$1 }
    for tokens in parts {
      let part = tape.watch(RunValues.slice(u, tokens, of: inputShape, on: device))
      let ids = documents.map { numbers in
        Tensor(
          (0..<batch).flatMap { _ in numbers[tokens] }, shape: [batch, tokens.count], on: device)
      }
      let results = tape.apply(
        S4D(hasInitialState: !state.isEmpty, hasDocuments: ids != nil),
        [part] + own + state + [ids].compactMap { $0 })
      inputs.append(part)
      outputs.append(results[0])
      state = handsOnState || tokens.upperBound == time ? Array(results[1...2]) : []
    }
    let finals = hasState ? finalCotangents.map { Tensor($0, shape: stateShape, on: device) } : []
    let gradients = tape.gradients(
      of: outputs + (hasState ? state : []),
      with: parts.map { RunValues.slice(cotangent, $0, of: inputShape, on: device) } + finals,
      for: inputs + own + starts)
    let du = try gradients.prefix(parts.count).map { try RunValues.read($0, on: device) }
    return try [RunValues.join(try outputs.map { try RunValues.read($0, on: device) }, parts, of: inputShape)]
      + state.map { try RunValues.read($0, on: device) } + [RunValues.join(du, parts, of: inputShape)]
      + gradients.dropFirst(parts.count).map { try RunValues.read($0, on: device) }
  }

  /// The same from zero states as one long convolution; without final states.
  func convolution(on device: any OperationDevice) throws -> Results {
    let tape = Tape(on: device, isRecording: true)
    let input = tape.watch(Tensor(u, shape: inputShape, on: device))
    let own = parameters.indices.map {
      tape.watch(Tensor(parameters[$0], shape: shape(ofParameter: $0), on: device))
    }
    let y = tape.s4dConvolution(
      input,
      S4DParameters(
        logTimeStep: own[0], logNegativeReal: own[1], imaginary: own[2], outputReal: own[3],
        outputImaginary: own[4], skip: own[5]))
    let gradients = tape.gradients(
      of: [y], with: [Tensor(cotangent, shape: inputShape, on: device)], for: [input] + own)
    return try [RunValues.read(y, on: device)] + gradients.map { try RunValues.read($0, on: device) }
  }
}
