import Kernels

/// The OpenCL C of an elementwise expression: the same body once for vectors and once for the tail in `float`.
struct PointwiseSource: Hashable {
  let operation: Pointwise
  let style: KernelStyle
  let shape: ElementwiseConfiguration

  var text: String {
    switch style {
    case .processor: processorText
    case .graphics: graphicsText
    }
  }

  private var processorText: String {
    """
    // Generated from an elementwise expression: y = f(x), one work-item per block of columns of some rows.
    kernel __attribute__((reqd_work_group_size(1, 1, 1)))
    void pointwise(\(parameters(["rows", "columns", "item_rows"]))) {
    \(elements)
      const ulong first = get_group_id(0) * \(shape.elements);
      const ulong last = min(first + \(shape.elements), columns);
      const ulong row_end = min((get_group_id(1) + 1) * item_rows, rows);
      for (ulong row = get_group_id(1) * item_rows; row < row_end; row++) {
        ulong column = first;
        for (; column + 8 <= last; column += 8) {
          const ulong i = row * columns + column;
    \(body(type: "float8", load: { "vload8(0, \($0))" }, store: { "vstore8(\($0), 0, \($1));" }))
        }
        for (; column < last; column++) {
          const ulong i = row * columns + column;
    \(scalarBody)
        }
      }
    }

    """
  }

  /// Buffers and their views start at multiples of more than 16 bytes, so whole vectors are loaded.
  private var graphicsText: String {
    """
    // Generated from an elementwise expression: y = f(x). Neighbouring work-items take neighbouring vectors.
    kernel __attribute__((reqd_work_group_size(\(shape.lanes), 1, 1)))
    void pointwise(\(parameters(["count", "columns"]))) {
    \(elements)
      const ulong block = get_group_id(0) * \(shape.lanes * shape.elements)ul;
      for (uint step = 0; step < \(shape.elements / 4); step++) {
        const uint place = (step * \(shape.lanes) + (uint)get_local_id(0)) * 4;
        const ulong first = block + place;
        if (first + 4 <= count\(operation.hasRow ? " && columns % 4 == 0" : "")) {
          const ulong i = first;
          \(column)
    \(body(type: "float4", load: { "*(const global float4 *)(\($0))" }, store: { "*(global float4 *)(\($1)) = \($0);" }))
        } else {
          const ulong end = min(first + 4, count);
          for (ulong i = first; i < end; i++) {
            \(column)
    \(scalarBody)
          }
        }
      }
    }

    """
  }

  /// One division of 64 bits per group, one of 32 bits per vector.
  private var column: String {
    operation.hasRow
      ? "const uint column = ((uint)(block % columns) + (uint)(i - block)) % (uint)columns;" : ""
  }

  private func parameters(_ sizes: [String]) -> String {
    let tensors = (operation.operands.map(\.tensor).max() ?? -1) + 1
    let inputs = (0..<tensors).map { "const global float *x\($0)" }
    let outputs = operation.program.outputs.indices.map { "global float *y\($0)" }
    return (inputs + outputs + sizes.map { "const ulong \($0)" }).joined(separator: ",\n               ")
  }

  /// Operands that are single elements, read once: no output shares their memory, which a compiler cannot know.
  private var elements: String {
    operation.operands.enumerated().compactMap { number, operand in
      guard case .element(let element) = operand.access else { return nil }
      return "  const float e\(number) = x\(operand.tensor)[\(element)];"
    }.joined(separator: "\n")
  }

  private var scalarBody: String {
    body(type: "float", load: { "*(\($0))" }, store: { "*(\($1)) = \($0);" })
  }

  private func body(type: String, load: (String) -> String, store: (String, String) -> String) -> String {
    var lines: [String] = []
    for (index, instruction) in operation.program.instructions.enumerated() {
      lines.append("const \(type) v\(index) = \(text(instruction, type: type, load: load));")
    }
    for (output, index) in operation.program.outputs.enumerated() {
      lines.append(store("v\(index)", "y\(output) + i"))
    }
    return lines.map { "      " + $0 }.joined(separator: "\n")
  }

  private func text(
    _ instruction: PointwiseProgram.Instruction, type: String, load: (String) -> String,
  ) -> String {
    switch instruction {
    case .input(let number):
      let operand = operation.operands[number]
      switch operand.access {
      case .full: return load("x\(operand.tensor) + i")
      case .row: return load("x\(operand.tensor) + column")
      case .element: return "(\(type))(e\(number))"
      }
    case .constant(let value): return "(\(type))(\(Self.literal(value)))"
    case .unary(let function, let a):
      switch function {
      case .negate: return "-v\(a)"
      case .abs: return "fabs(v\(a))"
      case .exp, .log, .log1p, .tanh, .erf, .sqrt: return "\(function.rawValue)(v\(a))"
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
