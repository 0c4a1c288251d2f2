import Synchronization

/// How much narration a person asked for.
public enum Verbosity: Int, Sendable, Comparable {
  /// `-q`: results only (and errors).
  case quiet = 0
  /// What a person wants to know.
  case normal = 1
  /// `-v`: choices and their reasons.
  case verbose = 2
  /// `-vv`: launches.
  case debug = 3

  /// By amount of text.
  public static func < (a: Verbosity, b: Verbosity) -> Bool { a.rawValue < b.rawValue }
}

/// How a command speaks: results on standard output, narration on standard error.
///
/// A failed write of a result is kept, later ones are skipped, and `finish()` throws it: so a command need not
/// `try` every line and still cannot end well with half its results. A closed pipe (`| head`) is no failure;
/// `isResultStreamClosed` lets a long command end early. Failed narration is dropped.
public final class Output: Sendable {
  /// What the flags and the environment ask for.
  public struct Options: Sendable {
    /// Amount of narration.
    public var verbosity = Verbosity.normal
    /// `--json`: standard output takes JSON lines only.
    public var json = false
    /// `--color`.
    public var color = ColorChoice.auto
    /// False with `--no-progress`.
    public var progress = true
    /// The environment, for colour, locale and width.
    public var environment: [String: String]

    /// The options of a call without flags.
    public init(environment: [String: String] = processEnvironment()) {
      self.environment = environment
    }
  }

  private struct State {
    var failure: WriteError?
    var isClosed = false
  }

  /// The options given.
  public let options: Options
  /// Colours on standard output.
  public let resultStyle: Style
  /// Colours on standard error.
  public let narrationStyle: Style
  /// The signs the locale shows.
  public let glyphs: Glyphs
  /// The status block on standard error; narration scrolls above it.
  public let progress: ProgressDisplay
  private let results: DescriptorWriter
  private let state = Mutex(State())

  /// An output over two descriptors.
  public init(
    options: Options = Options(),
    results: DescriptorWriter = DescriptorWriter(descriptor: 1),
    narration: DescriptorWriter = DescriptorWriter(descriptor: 2)
  ) {
    self.options = options
    self.results = results
    let environment = options.environment
    resultStyle =
      options.json
      ? .plain : Style(choice: options.color, isTerminal: results.isTerminal, environment: environment)
    narrationStyle = Style(choice: options.color, isTerminal: narration.isTerminal, environment: environment)
    glyphs = Glyphs(environment: environment)
    let canRedraw = narration.isTerminal && environment["TERM"] != "dumb"
    let mode: ProgressDisplay.Mode =
      options.verbosity == .quiet ? .off : canRedraw && options.progress ? .block : .lines
    let fallbackWidth = Output.columns(in: environment)
    progress = ProgressDisplay(
      mode: mode, writer: narration, columns: { narration.terminalColumns ?? fallbackWidth })
  }

  /// Columns for tables on standard output; nil (no limit) when it is not a terminal.
  public var resultColumns: Int? {
    results.isTerminal ? results.terminalColumns ?? Output.columns(in: options.environment) : nil
  }

  /// Whether the reader of standard output has gone away.
  public var isResultStreamClosed: Bool { state.withLock { $0.isClosed } }

  /// Writes a line of the result for people; nothing with `--json`.
  public func result(_ line: String) {
    guard !options.json else { return }
    writeResult(line + "\n")
  }

  /// Writes a piece of the result without a newline (streamed text); nothing with `--json`.
  public func stream(_ text: String) {
    guard !options.json else { return }
    writeResult(text)
  }

  /// Writes one JSON value as one line, with `--json` only.
  public func json(_ value: @autoclosure () -> JSONText) {
    guard options.json else { return }
    writeResult(value().description + "\n")
  }

  /// Passes a finished JSON line through, with `--json` only.
  ///
  /// Line ends inside become spaces, which JSON allows between tokens and forbids inside strings.
  public func jsonLine(_ text: @autoclosure () -> String) {
    guard options.json else { return }
    var line = String.UnicodeScalarView()
    for scalar in text().unicodeScalars { line.append(scalar == "\n" || scalar == "\r" ? " " : scalar) }
    writeResult(String(line) + "\n")
  }

  /// Prints a table on standard output and, as narration, which columns the width left out; nothing with
  /// `--json`.
  public func table(_ table: Table) {
    guard !options.json else { return }
    let rendered = table.rendered(columns: resultColumns, style: resultStyle, glyphs: glyphs)
    writeResult(rendered.lines.map { $0 + "\n" }.joined())
    if let note = rendered.note { narrate(note) }
  }

  /// Narrates on standard error, if the verbosity allows.
  public func narrate(_ line: @autoclosure () -> String, at level: Verbosity = .normal) {
    guard options.verbosity >= level, level > .quiet else { return }
    progress.scroll(line())
  }

  /// Reports something to act on; silent with `-q`.
  public func warning(_ report: ErrorReport) {
    guard options.verbosity > .quiet else { return }
    progress.scroll(report.text(label: .warning, style: narrationStyle))
  }

  /// Reports an error on standard error, whatever the verbosity, and returns the exit code it asks for.
  @discardableResult
  public func error(_ error: any Error) -> ExitCode {
    let (reports, code) = describe(error)
    for report in reports { progress.scroll(report.text(style: narrationStyle)) }
    return code
  }

  /// Ends the status block and throws the first failed write of a result, if there was one.
  public func finish() throws(WriteError) {
    progress.finish()
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  private func writeResult(_ text: String) {
    // The block must not be torn by results that share its terminal.
    if results.isTerminal { progress.suspend() }
    state.withLock { state in
      guard !state.isClosed, state.failure == nil else { return }
      do throws(WriteError) {
        try results.write(text)
      } catch {
        switch error {
        case .closed: state.isClosed = true
        case .failed: state.failure = error
        }
      }
    }
  }

  private static func columns(in environment: [String: String]) -> Int {
    guard let text = environment["COLUMNS"], let columns = Int(text), (1...10_000).contains(columns) else {
      return 80
    }
    return columns
  }
}
