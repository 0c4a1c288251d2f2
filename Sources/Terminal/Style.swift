/// When colour is used: the value of `--color`.
public enum ColorChoice: String, Sendable, CaseIterable {
  /// On a terminal, unless the environment says otherwise.
  case auto
  /// Always.
  case always
  /// Never.
  case never
}

/// Colour with a meaning.
///
/// A word or a sign always carries the meaning too.
public struct Style: Sendable, Hashable {
  /// What a piece of text is.
  public enum Role: Sendable, CaseIterable {
    /// Something failed (red).
    case failed
    /// Something to look at (yellow).
    case warning
    /// Something passed (green).
    case passed
    /// The number you came for (bold).
    case emphasis
    /// The rest (dim).
    case dim
  }

  /// Whether sequences are written at all.
  public var isColored: Bool

  /// Text as it is.
  public static let plain = Style(isColored: false)
  /// Text with colour sequences.
  public static let colored = Style(isColored: true)

  static let resetSequence = "\u{1B}[0m"

  /// A style that colours or does not.
  public init(isColored: Bool) {
    self.isColored = isColored
  }

  /// The style for a stream.
  ///
  /// `--color always` and `never` decide alone. With `auto`: a non-empty `NO_COLOR` is strongest, then
  /// `FORCE_COLOR` (non-empty, not `0`), then `TERM=dumb` (off), then whether the stream is a terminal.
  public init(choice: ColorChoice, isTerminal: Bool, environment: [String: String]) {
    switch choice {
    case .always: isColored = true
    case .never: isColored = false
    case .auto:
      if environment["NO_COLOR"]?.isEmpty == false {
        isColored = false
      } else if let force = environment["FORCE_COLOR"], !force.isEmpty {
        isColored = force != "0"
      } else {
        isColored = isTerminal && environment["TERM"] != "dumb"
      }
    }
  }

  /// The text in the colour of a role, or as it is.
  public func applied(_ role: Role, to text: String) -> String {
    guard isColored, !text.isEmpty else { return text }
    return sequence(of: role) + text + Style.resetSequence
  }

  private func sequence(of role: Role) -> String {
    switch role {
    case .failed: "\u{1B}[31m"
    case .warning: "\u{1B}[33m"
    case .passed: "\u{1B}[32m"
    case .emphasis: "\u{1B}[1m"
    case .dim: "\u{1B}[2m"
    }
  }
}

/// The signs a stream can show: Unicode where the locale is UTF-8, else ASCII.
public enum Glyphs: Sendable, Hashable {
  /// Block elements, braille, arrows, middle dots.
  case unicode
  /// Seven-bit signs only.
  case ascii

  /// The signs for a locale, from the first non-empty of `LC_ALL`, `LC_CTYPE`, `LANG`.
  public init(environment: [String: String]) {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"]
    let locale = names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
    let lowered = locale.lowercased()
    self = lowered.contains("utf-8") || lowered.contains("utf8") ? .unicode : .ascii
  }

  /// Between two facts on one line.
  public var separator: String { self == .unicode ? " · " : " - " }
  /// At the end of a text that was cut.
  public var ellipsis: String { self == .unicode ? "…" : "..." }
  /// A product, as in `4 x 128`.
  public var times: String { self == .unicode ? "×" : "x" }
  /// Falling, rising.
  public var falling: String { self == .unicode ? "↓" : "v" }
  /// Rising.
  public var rising: String { self == .unicode ? "↑" : "^" }
}
