public import Terminal

/// One thing wrong with a configuration, or worth a look.
public struct ConfigurationProblem: Sendable, Hashable {
  /// What to print.
  public let report: ErrorReport
  /// Where it was written, nil where it concerns no single place.
  public let origin: Origin?
}

/// Everything wrong with a configuration, in the order it was written, weakest layer first.
public struct ConfigurationError: UserError, Equatable {
  /// At least one problem.
  public let problems: [ConfigurationProblem]

  /// The first problem, and how many there are.
  public var message: String {
    let first = problems.first?.report.message ?? "the configuration is wrong"
    return problems.count > 1 ? "\(first) (and \(problems.count - 1) more)" : first
  }
  /// Every problem.
  public var reports: [ErrorReport] { problems.map(\.report) }
}
