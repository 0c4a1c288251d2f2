import Files

/// How far a point of a sweep has come.
public enum SweepOutcome: String, Sendable, Hashable {
  /// Trained and measured.
  case finished
  /// The loss or a gradient became something else than a number.
  case diverged
  /// The device cannot hold it.
  case doesNotFit = "does_not_fit"
  /// Anything else that ended it.
  case failed
  /// Not begun or not at its end.
  case pending

  /// Whether the run ended without a result.
  public var isFailure: Bool { self != .finished && self != .pending }
}

/// A point of a sweep and what was measured of it.
public struct SweepRow: Sendable {
  /// A varied key with the point's value.
  public struct Key: Sendable, Hashable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// What a finished run has.
  public struct Figures: Sendable, Hashable {
    /// Nats per token over the whole validation part.
    public var loss: Double
    /// Standard error of the loss over tokens taken as independent.
    public var lossError: Double
    /// Share of right answers, for tasks that have them.
    public var accuracy: Double?
    /// Median over the steps.
    public var tokensPerSecond: Double
    /// Of the device, at its peak.
    public var memoryByteCount: Int
    public var steps: Int
    /// Trained on.
    public var tokens: Int
    /// Of training.
    public var seconds: Double
    /// Of a token; nil where it was not counted.
    public var model: ModelledCost?

    public init(
      loss: Double, lossError: Double, accuracy: Double? = nil, tokensPerSecond: Double, memoryByteCount: Int,
      steps: Int, tokens: Int, seconds: Double, model: ModelledCost? = nil,
    ) {
      self.loss = loss
      self.lossError = lossError
      self.accuracy = accuracy
      self.tokensPerSecond = tokensPerSecond
      self.memoryByteCount = memoryByteCount
      self.steps = steps
      self.tokens = tokens
      self.seconds = seconds
      self.model = model
    }
  }

  /// What a run's recipe would cost per token on hardware that has its formats.
  public struct ModelledCost: Sendable, Hashable {
    /// Operations on single numbers that BF16 does not need.
    public var extraOperations: Double
    /// Moved by the linear layers' products and by the rounding of their operands.
    public var bytes: Double
    /// Time of the linear layers over that in BF16.
    public var relativeTime: Double

    public init(extraOperations: Double, bytes: Double, relativeTime: Double) {
      self.extraOperations = extraOperations
      self.bytes = bytes
      self.relativeTime = relativeTime
    }
  }

  /// The run folder inside the sweep's.
  public var folder: String
  /// What a person calls it; nil for a point of a grid.
  public var name: String?
  /// The same keys in every row of a sweep.
  public var keys: [Key]
  public var outcome: SweepOutcome
  /// Why the run ended without a result.
  public var reason: String?
  /// Set when finished.
  public var figures: Figures?
  /// What a token costs, in the unit of the report's ``SweepCostUnit``; nil where nobody knows.
  public var cost: Double?

  public init(
    folder: String, name: String? = nil, keys: [Key], outcome: SweepOutcome, reason: String? = nil,
    figures: Figures? = nil, cost: Double? = nil,
  ) {
    self.folder = folder
    self.name = name
    self.keys = keys
    self.outcome = outcome
    self.reason = reason
    self.figures = figures
    self.cost = cost
  }

  /// The value of a varied key, or the point's name for `point`.
  public func value(of key: String) -> String? {
    key == SweepReport.pointKey ? name : keys.first { $0.name == key }?.value
  }
}

/// What the costs of a report's rows are; less is better.
public struct SweepCostUnit: Sendable, Hashable {
  /// Along the axis: `microseconds per trained token (measured)`.
  public let title: String

  public init(_ title: String) { self.title = title }
}

/// A mean and how sure it is.
public struct MeanWithError: Sendable, Hashable {
  public let mean: Double
  /// Standard error of the mean; nil for a single value.
  public let error: Double?
  public let count: Int

  /// Nil for no values.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    count = values.count
    let mean = values.reduce(0, +) / Double(values.count)
    self.mean = mean
    guard values.count > 1 else {
      error = nil
      return
    }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    error = (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
  }

  var json: JSON {
    ["mean": .number(mean), "error": error.map { .number($0) } ?? .null, "count": .integer(Int64(count))]
  }
}
