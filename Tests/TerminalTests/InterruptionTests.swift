import Glibc
import Terminal
import Testing

@Suite struct InterruptionTests {
  @Test func firstReasonStays() {
    let flags = Interruption()
    #expect(flags.stopReason == nil)
    #expect(flags.requestStop(.terminate) == .noted)
    #expect(flags.requestStop(.terminate) == .noted)
    #expect(flags.stopReason?.exitCode == .terminated)
    #expect(flags.requestStop(.interrupt) == .leaveNow)
    #expect(flags.stopReason == .terminate)
  }

  @Test func checkpointRequestIsTakenOnce() {
    let flags = Interruption()
    #expect(!flags.takeCheckpointRequest())
    flags.requestCheckpoint()
    #expect(flags.takeCheckpointRequest())
    #expect(!flags.takeCheckpointRequest())
  }

  @Test func signalsSetTheFlags() async {
    await #expect(processExitsWith: .exitCode(42)) {
      try receiveSignals()
      raise(SIGUSR1)
      guard Interruption.shared.takeCheckpointRequest() else { exit(1) }
      raise(SIGINT)
      guard Interruption.shared.stopReason == .interrupt else { exit(2) }
      raise(SIGTERM)
      exit(42)
    }
  }

  @Test func secondInterruptLeavesAtOnce() async {
    await #expect(processExitsWith: .exitCode(130)) {
      try receiveSignals()
      raise(SIGINT)
      raise(SIGINT)
      exit(1)
    }
  }

  @Test func repeatedTerminationLetsTheRunSave() async {
    await #expect(processExitsWith: .exitCode(143)) {
      try receiveSignals()
      for _ in 0..<3 { raise(SIGTERM) }
      exit(Interruption.shared.stopReason?.exitCode.rawValue ?? 1)
    }
  }
}

/// Installs the handlers and lets signals through, which the process of an exit test starts with blocked.
private func receiveSignals() throws {
  var signals = sigset_t()
  sigfillset(&signals)
  pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  try Interruption.installHandlers()
}
