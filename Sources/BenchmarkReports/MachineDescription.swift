import Glibc

/// The machine that a benchmark ran on.
public struct MachineDescription: Sendable, Hashable {
  /// System and architecture, `Linux 6.1.0 x86_64`.
  public var system: String
  /// The processor's product name; nil where the system does not say.
  public var processor: String?
  /// The highest clock of the processors at the start, in Hz.
  public var clock: Double?

  public init(system: String, processor: String?, clock: Double?) {
    self.system = system
    self.processor = processor
    self.clock = clock
  }

  /// This machine, now.
  public static func current() -> MachineDescription {
    let lines = (SystemText.read("/proc/cpuinfo") ?? "").split(separator: "\n")
    func values(_ key: String) -> [String] {
      lines.filter { $0.hasPrefix(key) }.compactMap { line in
        line.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) }
      }
    }
    let megahertz = values("cpu MHz").compactMap { Double($0) }.max()
    return MachineDescription(
      system: system(), processor: values("model name").first, clock: megahertz.map { $0 * 1e6 })
  }

  private static func system() -> String {
    var name = utsname()
    guard uname(&name) == 0 else { return "unknown" }
    func text<Field>(_ field: Field) -> String {
      withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(text(name.sysname)) \(text(name.release)) \(text(name.machine))"
  }
}

/// Small texts that the system makes up when they are read; they have no size before.
enum SystemText {
  static func read(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 14)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
