import Glibc
import Kernels

/// Times whole training steps of a model on random tokens.
public struct TrainingBenchmark {
  public let configuration: ModelConfiguration
  /// Sequences of a step.
  public let sequences: Int
  public let context: Int

  public init(_ configuration: ModelConfiguration, sequences: Int, context: Int) {
    self.configuration = configuration
    self.sequences = sequences
    self.context = context
  }

  public struct Result: Sendable {
    public let parameterCount: Int
    /// Seconds from the first upload to the loss of the first step; builds kernels where they are not cached.
    public let firstStepSeconds: Double
    /// Every timed step in seconds, in order; the first two are not among them.
    public let stepSeconds: [Double]
    /// Launches of one step; 0 on the host.
    public let launches: Int
    public let lastLoss: Double
    /// FLOPs of a step by the formula 6 N + 6 layers x width x time per token: all weights once, the head and a tied
    /// embedding counted once, half of the attention scores.
    public let flopsPerStep: Double

    /// Time per kernel in one more step, falling; empty on the host and when it was not asked for.
    public let kernels: [KernelTime]

    public var medianSeconds: Double { stepSeconds.sorted()[stepSeconds.count / 2] }
  }

  /// What one kernel took in a step, on the device's clock.
  public struct KernelTime: Sendable, Hashable {
    public let name: String
    public let calls: Int
    public let seconds: Double
  }

  /// Runs `steps` timed steps after two that are not counted.
  ///
  /// - Parameters:
  ///   - profiles: One more step is run with the time of every launch recorded (OpenCL devices).
  ///   - onStep: Told after each step.
  public func run(
    on device: any OperationDevice, steps: Int, profiles: Bool = false,
    onStep: (_ step: Int, _ seconds: Double) -> Void = { _, _ in },
  ) throws -> Result {
    let model = try ModelInitialization.make(configuration, seed: 1, on: device, trains: true)
    let step = TrainingStep(
      model: model, optimizer: Optimizer(AdamW(), for: model.parameters), loss: LossOptions(), clip: 1)
    let random = CounterRandom(seed: 1, stream: "benchmark tokens")
    let count = sequences * context
    let tokens = (0...count).map { Int32(random.integer(UInt64($0), below: configuration.vocabularySize)) }
    let sampler = try BatchSampler(
      TokenSequence(tokens + tokens, vocabularySize: configuration.vocabularySize), context: context,
      sequencesPerStep: sequences, seed: 1)
    try device.finish()
    var seconds: [Double] = []
    var launches = 0
    var loss = 0.0
    func run(_ index: Int) throws -> Double {
      try step.run([sampler.batch(step: index)], learningRate: 3e-4, peakLearningRate: 3e-4).loss
    }
    for index in 0..<steps + 2 {
      let before = (device as? OpenCLDevice)?.launchCount ?? 0
      let start = Self.now()
      loss = try run(index)
      seconds.append(Self.now() - start)
      launches = ((device as? OpenCLDevice)?.launchCount ?? 0) - before
      onStep(index, seconds[index])
    }
    let kernels = try profiles ? Self.profile(device) { try run(steps + 2) } : []
    let parameters = model.parameters.count
    let perToken =
      6 * Double(parameters)
      + 6 * Double(configuration.layers * configuration.modelDimension * context)
    return Result(
      parameterCount: parameters, firstStepSeconds: seconds[0], stepSeconds: Array(seconds.dropFirst(2)),
      launches: launches, lastLoss: loss, flopsPerStep: perToken * Double(count), kernels: kernels)
  }

  private static func profile(
    _ device: any OperationDevice, _ body: () throws -> Double,
  ) throws -> [KernelTime] {
    guard let device = device as? OpenCLDevice else { return [] }
    device.startProfile()
    _ = try body()
    let records = try device.stopProfile()
    return Dictionary(grouping: records, by: \.kernel).map { name, records in
      KernelTime(name: name, calls: records.count, seconds: records.reduce(0) { $0 + $1.duration })
    }.sorted { $0.seconds > $1.seconds }
  }

  /// The machine's matrix product peak in FLOP/s: the best of 8 OpenBLAS products of 1536 x 1536 matrices.
  public static func sgemmPeak() -> Double {
    let size = 1536
    let a = [Float](repeating: 0.5, count: size * size)
    let b = [Float](repeating: 0.25, count: size * size)
    var c = [Float](repeating: 0, count: size * size)
    let times = (0..<8).map { _ in
      let start = now()
      BLAS.sgemm(
        transposeA: false, transposeB: false, m: size, n: size, k: size, a: a, lda: size, b: b, ldb: size,
        c: &c,
        ldc: size)
      return now() - start
    }
    return 2 * Double(size * size * size) / (times.min() ?? .infinity)
  }

  /// The process's largest resident set so far, in bytes.
  public static func peakResidentByteCount() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
