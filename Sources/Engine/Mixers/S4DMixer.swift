import Glibc
import Kernels

/// A diagonal state space per channel, then GELU and a gated projection: `a sigmoid(b)`, `[a, b] = W gelu(s4d(x)) + bias`.
///
/// `mixer.state_size` is the number of real numbers per channel, in pairs: N / 2 complex states. Tensors: `log_dt`, `d`
/// [model], `log_a_real`, `a_imag`, `c_real`, `c_imag` [model, N / 2], `output_linear.weight` [2 model, model],
/// `output_linear.bias`. A starts as S4D-Lin, -1/2 + i pi n.
///
/// - SeeAlso: Gu et al., "On the Parameterization and Initialization of Diagonal State Space Models", 2022.
struct S4DMixer: CatalogueMixer {
  static let name = "s4d"
  private let space: [Parameter]
  private let output: Linear

  static func parameters(_ shape: MixerShape) -> [MixerParameter] {
    let width = shape.modelDimension
    let states = shape.settings.stateSize / 2
    func matrix(_ name: String, _ start: ParameterStart) -> MixerParameter {
      .init(name: name, shape: [width, states], decays: false, start: start)
    }
    return [
      // Steps log-uniform in [1e-3, 1e-1].
      .vector("log_dt", width, .uniform { log(1e-3) + $0 * (log(1e-1) - log(1e-3)) }),
      matrix("log_a_real", .constant(Float(log(0.5)))),
      matrix("a_imag", .indexed { Float(Double.pi * Double($0 % states)) }),
      matrix("c_real", .normal(deviation: 0.5.squareRoot())),
      matrix("c_imag", .normal(deviation: 0.5.squareRoot())), .vector("d", width, .constant(1)),
      .matrix("output_linear", 2 * width, width), .vector("output_linear.bias", 2 * width, .constant(0)),
    ]
  }

  static func problems(_ shape: MixerShape) -> [String] {
    let size = shape.settings.stateSize
    return size.isMultiple(of: 2) ? [] : ["s4d has states in conjugate pairs, so an even size, not \(size)"]
  }

  init(_ shape: MixerShape, _ named: (String) throws -> Parameter) throws {
    space = try ["log_dt", "log_a_real", "a_imag", "c_real", "c_imag", "d"].map { try named($0) }
    output = Linear(weight: try named("output_linear.weight"), bias: try named("output_linear.bias"))
  }

  func callAsFunction(_ x: Tensor, layer: Int, _ context: ForwardContext) -> Tensor {
    let tape = context.tape
    let kept = context.cache?.states(layer: layer) ?? []
    let tensors = space.map { tape.parameter($0) }
    let parameters = S4DParameters(
      logTimeStep: tensors[0], logNegativeReal: tensors[1], imaginary: tensors[2], outputReal: tensors[3],
      outputImaginary: tensors[4], skip: tensors[5])
    let (y, state) = tape.s4d(
      x, parameters, initialState: kept.count == 2 ? (kept[0], kept[1]) : nil, documents: context.documents)
    context.cache?.keep([state.real, state.imaginary], layer: layer)
    let width = x.shape.last
    let halves = tape.apply(
      SplitColumns(widths: [width, width]), [output(tape.activation(.gelu, y), tape)])
    return tape.apply(Self.gate, halves)[0]
  }

  private static let gate = Pointwise(PointwiseProgram(inputs: 2) { [$0[0] * Activation.sigmoid($0[1])] })
}
