import Kernels
import NumberFormats

/// Small floating-point formats and exponent scales: decoding, encoding, stochastic rounding.
enum FormatFixtures: FixtureAdapter {
  static let operations = ["format.decode", "format.encode", "format.stochastic_round"]

  static func values(of fixture: FixtureCase, on device: any OperationDevice) throws -> FixtureValues {
    let name = try fixture.attributes.text("format")
    if name == ExponentScale.name { return try exponentScale(fixture) }
    guard let format = FormatCatalogue.float(name) else {
      throw FixtureError.unsupported("nothing here knows the number format '\(name)'")
    }
    switch fixture.operation {
    case "format.decode":
      return [
        "output.values": try result(fixture, "codes", try codes(fixture).map { Double(format.decode($0)) })
      ]
    case "format.encode":
      let overflow = try overflow(fixture, format)
      let rounding = try rounding(fixture)
      let codes = try fixture.floats("input.values").map { format.encode($0, rounding, overflow: overflow) }
      return [
        "output.codes": try result(fixture, "values", codes.map(Double.init)),
        "output.values": try result(fixture, "values", codes.map { Double(format.decode($0)) }),
      ]
    default: return try stochastic(fixture, format)
    }
  }

  private static func codes(_ fixture: FixtureCase) throws -> [UInt32] {
    try fixture.integers("input.codes").map { UInt32(bitPattern: $0) }
  }

  private static func result(_ fixture: FixtureCase, _ like: String, _ values: [Double]) throws
    -> FixtureValue
  {
    FixtureValue(try fixture.shape("input.\(like)").dimensions, values)
  }

  private static func rounding(_ fixture: FixtureCase) throws -> Rounding {
    switch try fixture.attributes.text("rounding") {
    case "nearest_even": return .nearestEven
    case "nearest": return .nearestAway
    case let other: throw FixtureError.unsupported("nothing here rounds by '\(other)'")
    }
  }

  private static func overflow(_ fixture: FixtureCase, _ format: FloatFormat) throws -> Overflow {
    switch (try fixture.attributes.text("overflow"), format.topCodes) {
    case ("saturate", _): return .saturate
    case ("inf", .infinityAndNotNumbers), ("nan", .notNumbers): return .ieee
    case (let other, _): throw fixture.invalid("\(format.name) has no overflow to '\(other)'")
    }
  }

  private static func exponentScale(_ fixture: FixtureCase) throws -> FixtureValues {
    if fixture.operation == "format.decode" {
      let values = try codes(fixture).map { Double(ExponentScale.decode(UInt8(truncatingIfNeeded: $0))) }
      return ["output.values": try result(fixture, "codes", values)]
    }
    let rounding: ExponentScale.Rounding = try fixture.attributes.choice("rounding")
    let codes = try fixture.floats("input.values").map { ExponentScale.encode($0, rounding) }
    return [
      "output.codes": try result(fixture, "values", codes.map(Double.init)),
      "output.values": try result(fixture, "values", codes.map { Double(ExponentScale.decode($0)) }),
    ]
  }

  /// The neighbours and the probability, after as many draws as asked for have kept to them.
  private static func stochastic(_ fixture: FixtureCase, _ format: FloatFormat) throws -> FixtureValues {
    let values = try fixture.floats("input.values")
    let draws = try fixture.attributes.integer("draws", in: 1...1 << 20)
    let sigma = try fixture.attributes.number("sigma")
    let bits = RoundingBits(seed: 17)
    var (lower, upper, probability): ([Double], [Double], [Double]) = ([], [], [])
    for (index, value) in values.enumerated() {
      let ends = [0, UInt32.max].map { Double(format.round(value, .stochastic($0))) }.sorted()
      let step = ends[1] - ends[0]
      let chance = step == 0 ? 0 : (Double(value) - ends[0]) / step
      var sum = 0.0
      for draw in 0..<draws {
        let drawn = Double(format.round(value, bits.rounding(index * draws + draw)))
        guard drawn == ends[0] || drawn == ends[1] else {
          throw fixture.invalid("a draw for \(value) gives \(drawn), which is no neighbour")
        }
        sum += drawn - ends[0]
      }
      let error = sigma * (chance * (1 - chance) / Double(draws)).squareRoot() * step
      guard abs(sum / Double(draws) - chance * step) <= error + 1e-12 * step else {
        throw fixture.invalid(
          "the mean of \(draws) draws for \(value) is \(ends[0] + sum / Double(draws)): \(sigma) standard errors "
            + "of \(ends[0] + chance * step) are \(error)")
      }
      lower.append(ends[0])
      upper.append(ends[1])
      probability.append(chance)
    }
    return [
      "output.lower": try result(fixture, "values", lower),
      "output.upper": try result(fixture, "values", upper),
      "output.probability_upper": try result(fixture, "values", probability),
    ]
  }
}
