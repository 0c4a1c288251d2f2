/// How far got values are from a fixture's.
struct FixtureComparison {
  /// The tensor with the largest ratio of error to tolerance; a ratio above 1 is a failure.
  private(set) var worst: (tensor: String, ratio: Double)?
  /// What is wrong, one line per tensor; empty when everything is within the tolerance.
  private(set) var problems: [String] = []

  /// - Throws: What is wrong with the file.
  init(_ got: FixtureValues, with fixture: FixtureCase) throws {
    for name in fixture.expectedNames {
      guard let value = got[name] else {
        problems.append("\(name): nothing computes it")
        continue
      }
      compare(name, value, try fixture.value(name), fixture)
    }
  }

  private mutating func compare(
    _ name: String, _ got: FixtureValue, _ want: FixtureValue, _ fixture: FixtureCase,
  ) {
    guard got.shape == want.shape, got.values.count == want.values.count else {
      problems.append("\(name): its shape is \(got.shape), not \(want.shape)")
      return
    }
    var largest = 0.0
    var place = 0
    var outside = 0
    for index in want.values.indices {
      let ratio = Self.ratio(got.values[index], want.values[index], fixture)
      if ratio > 1 { outside += 1 }
      if ratio > largest { (largest, place) = (ratio, index) }
    }
    if largest >= worst?.ratio ?? 0 { worst = (name, largest) }
    guard outside > 0 else { return }
    problems.append(
      "\(name): \(outside) of \(want.values.count) values are outside the tolerance; the worst is element \(place), "
        + "\(got.values[place]) instead of \(want.values[place])")
  }

  /// Error in units of the tolerance; infinite where a value is not a number or must be exact and is not.
  private static func ratio(_ got: Double, _ want: Double, _ fixture: FixtureCase) -> Double {
    if got == want || (got.isNaN && want.isNaN) { return 0 }
    let ratio = abs(got - want) / (fixture.absoluteTolerance + fixture.relativeTolerance * abs(want))
    return ratio.isNaN || want.isInfinite ? .infinity : ratio
  }
}
