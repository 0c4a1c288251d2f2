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
    let computation = FixtureComputation(fixture, on: device)
    switch fixture.operation {
    case "format.decode":
      let codes = Tensor(
        try fixture.integers("input.codes"), shape: try fixture.shape("input.codes"), on: device)
      return try computation.values(["values": computation.apply(DecodeFormat(format), [codes])[0]])
    case "format.encode":
      let operation = EncodeFormat(
        format, overflow: try overflow(fixture, format), roundsAway: try roundsAway(fixture))
      let codes = try computation.apply(operation, [computation.input("values")])[0]
      var result = try computation.values([
        "values": computation.apply(DecodeFormat(format), [codes])[0]
      ])
      let read = try device.read(codes.memory, as: Int32.self)
      result["output.codes"] = FixtureValue(codes.shape.dimensions, read.map(Double.init))
      return result
    default: return try stochastic(fixture, format, on: device)
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

  private static func roundsAway(_ fixture: FixtureCase) throws -> Bool {
    switch try fixture.attributes.text("rounding") {
    case "nearest_even": return false
    case "nearest": return true
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
  private static func stochastic(
    _ fixture: FixtureCase, _ format: FloatFormat, on device: any OperationDevice,
  ) throws -> FixtureValues {
    let values = try fixture.floats("input.values")
    let draws = try fixture.attributes.integer("draws", in: 1...1 << 16)
    let sigma = try fixture.attributes.number("sigma")
    let drawn = try draw(values, draws, format, on: device)
    var (lower, upper, probability): ([Double], [Double], [Double]) = ([], [], [])
    for (index, value) in values.enumerated() {
      let ends = [0, UInt32.max].map { Double(format.round(value, .stochastic($0))) }.sorted()
      let step = ends[1] - ends[0]
      let chance = step == 0 ? 0 : (Double(value) - ends[0]) / step
      var sum = 0.0
      for draw in drawn[index * draws..<(index + 1) * draws] {
        guard Double(draw) == ends[0] || Double(draw) == ends[1] else {
          throw fixture.invalid("a draw for \(value) gives \(draw), which is no neighbour")
        }
        sum += Double(draw) - ends[0]
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

  /// Each value rounded `draws` times on the device.
  private static func draw(
    _ values: [Float], _ draws: Int, _ format: FloatFormat, on device: any OperationDevice,
  ) throws -> [Float] {
    let repeated = values.flatMap { [Float](repeating: $0, count: draws) }
    let tape = Tape(on: device, isRecording: false)
    let x = Tensor(repeated, shape: [repeated.count], on: device)
    let codes = tape.apply(EncodeFormat(format, randomness: RoundingBits(seed: 17)), [x])
    return try tape.apply(DecodeFormat(format), codes)[0].floats(on: device)
  }
}
