import Kernels

/// The fused backward of ``S4D``: gradients of all inputs but the documents, in their order.
///
/// Inputs: those of the forward, dy and, with cotangents of the final states, their real and imaginary parts. States
/// are made again, not kept.
struct S4DGradient: Operation {
  static let name = "s4d_gradient"
  let forward: S4D
  let hasFinalCotangents: Bool

  init(of forward: S4D, hasFinalCotangents: Bool) {
    self.forward = forward
    self.hasFinalCotangents = hasFinalCotangents
  }

  var signature: String {
    let states = S4D.states
    let inputs =
      "\(forward.operands), dy [batch, time, channels]"
      + (hasFinalCotangents ? ", dfinal_real \(states), dfinal_imag \(states)" : "")
    let matrices = ["dlog_a_real", "da_imag", "dc_real", "dc_imag"].map { "\($0) [channels, states]" }
    return
      "\(inputs) > du [batch, time, channels], dlog_dt [channels], \(matrices.joined(separator: ", ")), dd [channels]"
      + (forward.hasInitialState ? ", dinitial_real \(states), dinitial_imag \(states)" : "")
  }

  func validate(_ inputs: [TensorType]) throws(ShapeError) { try forward.validate(inputs) }

  /// The operands besides the forward's first seven.
  struct Operands<Operand> {
    let real, imaginary, documents: Operand?
    let cotangent: Operand
    let finalReal, finalImaginary: Operand?
  }

  func operands<Operand>(of inputs: [Operand]) -> Operands<Operand> {
    let extras = forward.extras(of: inputs)
    let first = forward.operandCount
    return Operands(
      real: extras.real, imaginary: extras.imaginary, documents: extras.documents, cotangent: inputs[first],
      finalReal: hasFinalCotangents ? inputs[first + 1] : nil,
      finalImaginary: hasFinalCotangents ? inputs[first + 2] : nil)
  }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let (channels, states) = (inputs[0].shape[2], inputs[2].shape[1])
    for index in 1..<7 { for place in 0..<outputs[index].shape.count { outputs[index][place] = 0 } }
    let dy = operands(of: inputs).cotangent
    for line in 0..<inputs[0].shape[0] * channels {
      let walk = S4DWalk(forward, inputs, line: line)
      for place in walk.places {
        outputs[0][place] = inputs[6][walk.channel] * dy[place]
        outputs[6][walk.channel] += inputs[0][place] * dy[place]
      }
      for state in 0..<states { reference(walk, inputs, &outputs, line: line, state: state) }
    }
  }

  private func reference<Scalar: ReferenceScalar>(
    _ walk: S4DWalk, _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
    line: Int, state: Int,
  ) {
    typealias Number = ComplexNumber<Scalar>
    let states = inputs[2].shape[1]
    let (place, own) = (line * states + state, walk.channel * states + state)
    let system = S4DState(inputs, channel: walk.channel, state: state)
    let x = walk.states(system, inputs, state: state)
    let operands = operands(of: inputs)
    var behind = Number(operands.finalReal?[place] ?? 0, operands.finalImaginary?[place] ?? 0)
    var (de, df, dc) = (Number(0, 0), Number(0, 0), Number(0, 0))
    for (t, index) in walk.places.enumerated().reversed() {
      let d = operands.cotangent[index]
      let adjoint = behind + system.c.conjugate * (2 * d)
      outputs[0][index] += (system.f.conjugate * adjoint).real
      dc = dc + x[t].behind.conjugate * (2 * d)
      de = de + adjoint * x[t].before.conjugate
      df = df + adjoint * inputs[0][index]
      behind = walk.resets[t] ? Number(0, 0) : system.e.conjugate * adjoint
    }
    // E = exp(dt A), dF / dA = dt^2 p'(dt A) and dF / d(dt) = E.
    let toExponent = de * system.e.conjugate
    let toA = toExponent * system.dt + df * system.inputSlope.conjugate * (system.dt * system.dt)
    outputs[1][walk.channel] +=
      system.dt * ((toExponent.conjugate * system.a).real + (df.conjugate * system.e).real)
    outputs[2][own] += system.a.real * toA.real
    outputs[3][own] += toA.imaginary
    outputs[4][own] += dc.real
    outputs[5][own] += dc.imaginary
    if forward.hasInitialState { (outputs[7][place], outputs[8][place]) = (behind.real, behind.imaginary) }
  }

  func cost(_ inputs: [TensorType], _ outputs: [TensorType]) -> Cost {
    Cost(flops: Double(inputs[0].shape.count) * Double(52 * inputs[2].shape[1] + 4), moving: inputs + outputs)
  }
}
