import Kernels

@testable import Engine

/// Values of tensors [batch, time, ...] that go through a recurrence in parts.
enum RunValues {
  /// Some tokens of every sequence.
  static func slice(
    _ values: [Float], _ tokens: Range<Int>, of shape: Shape, on device: any OperationDevice,
  ) -> Tensor {
    let width = shape.count / (shape[0] * shape[1])
    let cut = (0..<shape[0]).flatMap { batch in
      values[(batch * shape[1] + tokens.lowerBound) * width..<(batch * shape[1] + tokens.upperBound) * width]
    }
    return Tensor(
      cut, shape: Shape([shape[0], tokens.count] + shape.dimensions.dropFirst(2)), on: device)
  }

  /// What ``slice(_:_:of:on:)`` cut.
  static func join(_ parts: [[Double]], _ ranges: [Range<Int>], of shape: Shape) -> [Double] {
    let width = shape.count / (shape[0] * shape[1])
    return (0..<shape[0]).flatMap { batch in
      zip(parts, ranges).flatMap { values, tokens in
        values[batch * tokens.count * width..<(batch + 1) * tokens.count * width]
      }
    }
  }

  /// In the device's own precision; none where there is no tensor.
  static func read(_ tensor: Tensor?, on device: any OperationDevice) throws -> [Double] {
    guard let tensor else { return [] }
    if let device = device as? ReferenceDevice<Double> { return device.values(tensor.memory) }
    return try tensor.floats(on: device).map(Double.init)
  }
}
