import Testing

@testable import Kernels

/// What keeps kernels portable, found in their text: OpenCL C 1.2 core without doubles, atomics and extensions.
@Suite struct KernelLintTests {
  @Test(arguments: listing(of: packageRoot + "/kernels").filter { $0.hasSuffix(".cl") })
  func aFileIsPortable(name: String) throws {
    let text = String(decoding: try readFile(packageRoot + "/kernels/" + name), as: UTF8.self)
    #expect(KernelLint.problems(in: text) == [])
  }

  @Test(arguments: [
    ("float x = 0.5 * y;", "double literal 0.5"), ("x = 1e-5;", "double literal 1e-5"),
    ("x = 3.;", "double literal 3."), ("x = .25 + y;", "double literal .25"), ("double x;", "double"),
    ("half h;", "half"), ("atomic_add(p, 1);", "atomic_add"), ("atom_inc(p);", "atom_inc"),
    ("sub_group_reduce_add(x);", "sub_group_reduce_add"), ("generic float *p;", "generic"),
    ("pipe int p;", "pipe"), ("work_group_barrier(0);", "work_group_barrier"),
    ("work_group_reduce_add(x);", "work_group_reduce_add"),
    ("#pragma OPENCL EXTENSION cl_khr_fp16 : enable", "cl_khr_fp16"),
    ("x = get_enqueued_local_size(0);", "get_enqueued_local_size"), ("image2d_t i;", "image2d_t"),
  ])
  func aViolationIsFound(line: String, problem: String) {
    #expect(KernelLint.problems(in: "// 0.5 atomic_add\nint a;\n\(line)\n") == ["line 3: \(problem)"])
  }

  @Test func whatIsAllowedPasses() {
    let text = """
      /* 0.5
         atomic_add */
      float a = 0.5f, b = 1e-5f, c = 3.0F, d = v.s0 + w.lo; int e = 0x1e5, f = 12, g = 7u; // double
      x1.xyz = vload_half(0, p); float4 s0 = a.s0123; x = (float)INFINITY;
      """
    #expect(KernelLint.problems(in: text) == [])
  }
}

/// A scan for what OpenCL C 1.2 core does not promise.
private enum KernelLint {
  /// Names that stand for an optional feature, a later version or an atomic.
  private static func isForbidden(_ name: String) -> Bool {
    let words: Set = [
      "double", "half", "generic", "pipe", "get_enqueued_local_size", "get_global_linear_id",
      "get_local_linear_id", "enqueue_kernel", "work_group_barrier",
    ]
    let prefixes = [
      "atomic", "atom_", "sub_group_", "intel_sub_group", "work_group_reduce", "work_group_scan", "image",
      "cl_khr_",
      "cl_intel_", "cl_nv_", "cl_amd_", "double2", "double4", "half2", "half4",
    ]
    return words.contains(name) || prefixes.contains { name.hasPrefix($0) }
  }

  static func problems(in text: String) -> [String] {
    var found: [String] = []
    for (number, line) in withoutComments(text).split(separator: "\n", omittingEmptySubsequences: false)
      .enumerated()
    {
      for token in tokens(of: line) where isForbidden(token) || isDoubleLiteral(token) {
        found.append("line \(number + 1): \(isForbidden(token) ? "" : "double literal ")\(token)")
      }
    }
    return found
  }

  /// Comments become blanks; lines stay lines.
  private static func withoutComments(_ text: String) -> String {
    var result = ""
    var rest = text[...]
    while let start = rest.firstRange(of: "/*") ?? nil {
      guard let end = rest[start.upperBound...].firstRange(of: "*/") else { break }
      result += rest[..<start.lowerBound] + rest[start.lowerBound..<end.upperBound].filter { $0 == "\n" }
      rest = rest[end.upperBound...]
    }
    result += rest
    return result.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.firstRange(of: "//").map { String(line[..<$0.lowerBound]) } ?? String(line)
    }.joined(separator: "\n")
  }

  /// Names, and numbers with their point, exponent and suffix.
  private static func tokens(of line: some StringProtocol) -> [String] {
    var found: [String] = []
    var token = ""
    var previous: Character = " "
    for character in String(line) + " " {
      let isNumber = token.first.map { $0.isNumber || $0 == "." } ?? false
      let isSign =
        (character == "-" || character == "+") && (previous == "e" || previous == "E") && isNumber
        && !token.hasPrefix("0x")
      let isPoint = character == "." && (token.isEmpty || isNumber)
      if character.isLetter || character.isNumber || character == "_" || isSign || isPoint {
        token.append(character)
      } else {
        if !token.isEmpty { found.append(token) }
        token = ""
      }
      previous = character
    }
    return found
  }

  private static func isDoubleLiteral(_ token: String) -> Bool {
    guard let first = token.first, first.isNumber || first == ".", !token.hasPrefix("0x") else {
      return false
    }
    guard token.contains(where: \.isNumber), !token.hasSuffix("f"), !token.hasSuffix("F") else {
      return false
    }
    // Members of vectors (`.s0`) follow a name or a bracket.
    if first == ".", token.dropFirst().first?.isNumber != true { return false }
    return token.contains(".") || token.contains("e") || token.contains("E")
  }
}
