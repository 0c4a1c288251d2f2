public import Terminal

/// One run of a sweep: the keys in which it differs from the others' common configuration.
public struct SweepPoint: Sendable, Hashable {
  /// The run folder inside the sweep's; nil while there is none.
  public var folder: String?
  /// What a person calls it; nil for a point of a grid.
  public var name: String?
  /// Keys and values as written, in order.
  public var settings: [Assignment]

  /// A point.
  public init(folder: String? = nil, name: String? = nil, settings: [Assignment]) {
    self.folder = folder
    self.name = name
    self.settings = settings
  }

  /// Name, keys and values in one line.
  public var title: String {
    ([name].compactMap(\.self) + settings.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
  }

  /// The value of a key as written; nil for a key that the point leaves alone.
  public func value(of key: String) -> String? { settings.last { $0.key == key }?.value }
}

/// A key and the values that it takes in turn.
public struct SweepAxis: Sendable, Hashable {
  /// The dotted name.
  public var key: String
  /// At least one, all of the key.
  public var values: [Assignment]

  /// An axis.
  public init(key: String, values: [Assignment]) {
    self.key = key
    self.values = values
  }
}

/// What a sweep varies: every point of a list with every combination of some keys' values.
///
/// In a file it is the section `sweep` of an ordinary configuration, with `grid` (keys and lists of values), `points` (a list
/// of keys and values, each with a `name`) and `baseline` (keys and values of the point the others are compared with).
public struct SweepDescription: Sendable, Hashable {
  /// The section's name.
  public static let section = "sweep"
  /// The name under which a point's own name is asked for, as in `--baseline point=fp32`.
  public static let pointKey = "point"
  /// More points are a slip of the pen.
  public static let mostPoints = 10_000

  /// The list; empty for a mere grid.
  public var points: [SweepPoint]
  /// The grid.
  public var axes: [SweepAxis]
  /// Empty for none.
  public var baseline: [Assignment]

  /// A description.
  public init(points: [SweepPoint] = [], axes: [SweepAxis] = [], baseline: [Assignment] = []) {
    self.points = points
    self.axes = axes
    self.baseline = baseline
  }

  /// Replaces axes of the same keys and adds the others: the line is stronger than a file.
  ///
  /// - Throws: `SweepError` for a key that points of the list set.
  public mutating func override(with axes: [SweepAxis], fixed: [Assignment]) throws(SweepError) {
    for key in axes.map(\.key) + fixed.map(\.key) where points.contains(where: { $0.value(of: key) != nil }) {
      throw SweepError(
        "\(key) is set by points of the sweep and on the command line",
        hints: ["leave it out on the line, or use grid for \(key) instead of points"])
    }
    self.axes.removeAll { axis in fixed.contains { $0.key == axis.key } }
    for axis in axes {
      if let index = self.axes.firstIndex(where: { $0.key == axis.key }) {
        self.axes[index] = axis
      } else {
        self.axes.append(axis)
      }
    }
  }

  /// All points in order: those of the list one after the other, in each the axes, the last of them changing fastest.
  ///
  /// - Throws: `SweepError` for a key that both the list and the grid set, for too many points and for fewer than two.
  public func expanded() throws(SweepError) -> [SweepPoint] {
    for axis in axes where points.contains(where: { $0.value(of: axis.key) != nil }) {
      throw SweepError(
        "\(axis.key) is in the sweep's grid and in its points", hints: ["leave it out of one of them"])
    }
    var all = points.isEmpty ? [SweepPoint(settings: [])] : points
    for axis in axes {
      guard all.count * axis.values.count <= Self.mostPoints else {
        throw SweepError("the sweep has more than \(Self.mostPoints) points", hints: ["leave an axis out"])
      }
      all = all.flatMap { point in
        axis.values.map { SweepPoint(name: point.name, settings: point.settings + [$0]) }
      }
    }
    guard all.count > 1 else {
      throw SweepError(
        "nothing varies: a sweep needs two points or more",
        hints: [
          "lists of values: optimizer.learning_rate=1e-3,3e-3 seed=1,2,3",
          "or a section sweep with grid or points in a configuration",
        ])
    }
    return all
  }
}

/// What is wrong with the description of a sweep.
public struct SweepError: UserError, Hashable {
  /// In order.
  public let reports: [ErrorReport]

  /// Several problems, at least one.
  public init(_ reports: [ErrorReport]) { self.reports = reports }

  /// One problem.
  public init(_ message: String, details: [String] = [], hints: [String] = []) {
    reports = [ErrorReport(message, details: details, hints: hints)]
  }

  /// The first problem, and how many there are.
  public var message: String {
    let first = reports.first?.message ?? "the sweep is wrong"
    return reports.count > 1 ? "\(first) (and \(reports.count - 1) more)" : first
  }
}
