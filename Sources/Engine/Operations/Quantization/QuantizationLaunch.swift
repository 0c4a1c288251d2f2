import CHost
import Kernels
import NumberFormats

/// One run of `kernels/quantize.cl`: which kernel, and how the matrix is divided among work-groups.
struct QuantizationLaunch {
  private let choice: QuantizationChoice
  private let x: Tensor
  private let largest: Tensor?
  private let signs: Tensor?
  let parameters: QuantizationParameters

  /// - Parameter inputs: x, then the largest magnitude and the signs where the choice has them.
  init(_ choice: QuantizationChoice, _ inputs: [Tensor]) {
    self.choice = choice
    x = inputs[0]
    largest = choice.needsLargest ? inputs[1] : nil
    signs = choice.rotation == nil ? nil : inputs[inputs.count - 1]
    let tile = choice.format.tile.size(rows: x.shape[0], columns: x.shape[1])
    parameters = QuantizationParameters(
      choice.format, randomness: choice.randomness, rotation: choice.rotation ?? 0,
      tileCount: tile.rows * tile.columns)
  }

  enum Kind: String {
    case values = "quantize_values"
    case tiles = "quantize_tiles"
    case columns = "quantize_columns"
  }

  var kind: Kind {
    let tile = choice.format.tile
    if tile == .wholeMatrix || choice.format.scaling == .none { return .values }
    return choice.isDownColumns ? .columns : .tiles
  }

  /// Elements that a work-group takes at least.
  private static let share = 16_384

  /// The whole numbers of the kernel, and how many work-groups there are.
  var sizes: (numbers: [Int32], groups: Int) {
    let (rows, columns) = (x.shape[0], x.shape[1])
    let tile = choice.format.tile.size(rows: rows, columns: columns)
    let (height, width) = (min(tile.rows, rows), min(tile.columns, columns))
    switch kind {
    case .values:
      let range = max(Self.share, (x.shape.count / 1024 + 15) / 16 * 16)
      return ([Int32(x.shape.count), Int32(range)], (x.shape.count + range - 1) / range)
    case .tiles:
      let (down, tiles) = ((rows + height - 1) / height, (columns + width - 1) / width)
      // Strips of tiles that hold whole transforms and whole vectors of scales.
      let perTransform = max(1, (choice.rotation ?? 1) / width)
      let wanted = max(1, Self.share / (height * width))
      let across = min(tiles, max((wanted + perTransform - 1) / perTransform * perTransform, perTransform))
      let strips = (tiles + across - 1) / across
      let bands = max(1, Self.share / max(1, across * width * height))
      return (
        [rows, columns, height, width, bands, strips, across].map { Int32($0) },
        (down + bands - 1) / bands * strips
      )
    case .columns:
      let band = max(height, choice.rotation ?? 1)
      // Whole runs of the kernel's; tall columns are taken in longer ones.
      let run = band > 256 ? 512 : 128
      let across = max(run, (Self.share / band + run - 1) / run * run)
      let strips = (columns + across - 1) / across
      return (
        [rows, columns, height, band, strips, across].map { Int32($0) }, (rows + band - 1) / band * strips
      )
    }
  }

  // MARK: Devices

  static func definitions(_ device: OpenCLDevice) -> [String: String] {
    let width = device.description.nativeFloatWidth
    return ["VECTOR": width >= 16 ? "16" : width >= 8 ? "8" : "4"]
  }

  func definitions(_ device: OpenCLDevice) -> [String: String] {
    let definitions = Self.definitions(device)
    return choice.format.isSearched ? definitions.merging(["SEARCH": "1"]) { $1 } : definitions
  }

  /// - Parameter outputs: y, or y, codes and scales.
  func run(on device: OpenCLDevice, _ outputs: [Tensor]) throws {
    guard x.shape.count > 0 else { return }
    let (numbers, groups) = sizes
    let isDetailed = outputs.count > 1
    let operands = [x.memory, largest?.memory, signs?.memory, outputs[0].memory]
    let codes = Buffer<Int32>(isDetailed ? outputs[1].memory : nil)
    let scales = Buffer<Float>(isDetailed ? outputs[2].memory : nil)
    let kernel: UntypedKernel = try device.untypedKernel(
      kind.rawValue, in: "quantize", definitions(device))
    var arguments: [any KernelArgument] = []
    for (index, operand) in operands.enumerated() where index != 2 || kind != .values {
      arguments.append(Buffer<Float>(operand))
    }
    arguments.append(codes)
    arguments.append(scales)
    if kind == .values {
      arguments += numbers.map { UInt32(bitPattern: $0) }
    } else {
      arguments += numbers
    }
    arguments.append(parameters.words)
    kernel(arguments, over: .groups(groups))
  }

  func run(on device: HostDevice, _ outputs: [Tensor]) {
    guard x.shape.count > 0 else { return }
    let (numbers, groups) = sizes
    let isDetailed = outputs.count > 1
    guard
      let floats = FloatArrays([
        x.memory, largest?.memory, signs?.memory, outputs[0].memory, isDetailed ? outputs[2].memory : nil,
      ])
    else { return }
    let codes = isDetailed ? HostArray<Int32>(outputs[1].memory) : nil
    let operands = HostOperands(
      nibble_quantize_operands(
        x: floats[0], largest: floats.optional(1), signs: floats.optional(2), y: floats[3],
        codes: codes?.pointer, scales: floats.optional(4)))
    let kernel =
      switch kind {
      case .values: nibble_quantize_values()
      case .tiles: nibble_quantize_tiles()
      case .columns: nibble_quantize_columns()
      }
    let words = parameters.array
    device.threads.forRanges(groups, grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        withUnsafePointer(to: operands.values) { kernel($0, numbers, words) }
      }
    }
  }

  /// Threads write to disjoint elements; the operation keeps the memory alive.
  private struct HostOperands: @unchecked Sendable {
    let values: nibble_quantize_operands

    init(_ values: nibble_quantize_operands) { self.values = values }
  }
}
