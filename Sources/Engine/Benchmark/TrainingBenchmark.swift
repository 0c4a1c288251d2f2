import Glibc
public import Kernels

/// Times whole training steps of a model on random tokens.
public struct TrainingBenchmark {
  public let configuration: ModelConfiguration
  /// The batch, the loss, the clipping and the seed.
  public let options: TrainingOptions
  public let rule: any UpdateRule

  public init(_ configuration: ModelConfiguration, _ options: TrainingOptions, rule: any UpdateRule) {
    self.configuration = configuration
    self.options = options
    self.rule = rule
  }

  /// When to stop timing steps.
  public struct Limits: Sendable, Hashable {
    /// The number of timed steps; nil goes on until the spread is small.
    public var steps: Int?
    /// No step is begun that would end later than this many seconds after the first one began; nil sets no limit.
    public var budget: Double?
    /// The interquartile range as a share of the median that ends timing when no number of steps is given.
    public var spread = 0.03
    /// Steps that are timed at least, whatever the spread; a budget that is over ends timing after one.
    public var leastSteps = 5
    public var mostSteps = 50

    public init(steps: Int? = nil, budget: Double? = nil) {
      self.steps = steps
      self.budget = budget
    }

    func isDone(_ samples: [Double], since start: Double) -> Bool {
      guard let last = samples.last else { return false }
      // A step that would end after the budget is not begun.
      if let budget, SteadyClock.now() + last - start > budget { return true }
      if let steps { return samples.count >= steps }
      guard samples.count >= leastSteps else { return false }
      return samples.count >= mostSteps || Quartiles(samples).relativeSpread < spread
    }
  }

  public struct Result: Sendable {
    public let parameterCount: Int
    /// Seconds from the first upload to the loss of the first step; builds kernels where they are not cached.
    public let firstStepSeconds: Double
    /// Every timed step in seconds, in order; the first two are not among them.
    public let stepSeconds: [Double]
    /// Launches of one step; 0 on the host.
    public let launches: Int
    /// Of random weights: what ``firstLossShare`` judges.
    public let firstLoss: Double
    public let lastLoss: Double
    /// How far ``firstLoss`` is from that of equal logits, as a share of what is allowed; at most 1.
    public let firstLossShare: Double
    /// FLOPs of a step by the formula 6 N + 6 layers x width x time per token: all weights once, the head and a tied
    /// embedding counted once, half of the attention scores; of the layers those that have scores.
    public let flopsPerStep: Double
    /// The process's largest resident set after the timed steps, in bytes.
    public let peakMemoryByteCount: Int
    /// Bytes of live tensors at most.
    public let deviceMemoryByteCount: Int
    /// One more step, watched.
    public let profile: DeviceProfile

    public var quartiles: Quartiles { Quartiles(stepSeconds) }
  }

  /// Steps that are not timed: the first builds kernels, the second fills the pool of memory.
  public static let warmUpSteps = 2

  /// Runs two steps that are not counted, timed steps, and one more that is watched.
  ///
  /// - Parameters:
  ///   - onStep: Told after each step but the last.
  ///   - shouldStop: Asked between steps; after one timed step it ends timing.
  /// - Throws: ``BenchmarkError/nonFinite(step:device:place:)`` and
  ///   ``BenchmarkError/wrongFirstLoss(_:expected:device:)`` for steps whose time means nothing.
  public func run(
    on device: any OperationDevice & ProfilingDevice, _ limits: Limits,
    onStep: (_ step: Int, _ seconds: Double) -> Void = { _, _ in }, shouldStop: () -> Bool = { false },
  ) throws -> Result {
    let steps = try CheckedSteps(self, on: device)
    let start = SteadyClock.now()
    var timed: [Double] { Array(steps.seconds.dropFirst(Self.warmUpSteps)) }
    while !limits.isDone(timed, since: start), timed.isEmpty || !shouldStop() {
      try steps.run()
      onStep(steps.seconds.count - 1, steps.seconds[steps.seconds.count - 1])
    }
    let stepSeconds = timed
    let resident = Self.peakResidentByteCount()
    device.startProfile()
    try steps.run()
    let profile = try device.stopProfile()
    return Result(
      parameterCount: steps.parameterCount, firstStepSeconds: steps.seconds[0], stepSeconds: stepSeconds,
      launches: steps.launches, firstLoss: steps.losses[0], lastLoss: steps.losses[steps.losses.count - 1],
      firstLossShare: steps.expected.share(steps.losses[0]),
      flopsPerStep: flops(parameters: steps.parameterCount), peakMemoryByteCount: resident,
      deviceMemoryByteCount: device.memoryUse.peak, profile: profile)
  }

  /// Steps of a model one after the other, each timed and checked.
  private final class CheckedSteps {
    private let device: any OperationDevice
    private let benchmark: TrainingBenchmark
    private let step: TrainingStep
    private let sampler: BatchSampler
    let parameterCount: Int
    let expected: FirstLoss
    private(set) var seconds: [Double] = []
    private(set) var losses: [Double] = []
    /// Launches of the last step.
    private(set) var launches = 0

    init(_ benchmark: TrainingBenchmark, on device: any OperationDevice) throws {
      self.device = device
      self.benchmark = benchmark
      let options = benchmark.options
      let model = try ModelInitialization.make(
        benchmark.configuration, seed: options.seed, on: device, trains: true)
      step = TrainingStep(
        model: model,
        optimizer: Optimizer(benchmark.rule, for: model.parameters, stateFormat: options.optimizerState),
        loss: options.loss, clip: options.clip, recomputesLayers: options.recomputesLayers)
      sampler = try BatchSampler(
        benchmark.randomTokens(), context: options.contextLength, sequencesPerStep: options.sequencesPerStep,
        seed: options.seed)
      parameterCount = model.parameters.count
      expected = FirstLoss(of: benchmark.configuration, tokens: options.tokensPerStep)
      try device.finish()
    }

    func run() throws {
      let batches = benchmark.microBatches(of: sampler, step: seconds.count)
      let before = (device as? OpenCLDevice)?.launchCount ?? 0
      let start = SteadyClock.now()
      let result = try step.run(batches, learningRate: 3e-4, peakLearningRate: 3e-4)
      seconds.append(SteadyClock.now() - start)
      launches = ((device as? OpenCLDevice)?.launchCount ?? 0) - before
      losses.append(result.loss)
      let name = device.description.name
      guard result.isFinite else {
        throw BenchmarkError.nonFinite(
          step: losses.count - 1, device: name, place: try step.firstNonFinite(batches))
      }
      if losses.count == 1, expected.share(result.loss) > 1 {
        throw BenchmarkError.wrongFirstLoss(result.loss, expected: expected.range, device: name)
      }
    }
  }

  private func randomTokens() throws -> TokenSequence {
    let random = CounterRandom(seed: options.seed, stream: "benchmark tokens")
    let tokens = (0...options.tokensPerStep).map {
      Int32(random.integer(UInt64($0), below: configuration.vocabularySize))
    }
    return try TokenSequence(tokens + tokens, vocabularySize: configuration.vocabularySize)
  }

  private func microBatches(of sampler: BatchSampler, step: Int) -> [Batch] {
    stride(from: 0, to: options.sequencesPerStep, by: options.microBatch).map { first in
      let last = min(first + options.microBatch, options.sequencesPerStep)
      return sampler.batch(step: step, sequences: first..<last)
    }
  }

  private func flops(parameters: Int) -> Double {
    // Linear mixers have no scores: their recurrences are left out.
    let scored = configuration.cachedRows.count { $0 != nil }
    let perToken =
      6 * Double(parameters)
      + 6 * Double(scored * configuration.modelDimension * options.contextLength)
    return perToken * Double(options.tokensPerStep)
  }

  /// The machine's matrix product peak in FLOP/s: the best of 8 OpenBLAS products of 1536 x 1536 matrices.
  public static func sgemmPeak() -> Double {
    let size = 1536
    let a = [Float](repeating: 0.5, count: size * size)
    let b = [Float](repeating: 0.25, count: size * size)
    var c = [Float](repeating: 0, count: size * size)
    let times = (0..<8).map { _ in
      let start = SteadyClock.now()
      BLAS.sgemm(
        transposeA: false, transposeB: false, m: size, n: size, k: size, a: a, lda: size, b: b, ldb: size,
        c: &c,
        ldc: size)
      return SteadyClock.now() - start
    }
    return 2 * Double(size * size * size) / (times.min() ?? .infinity)
  }

  /// The process's largest resident set so far, in bytes.
  static func peakResidentByteCount() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }
}
