/// The positions of a batch's tokens on the device, for models that look them up in a table.
///
/// They are the same in every step of a training, so they are uploaded once: an upload waits for everything that is
/// queued.
final class LearnedPositions {
  private let device: any OperationDevice
  private var numbers: (first: Int, tensor: Tensor)?

  init(on device: any OperationDevice) { self.device = device }

  /// The numbers from `first` on in every row, int32 [batch, time].
  func tensor(from first: Int, shape: Shape) -> Tensor {
    if let numbers, numbers.first == first, numbers.tensor.shape == shape { return numbers.tensor }
    let row = (0..<shape[1]).map { Int32(first + $0) }
    let tensor = Tensor((0..<shape[0]).flatMap { _ in row }, shape: shape, on: device)
    numbers = (first, tensor)
    return tensor
  }
}
