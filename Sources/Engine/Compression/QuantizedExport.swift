import Files
import Kernels
import NumberFormats

/// Writes a model that was trained with rounded weights as whole numbers and scales, which give the same products.
///
/// The folder is what compressed-tensors calls `pack-quantized`. What was rounded of inputs stands in config.json still, as
/// evaluation has to round it.
public struct QuantizedExport {
  private let model: any LanguageModel
  private let device: any OperationDevice
  private let weights: [String: IntegerWeight]
  private let compression: CompressedTensors

  /// - Parameter path: The model's folder, for messages.
  /// - Throws: ``ExportError`` when weights were not rounded to whole numbers.
  public init(_ model: any LanguageModel, path: String) throws {
    let store = model.parameters
    guard let precision = model.configuration.precision, let format = precision.formats.fpropWeight else {
      throw ExportError.notRounded(path: path)
    }
    for (operand, format) in [("weights", format), ("inputs", precision.formats.fpropInput)] {
      if let format, format.maximum != .current {
        throw ExportError.rememberedScale("\(format)", operand: operand)
      }
    }
    self.model = model
    device = store.device
    var weights: [String: IntegerWeight] = [:]
    for weight in store.parameters where weight.linearLayout != nil {
      guard let precision = weight.precision else { continue }
      guard precision.rounding != nil else { throw ExportError.roundingEnded(path: path) }
      weights[weight.name] = try IntegerWeight(of: weight, format, on: device)
    }
    guard let first = weights.values.first else { throw ExportError.notRounded(path: path) }
    self.weights = weights
    let isGrouped = format.block.tile.columns != nil
    compression = CompressedTensors(bits: first.bits, groupSize: isGrouped ? first.groupSize : nil)
  }

  /// Numbers that are stored as whole ones, and the bytes that they and their scales take.
  public var packed: (count: Int, byteCount: Int) {
    weights.values.reduce((0, 0)) { sum, weight in
      let words = weight.out * WordOrder.words(columns: weight.input, bits: weight.bits)
      return (sum.0 + weight.codes.count, sum.1 + 4 * (words + weight.scales.count))
    }
  }

  /// Layers whose inputs are no whole groups, which other programs may refuse.
  public var unevenLayers: [String] {
    weights.filter { !$0.value.input.isMultiple(of: $0.value.groupSize) }.map { AdapterSet.layer($0.key) }
      .sorted()
  }

  /// Bits of a stored code.
  public var bits: Int { compression.bits }

  /// Writes config.json and model.safetensors into an existing folder.
  public func write(to folder: String) throws {
    var configuration = model.configuration
    configuration.precision = configuration.precision?.ofInputs
    configuration.precision?.step = model.parameters.precision?.step ?? 0
    let architecture = try ArchitectureCatalogue.architecture(configuration.architecture)
    var json = ModelFolder.configurationJSON(configuration, architecture, .float32)
    json[CompressedTensors.key] = compression.json(ignoring: ignored)
    try JSON.object(json).write(to: folder + "/config.json")
    let writer = try SafetensorsWriter(path: folder + "/model.safetensors", tensors: declarations)
    for tensor in writer.order { try append(tensor.name, to: writer) }
    try writer.finish()
  }

  /// Linear layers whose weights stay floats, and the head.
  private var ignored: [String] {
    model.parameters.parameters.filter { $0.linearLayout != nil && weights[$0.name] == nil }.map {
      AdapterSet.layer($0.name)
    } + ["lm_head"]
  }

  /// Parameters that are written as floats.
  private var floats: [Parameter] {
    let scales = Set(weights.keys.map { LinearPrecision.nameOfWeightScale($0) })
    return model.parameters.parameters.filter { weights[$0.name] == nil && !scales.contains($0.name) }
  }

  private var declarations: [SafetensorsDeclaration] {
    floats.map { SafetensorsDeclaration($0.name, .float32, $0.shape.dimensions) }
      + weights.flatMap { name, weight in
        [
          SafetensorsDeclaration(
            CompressedTensors.packed(name), .int32,
            [weight.out, WordOrder.words(columns: weight.input, bits: weight.bits)]),
          SafetensorsDeclaration(
            CompressedTensors.scale(name), .float32, [weight.out, weight.groups]),
          SafetensorsDeclaration(CompressedTensors.shape(name), .int64, [2]),
        ]
      }
  }

  private func append(_ name: String, to writer: SafetensorsWriter) throws {
    if let parameter = model.parameters[name], weights[name] == nil, !isScale(name) {
      return try writer.append(name, floats: parameter.floats(on: device))
    }
    for (weight, integers) in weights {
      switch name {
      case CompressedTensors.packed(weight):
        let codes = integers.codes.map { UInt8(Int($0) + 1 << (integers.bits - 1)) }
        let words = WordOrder.pack(codes, columns: integers.input, bits: integers.bits)
        return try writer.append(name, bytes: Self.bytes(words))
      case CompressedTensors.scale(weight): return try writer.append(name, floats: integers.scales)
      case CompressedTensors.shape(weight):
        return try writer.append(name, bytes: Self.bytes([Int64(integers.out), Int64(integers.input)]))
      default: continue
      }
    }
  }

  private func isScale(_ name: String) -> Bool {
    weights.keys.contains { LinearPrecision.nameOfWeightScale($0) == name }
  }

  private static func bytes<Word: FixedWidthInteger>(_ words: [Word]) -> [UInt8] {
    words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
  }
}

extension LinearPrecision {
  /// What is left to round once weights are whole numbers: inputs of the forward; nil for nothing.
  fileprivate var ofInputs: LinearPrecision? {
    guard let input = formats.fpropInput else { return nil }
    var copy = self
    copy.formats = LinearFormats()
    copy.formats.fpropInput = input
    return copy
  }
}
