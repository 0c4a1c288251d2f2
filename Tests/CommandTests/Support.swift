import Files
import Glibc
import Testing

/// Calls the built program as a person or a script does: as a child process.
struct Program {
  struct Ending {
    let code: Int32
    let output: String
    let narration: String

    /// The JSON values on standard output, one a line.
    func json() throws -> [JSON] {
      try output.split(separator: "\n").map { try JSON(parsing: String($0), source: "standard output") }
    }
  }

  /// A folder of its own that goes away with the value that holds it.
  final class Workplace {
    let path: String

    init() throws {
      var template = Array("/tmp/nibble-command-XXXXXX".utf8CString)
      let made = try #require(mkdtemp(&template), "mkdtemp failed")
      path = String(cString: made)
    }

    deinit { try? Folder.remove(path) }

    func write(_ text: String, to name: String) throws {
      try AtomicFile.write(Array(text.utf8), to: path + "/" + name)
    }

    func bytes(_ name: String) throws -> [UInt8] {
      let file = try MappedFile(path: path + "/" + name)
      return try file.bytes(in: 0..<file.count)
    }

    func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }
  }

  let workplace: Workplace

  init() throws { workplace = try Workplace() }

  /// The program beside the test bundle.
  static func path() throws -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let length = buffer.withUnsafeMutableBytes { bytes in
      bytes.baseAddress.map { readlink("/proc/self/exe", $0, bytes.count) } ?? 0
    }
    let own = String(decoding: buffer.prefix(max(0, length)), as: UTF8.self)
    let folder = own.split(separator: "/").dropLast().joined(separator: "/")
    let candidate = "/" + folder + "/nibble"
    if Folder.exists(candidate) { return candidate }
    let package = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    for build in ["debug", "release"] where Folder.exists("\(package)/.build/\(build)/nibble") {
      return "\(package)/.build/\(build)/nibble"
    }
    throw FileError.missing(path: candidate, folder: folder)
  }

  /// Starts the program in the workplace.
  func start(_ arguments: [String], environment: [String: String] = [:]) throws -> Running {
    try Running(arguments, in: workplace, environment: environment)
  }

  func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Ending {
    try start(arguments, environment: environment).wait()
  }

  /// The same from one line; no argument has a space.
  func run(_ line: String) throws -> Ending { try run(line.split(separator: " ").map(String.init)) }

  /// A child process whose streams go to files.
  final class Running {
    let process: pid_t
    private let outputPath: String
    private let narrationPath: String
    private var isOver = false

    init(_ arguments: [String], in workplace: Workplace, environment: [String: String]) throws {
      let mark = "\(UInt32.random(in: .min ... .max))"
      outputPath = "\(workplace.path)/.out-\(mark)"
      narrationPath = "\(workplace.path)/.err-\(mark)"
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT, 0o600)
      posix_spawn_file_actions_addopen(&actions, 2, narrationPath, O_WRONLY | O_CREAT, 0o600)
      let path = try Program.path()
      // Nothing of the caller's settings may reach the program.
      let kept = ["PATH", "HOME", "LD_LIBRARY_PATH", "OCL_ICD_VENDORS", "NIBBLE_CACHE", "NIBBLE_TUNING"]
      // Of a variable that stands twice the first would count.
      let inherited = kept.filter { environment[$0] == nil }.compactMap { name in
        getenv(name).map { "\(name)=\(String(cString: $0))" }
      }
      let variables = inherited + environment.map { "\($0.key)=\($0.value)" }
      // The shell only changes the folder; `exec` leaves its process to the program.
      let words = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", workplace.path, path] + arguments
      var argumentPointers = words.map { strdup($0) } + [nil]
      var variablePointers = variables.map { strdup($0) } + [nil]
      defer { for pointer in argumentPointers + variablePointers { free(pointer) } }
      var process: pid_t = 0
      let status = posix_spawn(&process, words[0], &actions, nil, &argumentPointers, &variablePointers)
      try #require(status == 0, "posix_spawn failed: \(status)")
      self.process = process
    }

    deinit {
      guard !isOver else { return }
      kill(process, SIGKILL)
      var status: Int32 = 0
      waitpid(process, &status, 0)
    }

    func send(_ signal: Int32) { kill(process, signal) }

    /// Waits up to a minute until a file has a text in it.
    func waitFor(_ text: String, in path: String) throws {
      for _ in 0..<1200 {
        if let file = try? MappedFile(path: path), let bytes = try? file.bytes(in: 0..<file.count),
          String(decoding: bytes, as: UTF8.self).contains(text)
        {
          return
        }
        usleep(50_000)
      }
      Issue.record("'\(text)' did not appear in \(path): \(content(narrationPath))")
    }

    func waitForNarration(_ text: String) throws { try waitFor(text, in: narrationPath) }

    func wait() throws -> Ending {
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0 { try #require(errno == EINTR, "waitpid failed") }
      isOver = true
      // A process ended by a signal must not look like one that left with a code.
      let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
      return Ending(code: code, output: content(outputPath), narration: content(narrationPath))
    }

    private func content(_ path: String) -> String {
      guard let file = try? MappedFile(path: path), let bytes = try? file.bytes(in: 0..<file.count) else {
        return ""
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}

/// A run of a second: one narrow layer on the text inside the program.
enum SmallRun {
  static let keys = [
    "data.path=embedded", "model.layers=1", "model.dimension=32", "model.heads=2", "model.context=32",
    "batch.tokens=128", "batch.micro=2", "steps=12", "schedule.warmup=2", "optimizer.learning_rate=1e-2",
    "evaluation.every=6", "evaluation.tokens=512", "checkpoint.every=4",
  ]

  static func arguments(_ output: String, _ more: [String] = [], device: String = "cpu") -> [String] {
    ["train"] + keys + ["--output", output, "--device", device] + more
  }
}
