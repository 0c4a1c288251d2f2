public import Kernels

extension Pointwise {
  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    guard count > 0 else { return }
    let shape = device.configuration(ElementwiseConfiguration.self, for: "any")
    let program = PointwiseSource(operation: self, style: device.description.kernelStyle, shape: shape)
    let kernel = try device.generatedKernel("pointwise", in: "pointwise", from: program) { program.text }
    let columns = hasRow ? outputs[0].shape.last : count
    let operands = (inputs + outputs).map { Buffer<Float>($0.memory) as any KernelArgument }
    switch device.description.kernelStyle {
    case .processor:
      let rows = count / columns
      let rowsPerItem = max(1, min(rows, shape.elements / max(1, columns)))
      let sizes = [rows, columns, rowsPerItem].map { UInt64($0) as any KernelArgument }
      kernel(
        operands + sizes,
        over: .groups(
          (columns + shape.elements - 1) / shape.elements, (rows + rowsPerItem - 1) / rowsPerItem))
    case .graphics:
      let block = shape.lanes * shape.elements
      let sizes = [count, columns].map { UInt64($0) as any KernelArgument }
      kernel(operands + sizes, over: .groups((count + block - 1) / block))
    }
  }
}
