public import Files
import Kernels
import NumberFormats

/// How often the codes of a layer's weights go back and forth.
///
/// A weight oscillates when its code changes in the other direction than the last time. Its frequency is a moving average with
/// momentum 0.01; above 0.005 it counts as oscillating.
///
/// - SeeAlso: Nagel et al., "Overcoming Oscillations in Quantization-Aware Training", 2022.
public struct OscillationStatistics: Sendable, Equatable {
  /// The weight's name without `.weight`.
  public let layer: String
  /// Weights of the layer.
  public let count: Int
  /// Share of the weights whose frequency is above 0.005.
  public let share: Double
  /// Mean frequency, in oscillations per step.
  public let frequency: Double

  /// As `metrics.jsonl` has it.
  public var json: JSON {
    ["layer": .string(layer), "share": .number(share), "frequency": .number(frequency)]
  }
}

extension [OscillationStatistics] {
  /// Share of all weights that oscillate.
  public var share: Double {
    reduce(0) { $0 + $1.share * Double($1.count) } / Double(Swift.max(1, reduce(0) { $0 + $1.count }))
  }
}

/// Follows the codes of rounded weights from step to step.
final class OscillationTracker {
  static let momentum = 0.01
  static let threshold: Float = 0.005
  static let file = "oscillations.safetensors"

  private let device: any OperationDevice
  private let weights: [Followed]

  /// A weight and what is known of it, each [out, in].
  private struct Followed {
    let weight: Parameter
    let quantizer: UniformQuantizer
    let code: Tensor
    /// The last change of the code; 0 for none.
    let change: Tensor
    let frequency: Tensor

    var parts: [(name: String, tensor: Tensor)] {
      [("code", code), ("change", change), ("frequency", frequency)]
    }
  }

  /// Begins with the codes as they are.
  init(_ store: ParameterStore) {
    let device = store.device
    let tape = Tape(on: device, isRecording: false)
    weights = store.uniformWeights.map { weight, quantizer in
      let codes = tape.uniform(weight, quantizer, .code)
      let zeros = (0..<2).map { _ in
        let memory = device.allocate(codes.shape.count, of: .float32)
        device.zero(memory)
        return Tensor(memory, shape: codes.shape)
      }
      return Followed(
        weight: weight, quantizer: quantizer, code: codes, change: zeros[0], frequency: zeros[1])
    }
    self.device = device
  }

  /// Inputs: new code, code, last change, frequency; outputs the same without the first.
  private static let program = PointwiseProgram(inputs: 4) { x in
    let jump = x[0] - x[1]
    let moves = x[0].constant(0.5).isLess(than: jump.abs())
    let turns = (jump * x[2]).isLess(than: x[0].constant(-0.5))
    return [x[0], moves.select(jump, x[2]), x[3] * (1 - momentum) + turns * momentum]
  }

  /// Takes notice of an update.
  func update(on tape: Tape) {
    for followed in weights {
      let codes = tape.uniform(followed.weight, followed.quantizer, .code)
      let known = followed.parts.map(\.tensor)
      tape.apply(
        Pointwise(Self.program), [codes] + known,
        into: Dictionary(uniqueKeysWithValues: known.enumerated().map { ($0.offset, $0.element) }))
    }
  }

  /// Reads the frequencies back, which waits for the device.
  func statistics() throws -> [OscillationStatistics] {
    try weights.map { followed in
      let frequencies = try followed.frequency.floats(on: device)
      let count = Double(max(1, frequencies.count))
      return OscillationStatistics(
        layer: AdapterSet.layer(followed.weight.name), count: frequencies.count,
        share: Double(frequencies.count { $0 > Self.threshold }) / count,
        frequency: frequencies.reduce(0) { $0 + Double($1) } / count)
    }
  }

  // MARK: Checkpoints

  func write(to folder: String) throws {
    let tensors = weights.flatMap { followed in
      followed.parts.map { ("\($0.name).\(followed.weight.name)", $0.tensor) }
    }
    let writer = try SafetensorsWriter(
      path: folder + "/" + Self.file,
      tensors: tensors.map { SafetensorsDeclaration($0.0, .float32, $0.1.shape.dimensions) })
    let byName = Dictionary(tensors) { first, _ in first }
    for tensor in writer.order {
      guard let values = byName[tensor.name] else { continue }
      try writer.append(tensor.name, floats: values.floats(on: device))
    }
    try writer.finish()
  }

  /// Goes on where a checkpoint stands; without the file, which was not written when nobody asked, begins anew.
  func restore(from folder: String) throws {
    let path = folder + "/" + Self.file
    guard Folder.exists(path) else { return }
    let file = try SafetensorsFile(path: path)
    for followed in weights {
      for (part, tensor) in followed.parts {
        let name = "\(part).\(followed.weight.name)"
        let found = try file.entry(name).shape
        guard found == tensor.shape.dimensions else {
          throw ModelError.wrongShape(
            name: name, expected: tensor.shape.dimensions, found: found, path: path)
        }
        device.write(try file.floats(name), to: tensor.memory)
      }
    }
  }
}

extension ParameterStore {
  /// The weights of linear layers that are rounded under learned or statistical scales.
  var uniformWeights: [(weight: Parameter, quantizer: UniformQuantizer)] {
    parameters.compactMap { weight in
      guard weight.linearLayout != nil, let precision = weight.precision,
        let quantizer = precision.formats.fpropWeight?.uniformQuantizer
      else { return nil }
      return (weight, quantizer)
    }
  }
}

extension Tape {
  /// What becomes of a weight under its scales as they are now, [out, in].
  func uniform(
    _ weight: Parameter, _ quantizer: UniformQuantizer, _ result: QuantizeUniform.Result,
  ) -> Tensor {
    let rows = weight.linearLayout == .inOut ? transposed(value(of: weight)) : value(of: weight)
    let scale = weight.precision?.weightScale?.parameter.value ?? statisticalScale(of: rows, quantizer)
    return apply(QuantizeUniform(quantizer, result: result), [rows, scale])[0]
  }
}
