import Files
import Kernels
import NumberFormats

/// The largest magnitudes of operands that are not scaled by their own of this moment: delayed scaling, and maxima that are
/// refreshed now and then (``TensorMaximum``).
///
/// They lie in device memory, one place for each operand of each weight, so that no launch of a step waits for another's
/// result: a step reads what the last one left and writes what it finds to a memory of its micro-batch, which is read when the
/// step is over.
final class RememberedMaxima {
  /// An operand of a weight.
  private struct Key: Hashable {
    let weight: String
    let operand: LinearOperand

    var name: String { "\(weight).\(LinearFormats.operands[operand.rawValue])" }
  }

  /// What one place holds.
  private struct Place {
    let key: Key
    let maximum: TensorMaximum
    /// What scales are made of until the next update.
    var largest: Float
    /// Of delayed scaling.
    var delayed: DelayedScaling?
  }

  /// Each place's memory begins where a view may begin.
  private static let stride = Memory.viewAlignment / ElementType.float32.byteCount

  private let device: any OperationDevice
  private var places: [Place] = []
  /// Layers with the same input share its rounding, and so its place.
  private var indices: [Key: Int] = [:]
  /// What scales are made of now.
  private let used: Memory
  /// What was found, by micro-batch.
  private var found: [Memory] = []
  /// The step and micro-batch that is being made; nil outside of training.
  private var moment: (step: Int, microBatch: Int)?

  /// - Returns: Nil where no operand's maximum is remembered.
  init?(_ formats: LinearFormats, weights: [String], on device: any OperationDevice) {
    for weight in weights {
      for operand in LinearOperand.allCases {
        guard let format = formats[operand], format.maximum != .current else { continue }
        let key = Key(weight: weight, operand: operand)
        indices[key] = places.count
        var place = Place(key: key, maximum: format.maximum, largest: format.block.unscaledMaximum)
        if case .delayed(let history, let margin) = format.maximum {
          place.delayed = DelayedScaling(limit: place.largest, length: history, margin: margin)
        }
        places.append(place)
      }
    }
    guard !places.isEmpty else { return nil }
    self.device = device
    used = device.allocate(places.count * Self.stride, of: .float32)
    upload()
  }

  // MARK: In a step

  /// What an operand's scale is made of; nil for its own largest magnitude.
  ///
  /// - Parameter measures: Takes down the operand's own for the steps that follow.
  func largest(
    of x: Tensor, _ weight: String, _ operand: LinearOperand, on tape: Tape, measures: Bool,
  ) -> Tensor? {
    guard let index = indices[Key(weight: weight, operand: operand)] else { return nil }
    let kept = tensor(used, index)
    guard let moment else { return kept }
    if case .refreshed(let steps) = places[index].maximum {
      guard moment.step.isMultiple(of: steps) else { return kept }
      return measures ? measure(x, index, moment.microBatch, tape) : nil
    }
    if measures { measure(x, index, moment.microBatch, tape) }
    return kept
  }

  /// An operand has the rounding of another layer's, and so its scale.
  func share(_ weight: String, _ operand: LinearOperand, with other: String) {
    indices[Key(weight: weight, operand: operand)] = indices[Key(weight: other, operand: operand)]
  }

  @discardableResult
  private func measure(_ x: Tensor, _ index: Int, _ microBatch: Int, _ tape: Tape) -> Tensor {
    tape.apply(LargestMagnitude(), [x.detached], into: [0: tensor(found[microBatch], index)])[0]
  }

  private func tensor(_ memory: Memory, _ index: Int) -> Tensor {
    Tensor(memory.view(from: index * Self.stride, count: 1), shape: [1])
  }

  /// Tells which part of a training step is made next.
  func begin(step: Int, microBatch: Int) {
    moment = (step, microBatch)
    while found.count <= microBatch {
      found.append(device.allocate(places.count * Self.stride, of: .float32))
    }
    device.zero(found[microBatch])
  }

  /// Ends a training step, behind its last launch: waits for what it found.
  ///
  /// - Parameter isKept: False forgets it.
  func end(isKept: Bool) throws {
    guard let last = moment else { return }
    moment = nil
    guard isKept else { return }
    var largest = [Float](repeating: 0, count: places.count)
    for memory in found[...last.microBatch] {
      let values = try device.read(memory, as: Float.self)
      guard values.count == memory.count else { continue }
      for index in places.indices {
        largest[index] = [largest[index], values[index * Self.stride]].largestMagnitude
      }
    }
    for index in places.indices { update(&places[index], largest[index]) }
    upload()
  }

  private func update(_ place: inout Place, _ largest: Float) {
    if place.delayed != nil {
      place.delayed?.update(largest: largest)
      place.largest = place.delayed?.largest ?? place.largest
    } else if largest.isFinite, largest > 0 {
      place.largest = largest
    }
  }

  private func upload() {
    var values = [Float](repeating: 0, count: used.count)
    for (index, place) in places.enumerated() { values[index * Self.stride] = place.largest }
    device.write(values, to: used)
  }
}

// MARK: In checkpoints

extension RememberedMaxima {
  static let file = "precision_state.safetensors"

  static func exists(in folder: String) -> Bool { Folder.exists(folder + "/" + file) }

  private func largestName(_ place: Place) -> String { place.key.name + ".largest" }
  private func historyName(_ place: Place) -> String { place.key.name + ".history" }

  /// Writes what the next step goes on with.
  func write(to folder: String) throws {
    var values: [String: [Float]] = [:]
    for place in places {
      values[largestName(place)] = [place.largest]
      if let delayed = place.delayed { values[historyName(place)] = delayed.history }
    }
    let declarations = places.flatMap { place in
      [largestName(place), historyName(place)].compactMap { name in
        values[name].map { SafetensorsDeclaration(name, .float32, [$0.count]) }
      }
    }
    let writer = try SafetensorsWriter(path: folder + "/" + Self.file, tensors: declarations, metadata: [:])
    for declaration in writer.order {
      try writer.append(declaration.name, floats: values[declaration.name] ?? [])
    }
    try writer.finish()
  }

  /// Goes on where a checkpoint stands.
  func read(from folder: String) throws {
    let file = try SafetensorsFile(path: folder + "/" + Self.file)
    for index in places.indices {
      let place = places[index]
      let largest = try numbers(largestName(place), count: 1, in: file)[0]
      guard largest.isFinite, largest > 0 else {
        throw ModelError.badValue(
          key: largestName(place), value: "\(largest)", expected: "above 0", path: file.path)
      }
      places[index].largest = largest
      if let delayed = place.delayed {
        let history = try numbers(historyName(place), count: delayed.history.count, in: file)
        places[index].delayed?.restore(history: history, largest: largest)
      }
    }
    upload()
  }

  private func numbers(_ name: String, count: Int, in file: SafetensorsFile) throws -> [Float] {
    let shape = try file.entry(name).shape
    guard shape == [count] else {
      throw ModelError.wrongShape(name: name, expected: [count], found: shape, path: file.path)
    }
    return try file.floats(name)
  }
}
