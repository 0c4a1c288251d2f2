import Glibc

/// Why a write did not happen.
public enum WriteError: UserError, Equatable {
  /// The reader is gone (`| head`). Not a failure of ours.
  case closed(descriptor: Int32)
  /// The system refused: disk full, bad descriptor.
  case failed(descriptor: Int32, errorNumber: Int32)

  /// What failed, with the system's words.
  public var message: String {
    switch self {
    case .closed(let descriptor): "cannot write to \(name(of: descriptor)): its reader has closed it"
    case .failed(let descriptor, let number):
      "cannot write to \(name(of: descriptor)): \(systemMessage(number))"
    }
  }

  /// The work could not be delivered.
  public var exitCode: ExitCode { .failed }

  private func name(of descriptor: Int32) -> String {
    switch descriptor {
    case 1: "standard output"
    case 2: "standard error"
    default: "file descriptor \(descriptor)"
    }
  }
}

/// The system's words for an error number: `No such file or directory`.
public func systemMessage(_ errorNumber: Int32) -> String {
  guard let text = strerror(errorNumber) else { return "error \(errorNumber)" }
  return String(cString: text)
}

/// Writes whole texts to a file descriptor.
///
/// `stdout` as a C stream is a global variable that Swift 6 does not let several threads share, and its buffer
/// would mix with direct writes; so the program writes to descriptors only.
public struct DescriptorWriter: Sendable, Hashable {
  /// The descriptor: 1 for standard output, 2 for standard error.
  public let descriptor: Int32

  /// A writer for an open descriptor, which stays the caller's.
  public init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  /// Whether the descriptor is a terminal.
  public var isTerminal: Bool { isatty(descriptor) == 1 }

  /// The terminal's width in columns, nil if it is not a terminal or does not say.
  public var terminalColumns: Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Writes all of a text, over interruptions by signals and full pipes.
  public func write(_ text: String) throws(WriteError) {
    var text = text
    var failure: WriteError?
    text.withUTF8 { bytes in
      failure = writeAll(UnsafeRawBufferPointer(bytes))
    }
    if let failure { throw failure }
  }

  private func writeAll(_ bytes: UnsafeRawBufferPointer) -> WriteError? {
    var offset = 0
    while offset < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if written >= 0 {
        offset += written
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        // A descriptor shared with a non-blocking program: wait until it takes more.
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&entry, 1, 1000)
      case EPIPE: return .closed(descriptor: descriptor)
      case let number: return .failed(descriptor: descriptor, errorNumber: number)
      }
    }
    return nil
  }
}

/// Makes a write to a closed pipe an error (`WriteError.closed`) instead of the end of the program.
public func ignoreBrokenPipeSignal() {
  _ = signal(SIGPIPE, SIG_IGN)
}

/// The process's environment.
public func processEnvironment() -> [String: String] {
  var result: [String: String] = [:]
  var cursor = environ
  while let entry = cursor.pointee {
    let text = String(cString: entry)
    if let split = text.firstIndex(of: "=") {
      result[String(text[..<split])] = String(text[text.index(after: split)...])
    }
    cursor += 1
  }
  return result
}
