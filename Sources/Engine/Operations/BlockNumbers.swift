public import Kernels

/// Numbers blocks of a sequence: a new one begins every `length` tokens and with every document.
///
/// Inputs: documents int32 [batch, time]. Outputs: numbers int32 [batch, time], counted from 0 in every sequence. They go in
/// the place of documents where attention shall stay inside blocks.
public struct BlockNumbers: Operation {
  public static let name = "block_numbers"
  public let length: Int

  public init(length: Int) { self.length = length }

  public var signature: String { "documents: int32 [batch, time] > numbers: int32 [batch, time]" }

  public func validate(_ inputs: [TensorType]) throws(ShapeError) {
    guard length > 0 else {
      throw ShapeError(operation: Self.name, expected: signature, problem: "blocks of \(length) tokens")
    }
  }

  public func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    let time = inputs[0].shape[1]
    let numbers = inputs[0].values.indices.map { index -> Scalar in
      let first = index / time * time
      // Starts of documents, and of blocks inside them.
      var (number, start) = (0, first)
      for place in first..<index + 1 where place > first {
        let isDocument = inputs[0][place] != inputs[0][place - 1]
        if isDocument || (place - start) % length == 0 { number += 1 }
        if isDocument { start = place }
      }
      return Scalar(number)
    }
    outputs[0].values = numbers
  }

  public func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let documents = HostArray<Int32>(inputs[0].memory),
      let numbers = HostArray<Int32>(outputs[0].memory)
    else { return }
    let time = inputs[0].shape[1]
    for first in stride(from: 0, to: inputs[0].shape.count, by: max(1, time)) {
      var (number, filled): (Int32, Int) = (0, 0)
      for place in first..<first + time {
        if place > first, filled == length || documents[place] != documents[place - 1] {
          (number, filled) = (number + 1, 0)
        }
        filled += 1
        numbers.pointer[place] = number
      }
    }
  }

  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard inputs[0].shape.count > 0 else { return }
    let kernel: Kernel<Buffer<Int32>, Buffer<Int32>, UInt32, UInt32> =
      try device.kernel("block_numbers", in: "block_numbers", [:])
    kernel(
      Buffer(inputs[0].memory), Buffer(outputs[0].memory), UInt32(inputs[0].shape[1]), UInt32(length),
      over: .groups(inputs[0].shape[0]))
  }

  public static var samples: [Sample] {
    let documents: [Float] = [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 2] + [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]
    return [1, 3, 4, 64].map { length in
      Sample(
        "2x11 by \(length)", BlockNumbers(length: length), [.init([2, 11], .int32, .values(documents))])
    } + [
      Sample("1x1", BlockNumbers(length: 2), [.init([1, 1], .int32, .integers(0..<9))]),
      Sample("3x130", BlockNumbers(length: 64), [.init([3, 130], .int32, .integers(0..<2))]),
    ]
  }
}
