/// The norm in front of a layer, with the residual added on the way.
enum NormLayer {
  case rms(weight: Parameter, epsilon: Double)
  case layer(weight: Parameter, bias: Parameter?, epsilon: Double)

  /// Adds `update` to the residual stream and normalizes the sum.
  ///
  /// - Returns: The new stream and its norm, both [..., dim].
  func callAsFunction(
    _ stream: Tensor, adding update: Tensor?, _ tape: Tape,
  ) -> (stream: Tensor, normalized: Tensor) {
    switch self {
    case .rms(let weight, let epsilon):
      let gain = tape.parameter(weight)
      guard let update else { return (stream, tape.rmsNorm(stream, weight: gain, epsilon: epsilon)) }
      let result = tape.rmsNorm(stream, adding: update, weight: gain, epsilon: epsilon)
      return (result.sum, result.normalized)
    case .layer(let weight, let bias, let epsilon):
      let (gain, offset) = (tape.parameter(weight), bias.map { tape.parameter($0) })
      guard let update else {
        return (stream, tape.layerNorm(stream, weight: gain, bias: offset, epsilon: epsilon))
      }
      let result = tape.layerNorm(stream, adding: update, weight: gain, bias: offset, epsilon: epsilon)
      return (result.sum, result.normalized)
    }
  }
}
