import Kernels

/// Diagonal state space layer: every channel filters its input through its own complex states, in recurrent form.
///
/// `A = -exp(log_a_real) + i a_imag`, `dt = exp(log_dt)`, zero-order hold: `E = exp(dt A)`, `F = (E - 1) / A`;
/// `x_t = E x_{t-1} + F u_t`; `y_t = 2 Re(sum over states of C x_t) + d u_t`: one state stands for a conjugate pair.
///
/// Inputs: u [batch, time, channels], log_dt [channels], log_a_real, a_imag, c_real and c_imag [channels, states], d
/// [channels], and where the attributes say so initial_state_real and initial_state_imag [batch, channels, states]
/// (zeros without) and documents int32 [batch, time]: the state is 0 in front of a token whose number differs from its
/// predecessor's. Outputs: y like u, and the real and imaginary parts of the states behind the last token. Cost and
/// memory grow linearly with time; a step of decoding is a call with time 1.
///
/// - SeeAlso: Gu et al., "On the Parameterization and Initialization of Diagonal State Space Models", 2022.
public struct S4D: DifferentiableOperation {
  public static let name = "s4d"
  public let hasInitialState: Bool
  public let hasDocuments: Bool

  public init(hasInitialState: Bool = false, hasDocuments: Bool = false) {
    self.hasInitialState = hasInitialState
    self.hasDocuments = hasDocuments
  }

  public var signature: String {
    "\(operands) > y [batch, time, channels], final_state_real \(Self.states), final_state_imag \(Self.states)"
  }

  static let states = "[batch, channels, states]"

  var operands: String {
    "u [batch, time, channels], log_dt [channels], log_a_real [channels, states], a_imag [channels, states], "
      + "c_real [channels, states], c_imag [channels, states], d [channels]"
      + (hasInitialState ? ", initial_state_real \(Self.states), initial_state_imag \(Self.states)" : "")
      + (hasDocuments ? ", documents: int32 [batch, time]" : "")
  }

  var operandCount: Int { 7 + (hasInitialState ? 2 : 0) + (hasDocuments ? 1 : 0) }

  /// The optional operands.
  func extras<Operand>(
    of operands: [Operand],
  ) -> (real: Operand?, imaginary: Operand?, documents: Operand?) {
    (
      hasInitialState ? operands[7] : nil, hasInitialState ? operands[8] : nil,
      hasDocuments ? operands[operandCount - 1] : nil
    )
  }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard inputs[0].shape.count > 0, inputs[2].shape.count > 0 else {
      throw ShapeError(
        operation: Self.name, expected: signature,
        problem: "an axis is empty: u \(inputs[0]), log_a_real \(inputs[2])")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (channels, states) = (inputs[0].shape[2], inputs[2].shape[1])
    for line in 0..<inputs[0].shape[0] * channels {
      let walk = S4DWalk(self, inputs, line: line)
      for place in walk.places { outputs[0][place] = inputs[6][walk.channel] * inputs[0][place] }
      for state in 0..<states {
        let system = S4DState(inputs, channel: walk.channel, state: state)
        let x = walk.states(system, inputs, state: state)
        for (t, place) in walk.places.enumerated() { outputs[0][place] += 2 * (system.c * x[t].behind).real }
        guard let last = x.last?.behind else { continue }
        outputs[1][line * states + state] = last.real
        outputs[2][line * states + state] = last.imaginary
      }
    }
  }

  public func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: Double(inputs[0].shape.count) * Double(14 * inputs[2].shape[1] + 2), moving: inputs + outputs)
  }

  public var saved: SavedTensors { SavedTensors(inputs: Set(0..<operandCount)) }

  public func backward(_ context: GradientContext) {
    let finals = [1, 2].contains { context.cotangent($0) != nil }
    guard finals || context.cotangent(0) != nil else { return }
    let cotangents = finals ? [0, 1, 2] : [0]
    let results = context.tape.apply(
      S4DGradient(of: self, hasFinalCotangents: finals),
      (0..<operandCount).map { context.input($0) } + cotangents.map { context.cotangentOrZero($0) })
    for (position, gradient) in results.enumerated() { context.add(gradient, to: position) }
  }
}

/// One channel of one sequence, for references.
struct S4DWalk {
  let channel: Int
  /// Where its tokens lie.
  let places: [Int]
  /// Per token: whether the state in front of it is 0.
  let resets: [Bool]
  private let forward: S4D
  private let line: Int

  /// - Parameter line: The sequence times the number of channels plus the channel.
  init<Scalar: ReferenceScalar>(_ forward: S4D, _ inputs: [ReferenceTensor<Scalar>], line: Int) {
    let (time, channels) = (inputs[0].shape[1], inputs[0].shape[2])
    let (sequence, channel) = (line / channels, line % channels)
    self.forward = forward
    self.line = line
    self.channel = channel
    places = (0..<time).map { (sequence * time + $0) * channels + channel }
    let documents = forward.extras(of: inputs).documents
    resets = (0..<time).map {
      RecurrenceOptions.isReset(documents, batch: sequence, time: $0, of: time)
    }
  }

  /// A state in front of and behind every token.
  func states<Scalar: ReferenceScalar>(
    _ system: S4DState<Scalar>, _ inputs: [ReferenceTensor<Scalar>], state: Int,
  ) -> [(before: ComplexNumber<Scalar>, behind: ComplexNumber<Scalar>)] {
    let place = line * inputs[2].shape[1] + state
    let zero = ComplexNumber<Scalar>(0, 0)
    var x = forward.hasInitialState ? ComplexNumber(inputs[7][place], inputs[8][place]) : zero
    return zip(places, resets).map { index, reset in
      let before = reset ? zero : x
      x = system.e * before + system.f * inputs[0][index]
      return (before, x)
    }
  }
}
