import ArgumentParser

/// Whole numbers as people give them to a benchmark: `256,512`, `256-4096*2`, `64-512+64`.
struct NumberList: Sendable, Hashable {
  let values: [Int]

  /// The largest number that any dimension can have.
  private static let limit = 1 << 31
  /// A matrix of runs beyond this is a slip of the pen.
  private static let mostValues = 1000

  init(_ values: Int...) { self.values = values }

  /// - Throws: A sentence with an example for a text that is no list.
  init(parsing text: String) throws { try self.init(parsing: text, least: 1) }

  init(parsing text: String, least: Int) throws {
    values = try text.split(separator: ",", omittingEmptySubsequences: false).flatMap {
      try Self.range(String($0), least)
    }
    guard values.count <= Self.mostValues else {
      throw ValidationError("that is \(values.count) numbers; at most \(Self.mostValues)")
    }
  }

  private static func range(_ text: String, _ least: Int) throws -> [Int] {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    guard ends.count == 2 else { return [try number(text, in: text, least)] }
    guard let sign = ends[1].first(where: { $0 == "+" || $0 == "*" }) else {
      throw mistake("the range '\(text)' lacks its step")
    }
    let parts = ends[1].split(separator: sign, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { throw mistake("'\(text)' has more than one step") }
    let (first, last) = (try number(ends[0], in: text, least), try number(parts[0], in: text, 1))
    let step = try number(parts[1], in: text, 1)
    guard first <= last else { throw mistake("'\(text)' ends before it begins") }
    guard sign == "+" || step > 1 else { throw mistake("'\(text)' never gets larger") }
    var values: [Int] = []
    var value = first
    while value <= last, values.count <= mostValues {
      values.append(value)
      value = sign == "+" ? value + step : value * step
    }
    return values
  }

  private static func number(_ text: String, in whole: String, _ least: Int) throws -> Int {
    guard let value = Int(text), (least...limit).contains(value) else {
      throw mistake("'\(text)' in '\(whole)' is no whole number from \(least) to \(limit)")
    }
    return value
  }

  private static func mistake(_ problem: String) -> ValidationError {
    ValidationError("\(problem); for example 256,512 or 256-4096*2 or 64-512+64")
  }
}
