import Glibc
import Terminal

/// Another run of this program that is talked to in lines and can be ended at any time.
final class ChildProcess {
  /// What came of waiting for a line.
  enum Answer {
    case line(String)
    /// Nothing came in time; the child was ended.
    case timeout
    /// The child ended by itself; says how.
    case ended(String)
  }

  private let process: pid_t
  private let input: Int32
  private let output: Int32
  private var received: [UInt8] = []
  private var isReaped = false

  /// Starts this program with other arguments.
  ///
  /// - Parameter showsErrors: Whether the child's standard error is ours; else it goes nowhere.
  init(arguments: [String], showsErrors: Bool) throws {
    var toChild: [Int32] = [0, 0]
    var fromChild: [Int32] = [0, 0]
    guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else { throw Self.failure("pipe", errno) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
    for descriptor in toChild + fromChild { posix_spawn_file_actions_addclose(&actions, descriptor) }
    if !showsErrors {
      posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
      // A child that crashes ends at once: nobody reads the report, which takes seconds and looks like hanging.
      setenv("SWIFT_BACKTRACE", "enable=no", 1)
    }
    var words = (["nibble"] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var started: pid_t = 0
    let status = posix_spawn(&started, "/proc/self/exe", &actions, nil, &words, environ)
    close(toChild[0])
    close(fromChild[1])
    guard status == 0 else {
      close(toChild[1])
      close(fromChild[0])
      throw Self.failure("posix_spawn", status)
    }
    (process, input, output) = (started, toChild[1], fromChild[0])
  }

  deinit { end() }

  private static func failure(_ call: String, _ number: Int32) -> Failure {
    Failure(
      "cannot start a second process: \(call): \(String(cString: strerror(number)))", exitCode: .internalError
    )
  }

  /// Sends a line; a child that is gone is noticed by ``answer(within:)``.
  func send(_ line: String) {
    var bytes = Array((line + "\n").utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// The child's next line, waited for at most `seconds`.
  func answer(within seconds: Double) -> Answer {
    let deadline = Call.now() + seconds
    while true {
      if let end = received.firstIndex(of: 0x0A) {
        let line = String(decoding: received[..<end], as: UTF8.self)
        received.removeFirst(end + 1)
        return .line(line)
      }
      let left = deadline - Call.now()
      guard left > 0 else {
        end()
        return .timeout
      }
      var descriptor = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard poll(&descriptor, 1, Int32(min(left * 1000 + 1, 1e6))) > 0 else { continue }
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let count = read(output, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return .ended(reap()) }
      received += buffer.prefix(count)
    }
  }

  /// Ends the child at once and waits for it.
  func end() {
    guard !isReaped else { return }
    kill(process, SIGKILL)
    _ = reap()
  }

  private func reap() -> String {
    guard !isReaped else { return "was ended" }
    isReaped = true
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    close(input)
    close(output)
    let signal = status & 0x7F
    return signal == 0 ? "left with code \(status >> 8 & 0xFF)" : "was ended by signal \(signal)"
  }
}
