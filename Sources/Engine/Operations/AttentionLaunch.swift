public import Kernels

/// What the attention kernels of one call are specialized for, and the arguments that they share.
struct AttentionLaunch {
  let options: AttentionOptions
  let size: AttentionExtents
  let shape: AttentionShape
  let definitions: [String: String]

  /// The class of problems that configurations are looked up for.
  static func problem(_ size: AttentionExtents) -> String {
    AttentionShape.problem(width: max(size.width, size.valueWidth))
  }

  init(_ options: AttentionOptions, _ size: AttentionExtents, _ shape: AttentionShape, entropy: Bool = false)
  {
    self.options = options
    self.size = size
    self.shape = shape
    let switches = [
      "SOFTCAP": options.softcap > 0, "ALIBI": options.hasSlopes, "SINKS": options.hasSinks,
      "DOCUMENTS": options.hasDocuments, "MASK": options.hasMask, "ENTROPY": entropy,
    ]
    var definitions = shape.definitions
    for (name, isOn) in switches where isOn { definitions[name] = "1" }
    definitions["D"] = "\(size.width)"
    definitions["DV"] = "\(size.valueWidth)"
    self.definitions = definitions
  }

  var softcap: Float { options.softcap > 0 ? options.softcap : 1 }
  var causal: Int32 { options.isCausal ? 1 : 0 }
  var left: Int32 { options.windowLeft.map { Int32(clamping: $0) } ?? -1 }
  var right: Int32 { options.windowRight.map { Int32(clamping: $0) } ?? -1 }
  var queryTime: Int32 { Int32(size.queryTime) }
  var keyTime: Int32 { Int32(size.keyTime) }
  var heads: Int32 { Int32(size.heads) }
  var keyHeads: Int32 { Int32(size.keyHeads) }
}

extension Attention {
  /// At most this many query rows go through the decode kernels, which split the keys.
  private static let decodeRows = 8

  /// Whether a call goes through the decode kernels.
  static func isDecode(_ size: AttentionExtents) -> Bool {
    size.queryTime <= decodeRows && size.keyTime > 64
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    let problem = AttentionLaunch.problem(size)
    let isDecode = Attention.isDecode(size)
    let shape =
      isDecode
      ? device.configuration(AttentionDecodeConfiguration.self, for: problem).shape
      : device.configuration(AttentionForwardConfiguration.self, for: problem).shape
    let launch = AttentionLaunch(options, size, shape, entropy: returnsEntropy)
    switch shape {
    case .block(let block): try forward(launch, rows: block.rows, on: device, inputs, outputs)
    case .keys(let keys): try decode(launch, blockKeys: keys, on: device, inputs, outputs)
    case .tile(let tile):
      try isDecode
        ? tiledDecode(launch, tile, on: device, inputs, outputs)
        : tiledForward(launch, tile, on: device, inputs, outputs)
    }
  }
}

extension AttentionGradient {
  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let size = AttentionExtents(inputs[0].shape, inputs[1].shape, inputs[2].shape)
    let problem = AttentionLaunch.problem(size)
    let shape = device.configuration(AttentionBackwardConfiguration.self, for: problem).shape
    let launch = AttentionLaunch(options, size, shape)
    switch shape {
    case .block(let block): try backward(launch, rows: block.rows, on: device, inputs, outputs)
    case .tile(let tile): try tiledBackward(launch, tile, on: device, inputs, outputs)
    case .keys: preconditionFailure("a backward configuration of keys alone")
    }
  }
}
