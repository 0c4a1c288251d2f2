import CKernelSources
import Files

/// The OpenCL C of `kernels/`, embedded in the program, or read from the folder in `NIBBLE_KERNELS`.
public enum KernelSources {
  /// The text of a family, with its includes pasted in.
  ///
  /// `#line` directives make driver messages show the file and line of `kernels/`.
  public static func source(of family: String) throws -> String {
    try expanded(family, included: [])
  }

  /// Names of the embedded families.
  public static var families: [String] { Array(embedded.keys).sorted() }

  private static func expanded(_ family: String, included: [String]) throws -> String {
    let text = try rawText(of: family)
    var lines = ["#line 1 \"kernels/\(family).cl\""]
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      guard line.hasPrefix("#include \""), let name = line.split(separator: "\"").dropFirst().first else {
        lines.append(String(line))
        continue
      }
      let part = name.hasSuffix(".cl") ? String(name.dropLast(3)) : String(name)
      if !included.contains(part) { lines.append(try expanded(part, included: included + [family])) }
      lines.append("#line \(number + 2) \"kernels/\(family).cl\"")
    }
    return lines.joined(separator: "\n")
  }

  private static func rawText(of family: String) throws -> String {
    if let folder = EnvironmentVariable.kernels.value {
      guard Folder.isFolder(folder) else { throw KernelError.noKernelFolder(path: folder) }
      let path = folder + "/" + family + ".cl"
      if Folder.exists(path) {
        let file = try MappedFile(path: path)
        return String(decoding: try file.bytes(in: 0..<file.count), as: UTF8.self)
      }
    }
    guard let text = embedded[family] else {
      throw KernelError.missingSource(family: family, place: "the program", known: families)
    }
    return text
  }

  private static let embedded: [String: String] = {
    var sources: [String: String] = [:]
    for index in 0..<nibble_kernel_source_count() {
      guard let name = nibble_kernel_source_name(index), let text = nibble_kernel_source_text(index) else {
        continue
      }
      let length = nibble_kernel_source_length(index)
      sources[String(cString: name)] = text.withMemoryRebound(to: UInt8.self, capacity: length) {
        String(decoding: UnsafeBufferPointer(start: $0, count: length), as: UTF8.self)
      }
    }
    return sources
  }()
}
