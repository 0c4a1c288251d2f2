extension Tape {
  /// Diagonal state space layer in recurrent form; see ``S4D``.
  ///
  /// - Parameters:
  ///   - u: [batch, time, channels].
  ///   - initialState: Real and imaginary parts [batch, channels, states]; zeros without.
  ///   - documents: int32 [batch, time].
  /// - Returns: y like u, and the states behind the last token.
  public func s4d(
    _ u: Tensor, _ parameters: S4DParameters, initialState: (real: Tensor, imaginary: Tensor)? = nil,
    documents: Tensor? = nil,
  ) -> (y: Tensor, finalState: (real: Tensor, imaginary: Tensor)) {
    let operation = S4D(hasInitialState: initialState != nil, hasDocuments: documents != nil)
    let extras = [initialState?.real, initialState?.imaginary, documents].compactMap { $0 }
    let outputs = apply(operation, [u] + parameters.tensors + extras)
    return (outputs[0], (outputs[1], outputs[2]))
  }

  /// The layer's convolution kernel, `2 Re(sum over states of C F E^l)` for l < time, as [time, channels].
  ///
  /// It is the layer's answer to an impulse: powers of E are never formed, so that long phases keep their digits.
  public func s4dKernel(_ parameters: S4DParameters, time: Int) -> Tensor {
    let channels = parameters.logTimeStep.shape.count
    let impulse = (0..<time * channels).map { Float($0 < channels ? 1 : 0) }
    var silent = parameters
    silent.skip = Tensor([Float](repeating: 0, count: channels), shape: [channels], on: device)
    let u = Tensor(impulse, shape: [1, time, channels], on: device)
    return s4d(u, silent).y.reshaped(to: [time, channels])
  }

  /// The layer on one document from zero states as a long convolution with ``s4dKernel(_:time:)``; see
  /// ``LongConvolution``.
  ///
  /// Its work grows with the square of the time: it pays where there are more than about a sixth as many states as
  /// tokens.
  public func s4dConvolution(_ u: Tensor, _ parameters: S4DParameters) -> Tensor {
    let kernel = s4dKernel(parameters, time: u.shape[1])
    let program = PointwiseProgram(inputs: 3) { [$0[0] + $0[1] * $0[2]] }
    let skip = Pointwise(program, operands: [.init(0), .init(1), .init(2, .row)])
    return apply(skip, [longConvolution(u, filter: kernel), u, parameters.skip])[0]
  }
}

/// The parameters of an ``S4D`` layer.
public struct S4DParameters {
  /// [channels].
  public var logTimeStep: Tensor
  /// [channels, states]; likewise the imaginary part of A and both parts of C.
  public var logNegativeReal: Tensor
  public var imaginary: Tensor
  public var outputReal: Tensor
  public var outputImaginary: Tensor
  /// [channels]: the input's own share of the output.
  public var skip: Tensor

  public init(
    logTimeStep: Tensor, logNegativeReal: Tensor, imaginary: Tensor, outputReal: Tensor,
    outputImaginary: Tensor, skip: Tensor,
  ) {
    self.logTimeStep = logTimeStep
    self.logNegativeReal = logNegativeReal
    self.imaginary = imaginary
    self.outputReal = outputReal
    self.outputImaginary = outputImaginary
    self.skip = skip
  }

  var tensors: [Tensor] {
    [logTimeStep, logNegativeReal, imaginary, outputReal, outputImaginary, skip]
  }
}
