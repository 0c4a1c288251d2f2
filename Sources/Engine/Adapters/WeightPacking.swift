import Kernels

/// Which weights of a model are packed, and how they get their values.
struct WeightPacking {
  private let format: PackedFormat?
  let names: Set<String>

  /// - Throws: ``AdapterError/unevenBlocks`` when a weight does not fit the format.
  init(
    _ configuration: ModelConfiguration, _ architecture: any Architecture.Type, on device: any OperationDevice,
  ) throws {
    format = configuration.adapter?.base
    guard let format else {
      names = []
      return
    }
    // Linear layers mark their weights, so a model without values tells which they are.
    let planned = PlanningDevice(for: device.description)
    let store = ParameterStore(architecture.parameters(of: configuration), on: planned, trains: false)
    _ = try architecture.makeModel(configuration, store)
    let weights = store.parameters.filter { $0.linearLayout != nil }
    if format == .mxfp4, let uneven = weights.first(where: { !$0.shape[1].isMultiple(of: format.blockSize) })
    {
      throw AdapterError.unevenBlocks(format.blockSize, name: uneven.name, shape: uneven.shape)
    }
    names = Set(weights.map(\.name))
  }

  /// Writes a parameter's values, packed where it is to be; without a place for packed ones (`unpacks`) as the floats that
  /// packing leaves.
  func write(
    _ values: [Float], to parameter: Parameter, on device: any OperationDevice, unpacks: Bool = false,
  ) {
    guard let format, names.contains(parameter.name) else {
      return parameter.write(values, on: device)
    }
    guard !unpacks else {
      return device.write(
        PackedWeight.rounded(values, shape: parameter.shape, format: format), to: parameter.memory)
    }
    parameter.packed = PackedWeight(values, shape: parameter.shape, format: format, on: device)
  }

  /// Memory for a packed parameter, without values.
  func reserve(_ parameter: Parameter, on device: any OperationDevice) {
    guard let format, names.contains(parameter.name) else { return }
    parameter.packed = PackedWeight(shape: parameter.shape, format: format, on: device)
  }
}

extension ParameterStore {
  /// Bytes of the packed weights, and their numbers.
  public var packedWeights: (byteCount: Int, count: Int) {
    parameters.reduce((0, 0)) { sum, parameter in
      parameter.packed.map { (sum.0 + $0.byteCount, sum.1 + parameter.shape.count) } ?? sum
    }
  }
}
