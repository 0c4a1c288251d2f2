import Kernels

/// A recurrence with launches for graphics processors, which work on all chunks at once (``ChunkLaunch``).
protocol TiledRecurrence: Recurrence {
  func runTiled(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws

  /// Token by token, at most ``ChunkConfiguration/longestStep`` of them.
  func runTiledSteps(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws

  /// - Parameters:
  ///   - inputs: The forward's.
  ///   - outputs: Those of ``RecurrenceGradient``.
  func runTiledGradient(
    on device: OpenCLDevice, _ inputs: [Tensor], _ cotangents: RecurrenceCotangents, _ outputs: [Tensor],
  ) throws
}

extension TiledRecurrence {
  var tiled: (any TiledRecurrence)? { self }

  /// The initial state; nil for 0.
  func initialState(_ inputs: [Tensor]) -> Memory? {
    options.extras(of: inputs, from: operands.count).initial?.memory
  }

  func documents(_ inputs: [Tensor]) -> Memory? {
    options.extras(of: inputs, from: operands.count).documents?.memory
  }

  func extents(_ inputs: [Tensor]) -> RecurrenceExtents { extents(inputs.map(\.shape)) }
}

/// What a gradient is made of besides the forward's inputs.
struct RecurrenceCotangents {
  let output: Tensor
  /// That of the final state; nil for 0.
  let final: Memory?
  /// Where the gradient of the initial state goes, if there is one.
  let initialGradient: Memory?
  /// The optional gradient (``Recurrence/optionalGradient``) is among the outputs.
  let needsOptional: Bool
}
