public import Kernels

/// One product on an OpenCL device: `c = activation(op(a) op(b) + bias) + residual`, or `c += op(a) op(b)`.
///
/// All matrices are dense and row-major; offsets are elements from the start of their memory.
struct MatMulLaunch {
  var a: Memory
  var b: Memory
  var c: Memory
  var bias: Memory?
  var residual: Memory?
  var size: MatMul.Extents
  var transposeA: Bool
  var transposeB: Bool
  var accumulates = false
  var activation: Activation?
  var offsets = (a: 0, b: 0, c: 0)

  func enqueue(on device: OpenCLDevice) throws {
    guard size.batch > 0, size.m > 0, size.n > 0 else { return }
    let problem = MatMulClass(
      m: size.m, n: size.n, k: size.k, batch: size.batch, transposeA: transposeA, transposeB: transposeB)
    try enqueue(device.configuration(MatMulConfiguration.self, for: problem.rawValue), problem, on: device)
  }

  private func enqueue(
    _ configuration: MatMulConfiguration, _ problem: MatMulClass, on device: OpenCLDevice,
  ) throws {
    switch (configuration, problem) {
    case (.panels(let panels), _): try enqueue(panels, on: device)
    case (.skinnyRows(let skinny), .skinnyNT): try enqueue(skinny, on: device)
    case (.skinnyColumns(let skinny), .skinnyNN): try enqueue(skinny, on: device)
    case (.tiles(let tiles), _): try enqueue(tiles, on: device)
    case (.skinnyRows, _), (.skinnyColumns, _):
      // Chosen for the whole family, by a search: what it is not written for runs as ever.
      let standard = MatMulConfiguration.standard(for: device.description, problem: problem.rawValue)
      try enqueue(standard, problem, on: device)
    }
  }

  // MARK: What all kernels take

  static func quotient(_ count: Int, _ size: Int) -> Int { (count + size - 1) / size }

  var flags: UInt32 { (accumulates ? 1 : 0) | (bias != nil ? 2 : 0) | (residual != nil ? 4 : 0) }

  var activationCode: UInt32 {
    switch activation {
    case nil: 0
    case .relu: 1
    case .reluSquared: 2
    case .silu: 3
    case .gelu: 4
    case .geluTanh: 5
    case .sigmoid: 6
    }
  }

  /// Elements from one matrix of the batch to the next.
  var strides: (a: UInt64, b: UInt64, c: UInt64) {
    (UInt64(size.m * size.k), UInt64(size.k * size.n), UInt64(size.m * size.n))
  }
  var lda: UInt64 { UInt64(transposeA ? size.m : size.k) }
  var ldb: UInt64 { UInt64(transposeB ? size.k : size.n) }
}

extension MatMul {
  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    var launch = MatMulLaunch(
      a: inputs[0].memory, b: inputs[1].memory, c: outputs[0].memory, bias: hasBias ? inputs[2].memory : nil,
      residual: hasResidual ? inputs[hasBias ? 3 : 2].memory : nil,
      size: extents(inputs[0].shape, inputs[1].shape), transposeA: transposeA, transposeB: transposeB,
      accumulates: accumulates, activation: activation)
    guard keepsPreactivation, let activation else { return try launch.enqueue(on: device) }
    // The value before the activation is a result of its own: the product writes it, an elementwise kernel the rest.
    launch.c = outputs[1].memory
    launch.residual = nil
    launch.activation = nil
    try launch.enqueue(on: device)
    let hasResidual = hasResidual
    let rest = Pointwise(
      PointwiseProgram(inputs: hasResidual ? 2 : 1) { x in
        let value = activation(x[0])
        return [hasResidual ? value + x[1] : value]
      })
    try rest.run(on: device, [outputs[1]] + (hasResidual ? [inputs[hasBias ? 3 : 2]] : []), [outputs[0]])
  }
}
