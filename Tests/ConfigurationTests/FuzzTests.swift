import Configuration
import Terminal
import Testing

@Suite struct FuzzTests {
  /// A small generator of known sequence (splitmix64).
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var value = state
      value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
      value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
      return value ^ (value >> 31)
    }
  }

  private let pieces = [
    "\n", "  ", ":", ": ", "- ", "[", "]", "{", "}", "\"", "'", "#", "&a ", "*a", "!!int ", "|\n", ">-\n",
    "?", "null", "~",
    "nan", "-1", "1e999", "9223372036854775808", "0", "é", "\u{FEFF}", "\t", "---\n", "...\n", "%YAML 1.1\n",
    "<<: ",
    "extends: tiny\n", "model:\n", "\u{0}", "1_0", "\\", "\r\n", "!<tag:yaml.org,2002:binary> ", "true", "🙂",
  ]

  @Test func mutatedTextsResolveOrThrow() throws {
    var generator = Generator(state: 7)
    let seeds = Presets.names.compactMap { Presets.yaml(named: $0) } + [try resolve("preset: small").yaml()]
    var valid = 0
    var refused = 0
    for round in 0..<1500 {
      var scalars = Array(seeds[round % seeds.count].unicodeScalars)
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        mutate(&scalars, using: &generator)
      }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: scalars)
      do {
        let resolved = try resolve(String(text))
        // What resolves can be written and read again.
        #expect(try resolve(resolved.yaml()).values.changes(to: resolved.values).isEmpty)
        valid += 1
      } catch let error as ConfigurationError {
        #expect(!error.problems.isEmpty)
        #expect(error.description.hasPrefix("error: "))
        refused += 1
      }
    }
    #expect(valid > 50)
    #expect(refused > 500)
  }

  private func mutate(_ scalars: inout [Unicode.Scalar], using generator: inout Generator) {
    guard !scalars.isEmpty else { return }
    let position = Int.random(in: 0..<scalars.count, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: scalars.remove(at: position)
    case 1:
      scalars.insert(contentsOf: (pieces.randomElement(using: &generator) ?? "").unicodeScalars, at: position)
    case 2: scalars.removeSubrange(position..<min(scalars.count, position + 12))
    case 3:
      let end = min(scalars.count, position + 30)
      scalars.insert(contentsOf: Array(scalars[position..<end]), at: position)
    default:
      // A digit becomes another one: mostly still readable, often contradictory.
      guard let digit = scalars[position...].firstIndex(where: { ("0"..."9").contains($0) }) else { return }
      scalars[digit] = ["0", "1", "5", "9", "-", "e"][Int.random(in: 0..<6, using: &generator)]
    }
  }

  @Test func randomAssignmentsResolveOrThrow() {
    var generator = Generator(state: 11)
    let values = [
      "", "0", "-1", "1e9", "1e308", "9223372036854775807", "null", "true", "[a,b]", "cosine", "\u{1B}[2J",
      "3",
    ]
    for _ in 0..<3000 {
      let assignments = (0..<3).map { _ in
        Assignment(
          key: ConfigurationSchema.keys.randomElement(using: &generator)?.name ?? "",
          value: values.randomElement(using: &generator) ?? "")
      }
      do {
        let resolved = try ResolvedConfiguration(ConfigurationSources(assignments: assignments))
        #expect(resolved.entries.count == ConfigurationSchema.keys.count)
      } catch {
        #expect(!error.problems.isEmpty)
        #expect(!error.description.contains("\u{1B}"))
      }
    }
  }
}
