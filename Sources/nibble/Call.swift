import ArgumentParser
import Engine
import Glibc
import Kernels
import Terminal

/// A verb of the command line.
protocol Verb: ParsableCommand {
  var globals: GlobalOptions { get }
  func run(_ call: Call) throws -> Terminal.ExitCode
}

/// The options that mean the same in every verb.
struct GlobalOptions: ParsableArguments {
  @Option(name: .long, help: "Device by name or row of `nibble devices`: pocl:0, cpu.")
  var device: String?

  @Flag(name: .long, help: "Results as JSON on standard output, one object a line.")
  var json = false

  @Option(name: .long, help: "Processor threads.")
  var threads: Int?

  @Flag(name: [.customShort("q"), .long], help: "Results and errors only.")
  var quiet = false

  @Flag(name: [.customShort("v"), .long], help: "Say more; twice for everything.")
  var verbose: Int

  @Flag(name: .customLong("no-progress"), help: "Plain lines instead of a live status block.")
  var noProgress = false

  @Option(name: .long, help: "Colour: auto, always or never.")
  var color: ColorOption = .auto

  /// The values of `--color`.
  enum ColorOption: String, CaseIterable, ExpressibleByArgument {
    case auto
    case always
    case never

    var choice: ColorChoice {
      switch self {
      case .auto: .auto
      case .always: .always
      case .never: .never
      }
    }
  }

  func validate() throws {
    if let threads, !(1...4096).contains(threads) {
      throw ValidationError("--threads is \(threads); give 1 to 4096.")
    }
  }
}

/// What a verb works with: where to print, and how to open a device.
final class Call {
  let globals: GlobalOptions
  let output: Output
  /// The call as it was typed, without the program's name.
  let arguments: [String]

  init(_ globals: GlobalOptions, arguments: [String]) throws {
    self.globals = globals
    self.arguments = arguments
    var options = Output.Options()
    options.json = globals.json
    options.color = globals.color.choice
    options.progress = !globals.noProgress
    options.verbosity =
      globals.quiet ? .quiet : globals.verbose > 1 ? .debug : globals.verbose > 0 ? .verbose : .normal
    output = Output(options: options)
    limitThreads()
  }

  /// `--threads` holds for our loops, for BLAS and for PoCL, which reads a variable of its own.
  private func limitThreads() {
    if let threads = globals.threads { setenv(EnvironmentVariable.threads.rawValue, "\(threads)", 1) }
    guard let threads = EnvironmentVariable.threads.value else { return }
    setenv("POCL_MAX_PTHREAD_COUNT", threads, 0)
    // The peak of a machine is measured by BLAS on every device, also where `cpu` is never opened.
    BLAS.setThreads(HostThreads.defaultCount)
  }

  /// Opens a device; building its kernels is narrated, as it takes seconds the first time.
  ///
  /// - Parameter name: Nil takes `--device`, else `NIBBLE_DEVICE`, else the best there is.
  func open(_ name: String? = nil) throws -> any OperationDevice {
    let device = try DeviceCatalog.openForOperations(name ?? globals.device, threads: globals.threads)
    if let device = device as? OpenCLDevice {
      let builds = BuildNarration(output, device: device.description.name)
      device.onBuild = { builds.begin($0) }
      device.onIgnoredEntry = { [output] entry, fault in
        output.warning(
          ErrorReport(
            "the tuning database's entry for \(entry.key.name) on this device is ignored: \(fault.rawValue)",
            hints: ["nibble tune \"\(entry.key.name)\" measures it anew"]))
      }
    }
    return device
  }

  /// Seconds of a steady clock.
  static func now() -> Double {
    SteadyClock.now()
  }

  /// Seconds since 1970.
  static func wallTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

/// Says which kernels are being built, so that nobody waits in silence.
final class BuildNarration {
  private let output: Output
  private let device: String
  private var count = 0
  private var lastLine = 0.0

  init(_ output: Output, device: String) {
    self.output = output
    self.device = device
  }

  func begin(_ program: String) {
    count += 1
    // Elementwise programs are named by their whole text.
    let name = program.count > 24 ? String(program.prefix(24)) + output.glyphs.ellipsis : program
    let line = "building kernels for \(device): \(count) so far, now \(printable(name))"
    switch output.progress.mode {
    case .block: output.progress.update(isLast: true) { _ in [line] }
    case .lines:
      // One line every two seconds is enough for a log.
      let now = Call.now()
      guard now - lastLine >= 2 else { return }
      lastLine = now
      output.narrate(line)
    case .off: break
    }
  }
}
