import Glibc
import Synchronization

/// Why a run is asked to stop.
public enum StopReason: Int, Sendable {
  /// Ctrl-C.
  case interrupt = 1
  /// SIGTERM.
  case terminate = 2

  /// The exit code of a run that stopped for this reason and saved.
  public var exitCode: ExitCode {
    switch self {
    case .interrupt: .interrupted
    case .terminate: .terminated
    }
  }
}

/// What signals ask of a run, as flags that the training loop reads between steps.
///
/// - SIGINT once: finish the step, save, leave. Once more: leave now, exit 130.
/// - SIGTERM: as one SIGINT, exit 143. Repeated ones change nothing: process managers send several and have
///   SIGKILL for the impatient.
/// - SIGUSR1: save a checkpoint and go on.
///
/// The handler only touches lock-free atomics and `_exit`, which is all that a signal handler may do.
public final class Interruption: Sendable {
  /// What the handler of a signal has to do.
  public enum Reaction: Sendable, Equatable {
    /// A flag was set; the loop will see it.
    case noted
    /// Leave at once.
    case leaveNow
  }

  /// The flags that the process's signal handlers set.
  public static let shared = Interruption()

  private let stop = Atomic<Int>(0)
  private let checkpoint = Atomic<Bool>(false)

  /// Flags of their own, for a run that is stopped by other means than signals.
  public init() {}

  /// Why the run should stop after this step, nil if it should not.
  public var stopReason: StopReason? { StopReason(rawValue: stop.load(ordering: .acquiring)) }

  /// Whether a checkpoint was asked for since the last call.
  public func takeCheckpointRequest() -> Bool { checkpoint.exchange(false, ordering: .acquiringAndReleasing) }

  /// Asks for a stop; the first reason stays.
  ///
  /// - Returns: `leaveNow` for an interrupt after a stop was already asked for.
  @discardableResult
  public func requestStop(_ reason: StopReason) -> Reaction {
    let (isFirst, _) = stop.compareExchange(
      expected: 0, desired: reason.rawValue, ordering: .acquiringAndReleasing)
    return !isFirst && reason == .interrupt ? .leaveNow : .noted
  }

  /// Asks for a checkpoint.
  public func requestCheckpoint() {
    checkpoint.store(true, ordering: .releasing)
  }

  /// Installs the handlers of SIGINT, SIGTERM and SIGUSR1 for the process, setting the flags of `shared`.
  ///
  /// - Throws: `SignalError` if the system refuses a handler.
  public static func installHandlers() throws(SignalError) {
    // Made here so that the handler never runs the initialiser.
    _ = Interruption.shared.stopReason
    try install(SIGINT) { _ in
      guard Interruption.shared.requestStop(.interrupt) == .leaveNow else { return }
      _exit(ExitCode.interrupted.rawValue)
    }
    try install(SIGTERM) { _ in
      Interruption.shared.requestStop(.terminate)
    }
    try install(SIGUSR1) { _ in
      Interruption.shared.requestCheckpoint()
    }
    unblock([SIGINT, SIGTERM, SIGUSR1])
  }

  /// A caller's worker threads may block signals, and a child process inherits that.
  private static func unblock(_ signals: [Int32]) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  private static func install(
    _ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void
  ) throws(SignalError) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = handler
    // Reads and writes go on after the handler instead of failing with EINTR.
    action.sa_flags = SA_RESTART
    sigemptyset(&action.sa_mask)
    guard sigaction(number, &action, nil) == 0 else {
      throw SignalError(signal: number, errorNumber: errno)
    }
  }
}

/// The system refused a signal handler.
public struct SignalError: UserError, Equatable {
  /// The signal's number.
  public let signal: Int32
  /// The system's reason.
  public let errorNumber: Int32

  /// Which signal, and the system's words.
  public var message: String { "cannot handle signal \(signal): \(systemMessage(errorNumber))" }
  /// Not the user's doing.
  public var exitCode: ExitCode { .internalError }
}
