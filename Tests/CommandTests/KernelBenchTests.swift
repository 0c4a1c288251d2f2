import Files
import Testing

/// `nibble bench` of kernels, as a person calls it.
@Suite(.serialized) struct KernelBenchTests {
  @Test(
    arguments: [
      ("--sizes 25x", "'25x' is no whole number"), ("--sizes 64-256", "lacks its step"),
      ("--sizes 256-64*2", "ends before it begins"), ("--sizes 64-256*1", "never gets larger"),
      ("--sizes 0", "'0' is no whole number"), ("--sizes 1-4000+1", "numbers; at most"),
      ("--sizes 8 --form nx", "'nx' is none of nn, nt, tn, tt"), ("--sizes 8 --shapes tiny", "give one of"),
      ("--m 8", "belong together"), ("--shapes tiny --form nn", "leave out"),
      ("--sizes 8 --budget 0", "--budget"),
      ("--sizes 8 --device cpu --devices cpu", "both --device and --devices"),
    ])
  func badCallsSayWhatIsMeant(_ arguments: String, _ sentence: String) throws {
    let ending = try Program().run("bench matmul \(arguments)")
    #expect(ending.code == 2 && ending.output.isEmpty)
    #expect(ending.narration.contains(sentence), "\(ending.narration)")
  }

  @Test func aRangeGivesOneRowPerNumber() throws {
    let ending = try Program().run(
      "bench elementwise --function add --count 64-256*2 --device cpu --budget 0.01")
    #expect(ending.code == 0, "\(ending.narration)")
    for count in [64, 128, 256] { #expect(ending.output.contains("\(count)")) }
    #expect(ending.output.contains("passed"))
  }

  /// An edited kernel that is off by a thousandth: no time is printed, and the call fails.
  @Test(.enabled(if: OpenCLInstallation.exists)) func aWrongKernelEndsWithOneAndWithoutANumber() throws {
    let program = try Program()
    let package = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try MappedFile(path: package + "/kernels/norm.cl")
    let text = String(decoding: try file.bytes(in: 0..<file.count), as: UTF8.self)
    let edited = "#define sqrt(x) (1.001f * (sqrt)(x))\n" + text
    try program.workplace.write(edited, to: "norm.cl")
    let line =
      "bench norm --rows 64 --dim 64 --kind rms_norm --pass forward --residual without --budget 0.01 --device 0"
    let words = line.split(separator: " ").map(String.init)
    let wrong = try program.run(words, environment: ["NIBBLE_KERNELS": program.workplace.path])
    #expect(wrong.code == 1, "\(wrong.narration)")
    #expect(wrong.output.contains("failed"))
    #expect(!wrong.output.contains("passed"))
    let right = try program.run(words)
    #expect(right.code == 0 && right.output.contains("passed"), "\(right.narration)")
  }
}

extension KernelBenchTests {
  /// A size that a device does not take is never measured under its name.
  @Test func sizesWithoutRoomAreRedRows() throws {
    for line in ["matmul --sizes 2147483648", "copy --bytes 9223372036854775744", "norm --rows 2147483648"] {
      let ending = try Program().run("bench \(line) --device cpu --budget 0.01 --json")
      if line.hasPrefix("copy") {
        #expect(ending.code == 2, "\(ending.narration)")
        continue
      }
      #expect(ending.code == 1, "\(line): \(ending.narration)")
      let rows = try #require(try ending.json().first?["rows"]?.arrayValue)
      for row in rows { #expect(row["verification"]?.stringValue == "failed") }
    }
  }

  @Test(.enabled(if: OpenCLInstallation.exists)) func aCopyAboveTheLimitIsNotMadeSmaller() throws {
    let words = "bench copy --bytes 1048576,67108864 --device 0 --budget 0.01 --json".split(separator: " ")
    let ending = try Program().run(
      words.map(String.init), environment: ["NIBBLE_LIMITS": "allocation=1M"])
    let rows = try #require(try ending.json().first?["rows"]?.arrayValue)
    #expect(ending.code == 1 && rows.count == 4)
    for row in rows {
      let isSmall = row["parameters"]?["bytes"]?.integerValue == 1_048_576
      #expect(row["verification"]?.stringValue == (isSmall ? "passed" : "failed"))
    }
  }
}

/// Whether there is a device besides `cpu`.
enum OpenCLInstallation {
  static let exists: Bool = {
    guard let ending = try? Program().run("devices --json"), let devices = try? ending.json() else {
      return false
    }
    return (devices.first?["devices"]?.arrayValue?.count ?? 0) > 1
  }()
}
