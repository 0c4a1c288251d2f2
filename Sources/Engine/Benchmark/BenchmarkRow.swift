/// One measured line of `nibble bench`: a problem on a device, with every sample.
public struct BenchmarkRow: Sendable, Hashable {
  /// What was timed, for example `matmul`, `attention_forward`.
  public var benchmark: String
  /// The problem's parameters in display order, for example `("m", "512"), ("n", "512"), ("form", "nt")`.
  public var parameters: [Parameter]
  /// The device's stable name, or a rival's: `pocl:0`, `cpu`, `openblas`, `clblast`.
  public var device: String
  /// Wall time of one execution in seconds, every sample in order, warm-up left out.
  ///
  /// Each is the mean of ``executionsPerSample`` executions that were enqueued together and waited for once.
  public var samples: [Double]
  /// 1 where every execution is a sample.
  public var executionsPerSample: Int
  /// Median device time of one execution by the driver's events; nil where there are none.
  public var eventSeconds: Double?
  /// Work of one execution; nil where it has no meaning (launch latency).
  public var cost: Cost?
  /// Tokens of one execution; nil where nothing counts tokens.
  public var tokens: Int?
  /// Bytes that stay between executions; nil where that is not the question.
  public var keptBytes: Int?
  /// The kernel configurations that one execution looks up, as `family/problem`; none on the host.
  public var configurations: [String: [String: Int]]
  /// The result against the reference: worst error in tolerances.
  public var verification: Verification
  /// Measured in alternation with the row of ours in front of it.
  public var isRival: Bool

  public struct Parameter: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public enum Verification: Sendable, Hashable {
    /// The worst error as a share of its tolerance, at most 1.
    case passed(worst: Double)
    /// No number of a red row is ever printed.
    case failed(reason: String)
    /// There is nothing to compare (launch latency).
    case notApplicable
  }

  public init(
    benchmark: String, parameters: [Parameter], device: String, samples: [Double],
    executionsPerSample: Int = 1, eventSeconds: Double? = nil, cost: Cost?, tokens: Int? = nil,
    keptBytes: Int? = nil, configurations: [String: [String: Int]] = [:], verification: Verification,
    isRival: Bool = false,
  ) {
    self.benchmark = benchmark
    self.parameters = parameters
    self.device = device
    self.samples = samples
    self.executionsPerSample = executionsPerSample
    self.tokens = tokens
    self.keptBytes = keptBytes
    self.configurations = configurations
    self.eventSeconds = eventSeconds
    self.cost = cost
    self.verification = verification
    self.isRival = isRival
  }

  /// Whether the result is wrong or the reading impossible.
  public var isFailed: Bool { verification.isFailed }

  /// The median sample; nil for a row without samples or with a wrong result.
  public var median: Double? { quantile(0.5) }
  /// The quartiles of the samples.
  public var quartiles: (Double, Double)? {
    guard let low = quantile(0.25), let high = quantile(0.75) else { return nil }
    return (low, high)
  }

  /// What and where, in one line: `matmul m 512, n 512 on pocl:0`.
  public var title: String {
    let listed = parameters.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
    return benchmark + (listed.isEmpty ? "" : " " + listed) + " on " + device
  }

  private func quantile(_ share: Double) -> Double? {
    if case .failed = verification { return nil }
    guard !samples.isEmpty else { return nil }
    return Quantile.of(samples.sorted(), share)
  }
}

/// What a device can do at most, measured in the same run.
public struct DeviceRoof: Sendable, Hashable {
  public var device: String
  /// The best FMA rate of the device in FLOP/s.
  public var flopsPerSecond: Double
  /// The best rate of the copy benchmark in bytes read plus written per second.
  public var bytesPerSecond: Double
  /// The machine's sgemm peak in FLOP/s (best of 8 OpenBLAS products of 1536 x 1536); nil on devices that are no processor.
  public var sgemmPeak: Double?

  public init(device: String, flopsPerSecond: Double, bytesPerSecond: Double, sgemmPeak: Double?) {
    self.device = device
    self.flopsPerSecond = flopsPerSecond
    self.bytesPerSecond = bytesPerSecond
    self.sgemmPeak = sgemmPeak
  }

  /// The higher of two measurements of the same device: what else ran can only lower a roof.
  public func raised(by other: DeviceRoof) -> DeviceRoof {
    DeviceRoof(
      device: device, flopsPerSecond: max(flopsPerSecond, other.flopsPerSecond),
      bytesPerSecond: max(bytesPerSecond, other.bytesPerSecond),
      sgemmPeak: [sgemmPeak, other.sgemmPeak].compactMap { $0 }.max())
  }

  /// The least time that work can take under this roof: the larger of arithmetic and traffic.
  public func leastSeconds(for cost: Cost) -> Double {
    max(cost.flops / flopsPerSecond, cost.bytes / bytesPerSecond)
  }
}
