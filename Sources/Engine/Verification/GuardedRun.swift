import Kernels

/// Runs a sample twice with guards round every buffer and outputs full of NaN.
struct GuardedRun {
  let outputs: [[Double]]
  let problems: [String]

  /// A NaN that no arithmetic produces.
  private static let sentinel = Float(bitPattern: 0x7FC0_BEEF)
  private static let integerSentinel: Int32 = 0x5AFE_BEEF
  private static let byteSentinel: UInt8 = 0xA5
  /// A NaN that rounding does not produce.
  private static let halfSentinel = BFloat16(bits: 0x7FCB)

  init(_ sample: Sample, on device: any OperationDevice) throws {
    let types = try sample.operation.outputTypes(for: sample.inputs.map(\.type))
    let first = try Self.run(sample.operation, sample, types, on: device)
    let second = try Self.run(sample.operation, sample, types, on: device)
    var problems = first.problems
    for index in types.indices where first.outputs[index] != second.outputs[index] {
      problems.append("output \(index): a second run gives other bits")
    }
    outputs = zip(types, first.outputs).map { type, bits in
      let isFloat = type.element == .float32 || type.element == .bfloat16
      return bits.map { isFloat ? Double(Float(bitPattern: $0)) : Double(Int32(bitPattern: $0)) }
    }
    self.problems = problems
  }

  private static func run(
    _ operation: some Operation, _ sample: Sample, _ types: [TensorType], on device: any OperationDevice,
  ) throws -> (outputs: [[UInt32]], problems: [String]) {
    let inputs = sample.inputs.enumerated().map { index, input in
      GuardedTensor(input.type, values: sample.values(of: index), on: device)
    }
    let outputs = types.enumerated().map { index, type in
      let start = index == 0 ? sample.initialOutput : nil
      return GuardedTensor(
        type,
        values: start.map { Sample.values($0, count: type.shape.count, seed: "\(sample.label) initial") },
        on: device)
    }
    let destinations = Dictionary(
      uniqueKeysWithValues: outputs.enumerated().map { ($0.offset, $0.element.tensor) })
    let tape = Tape(on: device, isRecording: false)
    tape.apply(operation, inputs.map(\.tensor), into: destinations)
    try device.finish()
    var problems: [String] = []
    for (index, guarded) in (inputs + outputs).enumerated() where try !guarded.isIntact(on: device) {
      let place = index < inputs.count ? "input \(index)" : "output \(index - inputs.count)"
      problems.append("\(place): written outside its bounds")
    }
    for (index, guarded) in inputs.enumerated() where try !guarded.holdsItsValues(on: device) {
      problems.append("input \(index): changed by the operation")
    }
    let bits = try outputs.map { try Self.bits(of: $0.tensor.memory, on: device) }
    for (index, output) in bits.enumerated() {
      guard let untouched = untouched(types[index].element), output.contains(untouched) else { continue }
      problems.append("output \(index): an element is never written")
    }
    return (bits, problems)
  }

  /// What ``bits(of:on:)`` reads where nothing was written; nil for bytes, of which every value has a meaning.
  private static func untouched(_ element: ElementType) -> UInt32? {
    switch element {
    case .float32: sentinel.bitPattern
    case .int32: UInt32(bitPattern: integerSentinel)
    case .uint8: nil
    case .bfloat16: halfSentinel.float.bitPattern
    }
  }

  /// Patterns of floats, of values in two bytes as floats; whole numbers in two's complement.
  private static func bits(of memory: Memory, on device: any OperationDevice) throws -> [UInt32] {
    switch memory.element {
    case .float32: try device.read(memory, as: Float.self).map(\.bitPattern)
    case .int32: try device.read(memory, as: Int32.self).map { UInt32(bitPattern: $0) }
    case .uint8: try device.read(memory, as: UInt8.self).map { UInt32($0) }
    case .bfloat16: try device.read(memory, as: BFloat16.self).map { UInt32($0.bits) << 16 }
    }
  }

  /// A tensor in the middle of a larger memory full of sentinels.
  private struct GuardedTensor {
    let tensor: Tensor
    private let whole: Memory
    private let margin: Int
    private let values: [Float]

    /// - Parameter values: Nil leaves the tensor full of sentinels, too.
    init(_ type: TensorType, values: [Float]?, on device: any OperationDevice) {
      self.values = values ?? []
      margin = Memory.viewAlignment / type.element.byteCount
      whole = device.allocate(type.shape.count + 2 * margin, of: type.element)
      switch type.element {
      case .float32: device.write([Float](repeating: sentinel, count: whole.count), to: whole)
      case .int32: device.write([Int32](repeating: integerSentinel, count: whole.count), to: whole)
      case .uint8: device.write([UInt8](repeating: byteSentinel, count: whole.count), to: whole)
      case .bfloat16: device.write([BFloat16](repeating: halfSentinel, count: whole.count), to: whole)
      }
      let part = whole.view(from: margin, count: type.shape.count)
      if let values { upload(values, to: part, on: device) }
      tensor = Tensor(part, shape: type.shape)
    }

    func isIntact(on device: any OperationDevice) throws -> Bool {
      switch whole.element {
      case .float32: check(try device.read(whole, as: Float.self).map(\.bitPattern), sentinel.bitPattern)
      case .int32: check(try device.read(whole, as: Int32.self), integerSentinel)
      case .uint8: check(try device.read(whole, as: UInt8.self), byteSentinel)
      case .bfloat16: check(try device.read(whole, as: BFloat16.self), halfSentinel)
      }
    }

    func holdsItsValues(on device: any OperationDevice) throws -> Bool {
      switch whole.element {
      case .float32:
        try device.read(tensor.memory, as: Float.self).map(\.bitPattern) == values.map(\.bitPattern)
      case .int32: try device.read(tensor.memory, as: Int32.self) == values.map { Int32($0) }
      case .uint8: try device.read(tensor.memory, as: UInt8.self) == values.map { UInt8($0) }
      case .bfloat16: try device.read(tensor.memory, as: BFloat16.self) == values.map { BFloat16($0) }
      }
    }

    private func check<Value: Equatable>(_ values: [Value], _ expected: Value) -> Bool {
      values.prefix(margin).allSatisfy { $0 == expected }
        && values.suffix(margin).allSatisfy { $0 == expected }
    }
  }
}
