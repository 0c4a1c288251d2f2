/// What mixes information between positions: softmax attention and its relatives.
///
/// One file each.
protocol Mixer {
  /// - Parameters:
  ///   - x: [batch, time, modelDimension].
  ///   - layer: Number of the layer, for its part of the cache.
  /// - Returns: [batch, time, modelDimension], to be added to the residual stream.
  func callAsFunction(_ x: Tensor, layer: Int, _ context: ForwardContext) -> Tensor
}
