/// One problem as a person reads it: a sentence, the values, the way out.
public struct ErrorReport: Sendable, Hashable {
  /// One sentence that names the subject and where it stands.
  public var message: String
  /// The values involved, one line each.
  public var details: [String]
  /// Commands, keys or names that can be pasted.
  public var hints: [String]

  /// A report from its three parts.
  public init(_ message: String, details: [String] = [], hints: [String] = []) {
    self.message = message
    self.details = details
    self.hints = hints
  }

  /// The printed form: `error: ...`, indented details, indented `hint: ...` lines, no final newline.
  ///
  /// - Parameters:
  ///   - label: The word in front, `error` or `warning`.
  ///   - style: Colours of the label and the hint; `.plain` for none.
  public func text(label: ErrorLabel = .error, style: Style = .plain) -> String {
    let mark = style.applied(label.role, to: label.rawValue + ":")
    var lines = [indentedRest("\(mark) \(printable(message, keepingLines: true))", by: "  ")]
    for detail in details {
      lines.append("  " + indentedRest(printable(detail, keepingLines: true), by: "  "))
    }
    let hint = style.applied(.dim, to: "hint:")
    for text in hints {
      lines.append("  " + indentedRest("\(hint) \(printable(text, keepingLines: true))", by: "        "))
    }
    return lines.joined(separator: "\n")
  }
}

/// The word in front of a report.
public enum ErrorLabel: String, Sendable {
  /// The command cannot go on.
  case error
  /// Something to act on; the command goes on.
  case warning

  var role: Style.Role {
    switch self {
    case .error: .failed
    case .warning: .warning
    }
  }
}

/// An error that a person can act on.
///
/// Conformers carry data in their cases and make the text here; `description` is the printed form.
public protocol UserError: Error, CustomStringConvertible {
  /// One sentence with the subject: what failed and where.
  var message: String { get }
  /// The values, one line each.
  var details: [String] { get }
  /// What to do next, one line each.
  var hints: [String] { get }
  /// The exit code of a command that ends with this error.
  var exitCode: ExitCode { get }
  /// All problems, in order; one unless the error collects several.
  var reports: [ErrorReport] { get }
}

extension UserError {
  /// No details.
  public var details: [String] { [] }
  /// No hints.
  public var hints: [String] { [] }
  /// The user's input is at fault.
  public var exitCode: ExitCode { .invalidInput }
  /// One report made of message, details and hints.
  public var reports: [ErrorReport] { [ErrorReport(message, details: details, hints: hints)] }
  /// The printed form without colour.
  public var description: String { reports.map { $0.text() }.joined(separator: "\n") }
}

/// The reports and the exit code of any error: a `UserError` speaks for itself, everything else is our fault.
public func describe(_ error: any Error) -> (reports: [ErrorReport], exitCode: ExitCode) {
  if let error = error as? any UserError {
    return (error.reports, error.exitCode)
  }
  let report = ErrorReport(
    "unexpected: \(error)", hints: ["this is a fault of the program; NIBBLE_DEBUG=1 shows more"])
  return ([report], .internalError)
}

/// Indents every line but the first, so that a message of several lines stays inside its block.
private func indentedRest(_ text: String, by indent: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n" + indent)
}
