import Synchronization

/// A status block at the lower edge of the terminal, with lines that scroll above it.
///
/// The block is redrawn at most ten times a second and never wider than the terminal. Without a terminal there
/// is no block and no cursor control: scrolled lines and `record` lines come out plainly.
public final class ProgressDisplay: Sendable {
  /// What the stream allows.
  public enum Mode: Sendable {
    /// A block that is redrawn in place.
    case block
    /// Plain lines.
    case lines
    /// Nothing but what is scrolled.
    case off
  }

  private struct State {
    var drawnLines = 0
    var lastDraw: ContinuousClock.Instant?
    var block: [String] = []
  }

  /// The shortest time between two redraws.
  public static let interval = Duration.milliseconds(100)

  /// What the stream allows.
  public let mode: Mode
  private let writer: DescriptorWriter
  private let columns: @Sendable () -> Int
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Mutex(State())

  /// A display on a stream.
  ///
  /// - Parameters:
  ///   - mode: What the stream allows.
  ///   - writer: The stream, standard error as a rule.
  ///   - columns: The width at the moment, asked at every redraw as windows change.
  ///   - now: The clock.
  public init(
    mode: Mode, writer: DescriptorWriter, columns: @escaping @Sendable () -> Int,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
  ) {
    self.mode = mode
    self.writer = writer
    self.columns = columns
    self.now = now
  }

  /// Shows a new state of the block.
  ///
  /// Within a tenth of a second of the last redraw nothing happens, and the lines are not even made.
  ///
  /// - Parameters:
  ///   - isLast: Draws in any case: for the state that `finish` leaves standing.
  ///   - lines: The block's lines for the number of columns given.
  public func update(isLast: Bool = false, _ lines: (Int) -> [String]) {
    guard mode == .block else { return }
    state.withLock { state in
      let time = now()
      if !isLast, let last = state.lastDraw, time - last < ProgressDisplay.interval { return }
      state.lastDraw = time
      let width = usableColumns
      state.block = lines(width)
      send(erased(&state) + drawn(&state, width: width))
    }
  }

  /// Prints a line (or several) above the block; plainly where there is no block.
  public func scroll(_ text: String) {
    state.withLock { state in
      let erase = erased(&state)
      let block = mode == .block ? drawn(&state, width: usableColumns) : ""
      send(erase + text + "\n" + block)
    }
  }

  /// Prints one plain line of `key=value` pairs where there is no block; values with spaces are quoted.
  public func record(_ fields: @autoclosure () -> [(key: String, value: String)]) {
    guard mode == .lines else { return }
    let line = fields().map { "\($0.key)=\(quotedIfNeeded($0.value))" }.joined(separator: " ")
    state.withLock { _ in send(line + "\n") }
  }

  /// Removes the block until the next update, so that other text can use the terminal.
  public func suspend() {
    state.withLock { state in
      // A line that scrolls meanwhile must not bring it back.
      state.block = []
      guard state.drawnLines > 0 else { return }
      send(erased(&state))
      state.lastDraw = nil
    }
  }

  /// Leaves the last state of the block standing, with the cursor below it.
  public func finish() {
    state.withLock { state in
      if state.drawnLines > 0 { send("\n") }
      state = State()
    }
  }

  /// One column stays free: a terminal may wrap when the last one is filled.
  private var usableColumns: Int { max(1, columns() - 1) }

  private func erased(_ state: inout State) -> String {
    guard state.drawnLines > 0 else { return "" }
    let up = state.drawnLines > 1 ? "\u{1B}[\(state.drawnLines - 1)A" : ""
    state.drawnLines = 0
    return "\r" + up + "\u{1B}[J"
  }

  private func drawn(_ state: inout State, width: Int) -> String {
    let lines = state.block.map { fitted(printableExceptStyle($0), columns: width) }
    state.drawnLines = lines.count
    return lines.joined(separator: "\n")
  }

  private func send(_ text: String) {
    // Narration that cannot be written is nobody's loss; results have their own stream.
    try? writer.write(text)
  }

  private func printableExceptStyle(_ line: String) -> String {
    guard line.unicodeScalars.contains(where: { $0 == "\n" || $0 == "\r" || $0 == "\t" }) else { return line }
    var result = String.UnicodeScalarView()
    for scalar in line.unicodeScalars {
      result.append(scalar == "\n" || scalar == "\r" || scalar == "\t" ? " " : scalar)
    }
    return String(result)
  }

  private func quotedIfNeeded(_ value: String) -> String {
    let text = printable(value)
    guard text.isEmpty || text.contains(" ") || text.contains("\"") || text.contains("=") else { return text }
    return JSONText.string(text).description
  }
}

/// A bar for a share of the work, `columns` wide including its ends.
///
/// - Parameters:
///   - fraction: 0 to 1; what is outside is drawn as the nearer end, NaN as 0.
///   - columns: At least 3.
///   - glyphs: Eighths of a block, or `#` signs.
public func progressBar(_ fraction: Double, columns: Int, glyphs: Glyphs) -> String {
  let inner = max(1, columns - 2)
  let share = fraction.isNaN ? 0 : min(max(fraction, 0), 1)
  switch glyphs {
  case .ascii:
    let full = Int((share * Double(inner)).rounded(.down))
    return "[" + String(repeating: "#", count: full) + String(repeating: " ", count: inner - full) + "]"
  case .unicode:
    let eighths = Int((share * Double(inner * 8)).rounded(.down))
    let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
    let used = eighths / 8 + (partial.isEmpty ? 0 : 1)
    let rest = String(repeating: " ", count: inner - used)
    return "▕" + String(repeating: "█", count: eighths / 8) + partial + rest + "▏"
  }
}
