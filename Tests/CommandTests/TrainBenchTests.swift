import Files
import Testing

@Suite struct TrainBenchTests {
  private static let small =
    "bench train layers=1 dim=32 heads=2 kv_heads=1 ffn=48 vocab=100 time=16 batch=2 --steps 3 --device cpu"

  @Test func printsEveryFigureAsJSON() throws {
    let program = try Program()
    let ending = try program.run(Self.small + " --json --quiet")
    #expect(ending.code == 0, "\(ending.narration)")
    let result = try #require(try ending.json().first)
    // Embedding, four projections, gate, up and down, three gains.
    let parameters = 100 * 32 + 32 * 32 * 2 + 2 * 16 * 32 + 3 * 48 * 32 + 3 * 32
    #expect(result["parameters"]?.integerValue == parameters)
    for key in [
      "tokens_per_s", "step_s", "first_step_s", "gflops", "sgemm_peak_gflops", "share_of_peak",
      "peak_memory_bytes", "device_memory_bytes", "loss", "first_loss",
    ] {
      #expect((result[key]?.doubleValue ?? 0) > 0, "\(key)")
    }
    #expect(result["schema"]?.integerValue == 2 && result["kind"]?.stringValue == "benchmark")
    for key in ["date", "version", "processor", "host_threads", "blas", "load", "roofs", "variables"] {
      #expect(result[key]?.isNull == false, "\(key)")
    }
    let row = try #require(result["rows"]?.arrayValue?.first)
    #expect(row["benchmark"]?.stringValue == "train" && row["verification"]?.stringValue == "passed")
    #expect(row["parameters"]?["time"]?.integerValue == 16)
    #expect(row["tokens_per_s"] == result["tokens_per_s"] && row["median_s"] == result["step_s"])
    #expect(row["share_of_sgemm_peak"]?.doubleValue == result["share_of_peak"]?.doubleValue)
    #expect(result["launches_per_step"]?.integerValue == 0)
    #expect(result["step_s_samples"]?.arrayValue?.count == 3)
    #expect(result["step_s_quartiles"]?.arrayValue?.count == 2)
    #expect((result["families"]?["matmul"]?.doubleValue ?? 0) > 0)
    #expect(result["queue"]?.isNull == true)
    let shape = try #require(result["shape"]?.objectValue)
    #expect(shape.map(\.key) == ["dim", "layers", "heads", "kv_heads", "ffn", "vocab", "time", "batch"])
    #expect(shape.compactMap(\.value.integerValue) == [32, 1, 2, 1, 48, 100, 16, 2])
    let share = try #require(result["share_of_peak"]?.doubleValue)
    let flops = Double(6 * parameters + 6 * 32 * 16) * 32
    let rate = try #require(result["gflops"]?.doubleValue)
    let step = try #require(result["step_s"]?.doubleValue)
    let peak = try #require(result["sgemm_peak_gflops"]?.doubleValue)
    #expect(abs(rate * 1e9 * step - flops) < 1e-6 * flops)
    #expect(abs(share * peak - rate) < 1e-6 * rate)
  }

  @Test func profilesTheHostAndWritesATimelineOnce() throws {
    let program = try Program()
    let ending = try program.run(Self.small + " --profile --timeline step.json")
    #expect(ending.code == 0, "\(ending.narration)")
    for part in ["OPERATION", "mlp.backward", "optimizer", "GFLOP/s", "ROOF"] {
      #expect(ending.output.contains(part), "\(part): \(ending.output)")
    }
    let first = try program.workplace.bytes("step.json")
    let timeline = try JSON(parsing: String(decoding: first, as: UTF8.self), source: "step.json")
    #expect((timeline["traceEvents"]?.arrayValue?.count ?? 0) > 20)
    #expect(try program.run(Self.small + " --timeline step.json").code == 2)
    #expect(try program.workplace.bytes("step.json") == first)
    #expect(try program.run(Self.small + " --timeline step.json --overwrite").code == 0)
    #expect(try program.workplace.bytes("step.json") != first)
  }

  /// Kernels that compute nonsense: no speed is printed, and the call fails.
  @Test(
    .enabled(if: OpenCLInstallation.exists),
    arguments: [
      ("5.0f +", "the first loss on"), ("NAN *", "not finite"),
    ])
  func aWrongStepIsNoResult(fault: String, words: String) throws {
    let program = try Program()
    let package = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try MappedFile(path: package + "/kernels/cross_entropy.cl")
    let text = String(decoding: try file.bytes(in: 0..<file.count), as: UTF8.self)
    let edited = text.replacing("log_sum = log(", with: "log_sum = \(fault) log(")
    try program.workplace.write(edited, to: "cross_entropy.cl")
    let line = Self.small.replacing("--device cpu", with: "--device 0")
    let ending = try program.run(
      line.split(separator: " ").map(String.init), environment: ["NIBBLE_KERNELS": program.workplace.path])
    #expect(ending.code == 1 && ending.output.isEmpty, "\(ending.output)")
    #expect(ending.narration.contains(words), "\(ending.narration)")
  }

  @Test func isKeptComparedAndDrawnLikeEveryBenchmark() throws {
    let program = try Program()
    let first = try program.run(Self.small + " --save before --results kept --roofline x.svg")
    #expect(first.code == 0, "\(first.narration)")
    for part in ["TOKENS/s", "3 timed steps:", "first step", "peak memory", "launches a step"] {
      #expect(first.output.contains(part), "\(part): \(first.output)")
    }
    #expect(try program.workplace.text("x.svg").hasPrefix("<svg "))
    let second = try program.run(Self.small + " --csv --against before --results kept --gate 1000 --quiet")
    let lines = second.output.split(separator: "\n")
    #expect(second.code == 0 && lines.count == 2, "\(second.narration)")
    #expect(lines.first?.hasPrefix("benchmark,config,mixer,dim,layers,") == true)
    #expect(lines.last?.hasPrefix("train,tiny,attention,") == true)
  }

  @Test func stepsThatABudgetEndsAreToldOf() throws {
    let line = Self.small.replacing("--steps 3", with: "--steps 5000 --budget 0.2")
    let ending = try Program().run(line)
    #expect(ending.code == 0 && ending.output.contains("of 5000 steps"), "\(ending.output)")
  }

  /// `--threads` holds for the library that measures the peak, whatever the device.
  @Test func threadsReachTheLibraryOnEveryDevice() throws {
    for device in ["cpu"] + (OpenCLInstallation.exists ? ["0"] : []) {
      let line = Self.small.replacing("--device cpu", with: "--device \(device) --threads 1 --json --quiet")
      let result = try #require(try Program().run(line).json().first)
      #expect(result["blas_threads"]?.integerValue == 1 && result["host_threads"]?.integerValue == 1)
    }
  }

  @Test(arguments: [
    ("dim=64 dim=128", "say the same twice"), ("dim=64 model.dimension=128", "say the same twice"),
    ("time=64 batch.micro=2", "say the same twice"), ("optimizer.learning_rate=5", "changes nothing"),
    ("optimizer.momentum=0.5", "has no effect"), ("batch=1000000 time=1000000", "at most"),
    ("--profile --csv", "leave out"), ("--overwrite", "--overwrite has no effect"),
    ("--timeline nowhere/x.json", "there is no folder"),
  ])
  func wordsWithoutEffectAreRefused(words: String, sentence: String) throws {
    let ending = try Program().run("bench train \(words) --device cpu")
    #expect(ending.code == 2 && ending.output.isEmpty)
    #expect(ending.narration.contains(sentence), "\(ending.narration)")
  }

  /// Parameters of the PyTorch peer's models.
  @Test(arguments: [
    ("tiny", 3_229_952), ("small", 12_194_688), ("base", 27_402_752), ("gpt2", 123_551_232),
    ("long", 3_229_952),
  ])
  func presetsAreThoseOfThePeer(_ preset: String, parameters: Int) throws {
    let program = try Program()
    let ending = try program.run(
      "train preset=\(preset) data.path=embedded --plan --json --device cpu --quiet")
    #expect(try ending.json().first?["parameters"]?.integerValue == parameters)
  }
}
