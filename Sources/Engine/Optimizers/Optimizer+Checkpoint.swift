import Files
import Kernels

/// A tensor of an optimizer's state in a checkpoint.
struct StateTensor {
  /// `<state>.<parameter>`, with `.scales` behind it where it has the scales of blocks.
  let name: String
  let type: SafetensorsType
  let shape: [Int]
  fileprivate let place: Place

  fileprivate enum Place {
    case floats(Memory)
    /// Elements of an arena's codes.
    case codes(DynamicArena, Range<Int>)
    /// Elements of its scales.
    case scales(DynamicArena, Range<Int>)
  }
}

extension Optimizer {
  /// All tensors of the state.
  var stateTensors: [StateTensor] {
    rule.stateNames.indices.flatMap { index in
      store.parameters.flatMap { stateTensors(of: $0, state: index) }
    }
  }

  private func stateTensors(of parameter: Parameter, state index: Int) -> [StateTensor] {
    guard let range = store.range(of: parameter.name) else { return [] }
    let name = "\(rule.stateNames[index]).\(parameter.name)"
    let shape = parameter.shape.dimensions
    guard range.lowerBound < firstFloat else {
      let memory = state[index].view(from: range.lowerBound - firstFloat, count: range.count)
      return [StateTensor(name: name, type: .float32, shape: shape, place: .floats(memory))]
    }
    let arena = dynamicState[index]
    let first = range.lowerBound / QuantizeDynamic.blockSize
    let blocks = first..<first + QuantizeDynamic.blocks(range.count)
    return [
      StateTensor(name: name, type: .uint8, shape: shape, place: .codes(arena, range)),
      StateTensor(
        name: name + ".scales", type: .float32, shape: [blocks.count], place: .scales(arena, blocks)),
    ]
  }

  /// Writes the state as a checkpoint has it.
  func writeState(to path: String) throws {
    let tensors = stateTensors
    let writer = try SafetensorsWriter(
      path: path, tensors: tensors.map { SafetensorsDeclaration($0.name, $0.type, $0.shape) },
      metadata: [
        "optimizer": type(of: rule).name, "state": stateFormat.rawValue, "step": String(stepCount),
      ])
    let places = Dictionary(tensors.map { ($0.name, $0.place) }) { first, _ in first }
    let contents = try DynamicContents(dynamicState, on: store.device)
    for declaration in writer.order {
      switch places[declaration.name] {
      case .floats(let memory):
        try writer.append(declaration.name, floats: store.device.read(memory, as: Float.self))
      case .codes(let arena, let range):
        try writer.append(
          declaration.name, bytes: Array(contents.codes[ObjectIdentifier(arena), default: []][range]))
      case .scales(let arena, let range):
        try writer.append(
          declaration.name, floats: Array(contents.scales[ObjectIdentifier(arena), default: []][range]))
      case nil: continue
      }
    }
    try writer.finish()
  }

  /// Fills the state from a checkpoint's file.
  ///
  /// - Throws: ``ModelError`` when the file is another optimizer's, or its states are stored otherwise.
  func readState(_ file: SafetensorsFile) throws {
    let tensors = stateTensors
    let found = file.entries.map(\.name)
    if let missing = tensors.first(where: { !found.contains($0.name) }) {
      throw ModelError.missingTensor(name: missing.name, path: file.path, found: found)
    }
    let known = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
    var contents = try DynamicContents(dynamicState, on: store.device)
    for entry in file.entries {
      guard let tensor = known[entry.name], tensor.shape.reduce(1, *) == entry.elementCount,
        tensor.type == entry.type || tensor.type == .float32 && entry.type != .uint8
      else {
        throw ModelError.unexpectedTensors([entry.name], path: file.path)
      }
      switch tensor.place {
      case .floats(let memory): store.device.write(try file.floats(entry.name), to: memory)
      case .codes(let arena, let range):
        contents.codes[ObjectIdentifier(arena)]?.replaceSubrange(range, with: try file.bytes(of: entry.name))
      case .scales(let arena, let range):
        contents.scales[ObjectIdentifier(arena)]?.replaceSubrange(range, with: try file.floats(entry.name))
      }
    }
    contents.write(to: dynamicState, on: store.device)
  }
}

/// Codes and scales of whole arenas, of which parameters are parts that no view can begin at.
private struct DynamicContents {
  var codes: [ObjectIdentifier: [UInt8]] = [:]
  var scales: [ObjectIdentifier: [Float]] = [:]

  init(_ arenas: [DynamicArena], on device: any Device) throws {
    for arena in arenas {
      codes[ObjectIdentifier(arena)] = try device.read(arena.codes, as: UInt8.self)
      scales[ObjectIdentifier(arena)] = try device.read(arena.scales, as: Float.self)
    }
  }

  func write(to arenas: [DynamicArena], on device: any Device) {
    for arena in arenas {
      if let values = codes[ObjectIdentifier(arena)] { device.write(values, to: arena.codes) }
      if let values = scales[ObjectIdentifier(arena)] { device.write(values, to: arena.scales) }
    }
  }
}
