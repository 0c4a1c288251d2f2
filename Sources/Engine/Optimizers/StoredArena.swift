import Kernels
import NumberFormats

/// Numbers of an optimizer in the form in which they are stored between updates.
///
/// An update reads a range as floats, changes them in place and stores them.
enum StoredArena {
  case floats(Memory)
  /// BF16, stored with stochastic rounding.
  case halves(Memory)
  /// Eight bits a number.
  case dynamic(DynamicArena)

  /// Whether ranges are copies, which are best kept short.
  var isCompact: Bool {
    switch self {
    case .floats: false
    case .halves, .dynamic: true
    }
  }

  /// A range as floats: the numbers themselves, or a copy.
  func floats(_ range: Range<Int>, on tape: Tape) -> Tensor {
    switch self {
    case .floats(let memory): view(memory, range)
    case .halves(let memory): tape.apply(WidenBFloat16(), [view(memory, range)])[0]
    case .dynamic(let arena): arena.floats(range, on: tape)
    }
  }

  /// Stores what ``floats(_:on:)`` gave and an update changed.
  ///
  /// - Parameter randomness: Of stochastic rounding.
  func store(_ floats: Tensor, _ range: Range<Int>, randomness: RoundingBits, on tape: Tape) {
    switch self {
    case .floats: break
    case .halves(let memory):
      tape.apply(PackBFloat16(randomness: randomness), [floats], into: [0: view(memory, range)])
    case .dynamic(let arena): arena.store(floats, range, on: tape)
    }
  }

  private func view(_ memory: Memory, _ range: Range<Int>) -> Tensor {
    Tensor(memory.view(from: range.lowerBound, count: range.count), shape: [range.count])
  }
}

/// A state of an optimizer in blocks of 256 numbers of eight bits with a float scale each.
final class DynamicArena {
  /// Ranges begin at multiples of this: views of the codes and of the scales do at whole pages.
  static let alignment = QuantizeDynamic.blockSize * Memory.viewAlignment / ElementType.float32.byteCount

  let codes: Memory
  let scales: Memory
  private let map: DynamicMap
  private let values: Tensor
  private let levels: Tensor
  private let thresholds: Tensor

  /// Zeros.
  init(_ count: Int, isSigned: Bool, on device: any OperationDevice) {
    map = DynamicMap(isSigned: isSigned)
    codes = device.allocate(count, of: .uint8)
    scales = device.allocate(QuantizeDynamic.blocks(count), of: .float32)
    let steps = map.steps
    values = Tensor(map.values, shape: [256], on: device)
    levels = Tensor(steps.levels, shape: [steps.levels.count], on: device)
    thresholds = Tensor(steps.thresholds, shape: [steps.thresholds.count], on: device)
    // Any code times a scale of zero, but a checkpoint of a new state has one code for it.
    device.write([UInt8](repeating: isSigned ? 127 : 0, count: count), to: codes)
    device.zero(scales)
  }

  private func views(_ range: Range<Int>) -> (codes: Tensor, scales: Tensor) {
    precondition(
      range.lowerBound.isMultiple(of: Self.alignment), "a range of blocks from \(range.lowerBound)")
    let blocks = QuantizeDynamic.blocks(range.count)
    let part = codes.view(from: range.lowerBound, count: range.count)
    let factors = scales.view(from: range.lowerBound / QuantizeDynamic.blockSize, count: blocks)
    return (Tensor(part, shape: [range.count]), Tensor(factors, shape: [blocks]))
  }

  func floats(_ range: Range<Int>, on tape: Tape) -> Tensor {
    let (codes, scales) = views(range)
    return tape.apply(DequantizeDynamic(count: range.count), [codes, scales, values])[0]
  }

  func store(_ floats: Tensor, _ range: Range<Int>, on tape: Tape) {
    let (codes, scales) = views(range)
    tape.apply(
      QuantizeDynamic(map: map, count: range.count), [floats, levels, thresholds],
      into: [0: codes, 1: scales])
  }
}
