import CHost
import Kernels
import NumberFormats

/// One run of `kernels/quantize_gradient.cl`.
struct RoundingGradientLaunch {
  private let estimator: GradientEstimator
  private let x, dy: Tensor
  private let largest: Tensor?
  private let plan: QuantizationLaunch

  /// - Parameter inputs: x and dy, then the largest magnitude where the choice has it.
  init(_ operation: RoundingGradient, _ inputs: [Tensor]) {
    estimator = operation.estimator
    (x, dy) = (inputs[0], inputs[1])
    largest = operation.choice.needsLargest ? inputs[2] : nil
    plan = QuantizationLaunch(operation.choice, [x] + (largest.map { [$0] } ?? []))
  }

  /// As the kernels number them.
  private var code: Int32 {
    switch estimator {
    case .straightThrough: 0
    case .clipped: 1
    case .differentiable: 2
    case .full: 3
    }
  }

  /// Whole numbers of the kernel, the estimator last.
  private var numbers: [Int32] {
    var numbers = plan.sizes.numbers
    // A band is one tile high: nothing is transformed.
    if plan.kind == .columns { numbers.remove(at: 3) }
    return numbers + [code]
  }

  private var name: String {
    switch plan.kind {
    case .values: "gradient_values"
    case .tiles: "gradient_tiles"
    case .columns: "gradient_columns"
    }
  }

  func run(on device: OpenCLDevice, _ output: Tensor) throws {
    guard x.shape.count > 0 else { return }
    let kernel: UntypedKernel = try device.untypedKernel(
      name, in: "quantize_gradient", plan.definitions(device))
    var arguments: [any KernelArgument] = [x.memory, dy.memory, largest?.memory, output.memory].map {
      Buffer<Float>($0)
    }
    if plan.kind == .values {
      arguments += numbers.dropLast().map { UInt32(bitPattern: $0) }
      arguments.append(code)
    } else {
      arguments += numbers
    }
    arguments.append(plan.parameters.words)
    kernel(arguments, over: .groups(plan.sizes.groups))
  }

  func run(on device: HostDevice, _ output: Tensor) {
    guard x.shape.count > 0,
      let floats = FloatArrays([x.memory, dy.memory, largest?.memory, output.memory])
    else { return }
    let operands = HostOperands(
      nibble_gradient_operands(x: floats[0], dy: floats[1], largest: floats.optional(2), dx: floats[3]))
    let kernel =
      switch plan.kind {
      case .values: nibble_gradient_values()
      case .tiles: nibble_gradient_tiles()
      case .columns: nibble_gradient_columns()
      }
    let (numbers, words) = (numbers, plan.parameters.array)
    device.threads.forRanges(plan.sizes.groups, grain: 1) { range in
      for group in range {
        nibble_select_group(UInt(group))
        withUnsafePointer(to: operands.values) { kernel($0, numbers, words) }
      }
    }
  }

  /// Threads write to disjoint elements; the operation keeps the memory alive.
  private struct HostOperands: @unchecked Sendable {
    let values: nibble_gradient_operands

    init(_ values: nibble_gradient_operands) { self.values = values }
  }
}
