import Kernels
import NumberFormats

/// A weight as whole numbers under the scales of groups: what files of quantized models hold.
struct IntegerWeight: Sendable, Equatable {
  let out: Int
  let input: Int
  /// Of a stored code: 4 or 8.
  let bits: Int
  /// Neighbours in a row with one scale; the last group of a row may be smaller.
  let groupSize: Int
  /// [out, input], from `-2^(bits-1)` to `2^(bits-1)-1`.
  let codes: [Int8]
  /// [out, groups].
  let scales: [Float]

  /// Groups of a row.
  var groups: Int { (input + groupSize - 1) / groupSize }

  /// [out, input].
  var values: [Float] {
    let groups = groups
    return codes.indices.map { Float(codes[$0]) * scales[$0 / input * groups + $0 % input / groupSize] }
  }

  /// [input, out].
  var transposedValues: [Float] {
    let values = values
    return (0..<input * out).map { values[$0 % out * input + $0 / out] }
  }
}

extension IntegerWeight {
  /// What training multiplied with in place of a weight: the same numbers, bit by bit.
  ///
  /// Levels of a mid-rise grid are odd multiples of half a step, and take a bit more.
  ///
  /// - Throws: ``ExportError`` where the format is no whole numbers under scales of whole groups.
  init(of weight: Parameter, _ format: OperandFormat, on device: any OperationDevice) throws {
    let tape = Tape(on: device, isRecording: false)
    let rows =
      weight.linearLayout == .inOut ? tape.transposed(tape.value(of: weight)) : tape.value(of: weight)
    guard let groups = ScaleGroups(format.block.tile) else {
      throw ExportError.notIntegers("\(format)", name: weight.name)
    }
    let found = try Self.codes(of: rows, weight, format, groups, tape)
    (out, input) = (rows.shape[0], rows.shape[1])
    groupSize = groups.isShared ? input : groups.size(columns: input)
    let isMidRise = format.scaleSource == .statistics
    guard case .integer(let element) = format.block.element, !(isMidRise && element.bits > 7) else {
      throw ExportError.tooManyLevels("\(format)", name: weight.name)
    }
    bits = Int(element.bits) + (isMidRise ? 1 : 0) <= 4 ? 4 : 8
    codes = found.codes.map { Int8(isMidRise ? 2 * $0 + 1 : $0) }
    let steps = isMidRise ? found.scales.map { $0 / 2 } : found.scales
    scales = groups.isShared ? [Float](repeating: steps[0], count: out) : steps
  }

  private static func codes(
    of rows: Tensor, _ weight: Parameter, _ format: OperandFormat, _ groups: ScaleGroups, _ tape: Tape,
  ) throws -> (codes: [Int32], scales: [Float]) {
    let device = tape.device
    guard let quantizer = format.uniformQuantizer else {
      return try largestMagnitudeCodes(of: rows, weight, format, tape)
    }
    let learned = weight.precision?.weightScale?.parameter.value
    let scale = learned ?? tape.statisticalScale(of: rows, quantizer)
    let codes = tape.apply(QuantizeUniform(quantizer, result: .code), [rows, scale])[0]
    return (
      try codes.floats(on: device).map { Int32($0) },
      try scale.floats(on: device).map { UniformGrid.held($0) }
    )
  }

  private static func largestMagnitudeCodes(
    of rows: Tensor, _ weight: Parameter, _ format: OperandFormat, _ tape: Tape,
  ) throws -> (codes: [Int32], scales: [Float]) {
    let choice = QuantizationChoice(format.block)
    guard case .integer(let element) = format.block.element, element.fractionBits == 0,
      case .float32 = format.block.scaling, !format.isStochastic, format.hadamard == nil
    else { throw ExportError.notIntegers("\(format)", name: weight.name) }
    var inputs = [rows]
    if choice.needsLargest { inputs.append(tape.apply(LargestMagnitude(), [rows])[0]) }
    let found = tape.apply(QuantizeBlocks(choice, rows: rows.shape[0], columns: rows.shape[1]), inputs)
    return (
      try tape.device.read(found[1].memory, as: Int32.self), try found[2].floats(on: tape.device)
    )
  }
}

/// Why a model cannot be written as whole numbers.
public enum ExportError: Error, CustomStringConvertible {
  case notRounded(path: String)
  case roundingEnded(path: String)
  case notIntegers(String, name: String)
  case tooManyLevels(String, name: String)
  case rememberedScale(String, operand: String)

  public var description: String {
    switch self {
    case .notRounded(let path):
      "\(path) was trained with weights in single precision: there are no whole numbers to write"
        + "\n  hint: train with precision.recipe=qat-int4"
    case .roundingEnded(let path):
      "\(path) ended in single precision (precision.full_steps): its weights are no whole numbers"
        + "\n  hint: train with precision.full_steps=0, or export an earlier checkpoint"
    case .notIntegers(let format, let name):
      "\(name) was rounded to '\(format)', which is no grid of whole numbers under scales of groups along rows"
        + "\n  hint: train with precision.fprop_weight='int4 block=64 scale=lsq'"
    case .tooManyLevels(let format, let name):
      "\(name) was rounded to '\(format)', whose half steps need more than 8 bits as whole numbers"
        + "\n  hint: train with scale=lsq, or with fewer bits"
    case .rememberedScale(let format, let operand):
      "\(operand) were rounded to '\(format)', whose scale is that of earlier steps: such a file has no place for it"
        + "\n  hint: train with scaling=current and without refresh="
    }
  }
}
