public import Kernels

extension Pointwise {
  public func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let count = outputs[0].shape.count
    guard count > 0 else { return }
    let columns = hasRow ? outputs[0].shape.last : count
    let rows = count / columns
    let kernel = try device.generatedKernel("pointwise", in: "pointwise", from: self) { source }
    // A work-item takes a block of columns of a few rows: large enough to hide the cost of starting it.
    let columnsPerItem = device.description.kernelStyle == .processor ? 4096 : 64
    let rowsPerItem = max(1, min(rows, columnsPerItem / max(1, columns)))
    var arguments: [any KernelArgument] = inputs.map { Buffer<Float>($0.memory) }
    arguments += outputs.map { Buffer<Float>($0.memory) as any KernelArgument }
    arguments +=
      [UInt64(rows), UInt64(columns), UInt64(rowsPerItem), UInt64(columnsPerItem)] as [any KernelArgument]
    kernel(
      arguments,
      over: .groups((columns + columnsPerItem - 1) / columnsPerItem, (rows + rowsPerItem - 1) / rowsPerItem))
  }

  /// The OpenCL C of the program: the same body once for `float8` and once for the tail in `float`.
  private var source: String {
    let tensors = (operands.map(\.tensor).max() ?? -1) + 1
    let inputs = (0..<tensors).map { "const global float *x\($0)" }
    let outputs = program.outputs.indices.map { "global float *y\($0)" }
    let sizes = [
      "const ulong rows", "const ulong columns", "const ulong item_rows", "const ulong item_columns",
    ]
    return """
      // Generated from an elementwise expression: y = f(x), one work-item per block of columns of some rows.
      kernel __attribute__((reqd_work_group_size(1, 1, 1)))
      void pointwise(\((inputs + outputs + sizes).joined(separator: ",\n               "))) {
        const ulong first = get_group_id(0) * item_columns;
        const ulong last = min(first + item_columns, columns);
        const ulong row_end = min((get_group_id(1) + 1) * item_rows, rows);
        for (ulong row = get_group_id(1) * item_rows; row < row_end; row++) {
          ulong column = first;
          for (; column + 8 <= last; column += 8) {
            const ulong i = row * columns + column;
      \(body(type: "float8", load: { "vload8(0, \($0))" }, store: { "vstore8(\($0), 0, \($1));" }))
          }
          for (; column < last; column++) {
            const ulong i = row * columns + column;
      \(body(type: "float", load: { "*(\($0))" }, store: { "*(\($1)) = \($0);" }))
          }
        }
      }

      """
  }

  private func body(type: String, load: (String) -> String, store: (String, String) -> String) -> String {
    var lines: [String] = []
    for (index, instruction) in program.instructions.enumerated() {
      lines.append("const \(type) v\(index) = \(text(instruction, type: type, load: load));")
    }
    for (output, index) in program.outputs.enumerated() { lines.append(store("v\(index)", "y\(output) + i")) }
    return lines.map { "      " + $0 }.joined(separator: "\n")
  }

  private func text(
    _ instruction: PointwiseProgram.Instruction, type: String, load: (String) -> String,
  ) -> String {
    switch instruction {
    case .input(let number):
      let operand = operands[number]
      switch operand.access {
      case .full: return load("x\(operand.tensor) + i")
      case .row: return load("x\(operand.tensor) + column")
      case .element(let element): return "(\(type))(x\(operand.tensor)[\(element)])"
      }
    case .constant(let value): return "(\(type))(\(Self.literal(value)))"
    case .unary(let function, let a):
      switch function {
      case .negate: return "-v\(a)"
      case .abs: return "fabs(v\(a))"
      case .exp, .log, .tanh, .erf, .sqrt: return "\(function.rawValue)(v\(a))"
      }
    case .binary(let function, let a, let b):
      switch function {
      case .add: return "v\(a) + v\(b)"
      case .subtract: return "v\(a) - v\(b)"
      case .multiply: return "v\(a) * v\(b)"
      case .divide: return "v\(a) / v\(b)"
      case .maximum: return "select(v\(a), v\(b), v\(a) < v\(b))"
      case .minimum: return "select(v\(a), v\(b), v\(b) < v\(a))"
      case .less: return "select((\(type))(0.0f), (\(type))(1.0f), v\(a) < v\(b))"
      }
    case .select(let condition, let a, let b):
      return "select(v\(b), v\(a), v\(condition) != (\(type))(0.0f))"
    }
  }

  /// A float literal that reads back exactly.
  private static func literal(_ value: Double) -> String {
    let number = Float(value)
    if number.isNaN { return "NAN" }
    if number.isInfinite { return number < 0 ? "-INFINITY" : "INFINITY" }
    let text = "\(number)"
    return (text.contains(".") || text.contains("e") ? text : text + ".0") + "f"
  }
}
