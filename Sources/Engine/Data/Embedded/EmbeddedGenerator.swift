/// Writes documents by a grammar; each is a pure function of the seed and its number.
struct EmbeddedGenerator {
  private let grammar: EmbeddedGrammar
  private let seed: UInt64
  private var random = CounterRandom(seed: 0)
  private var counter: UInt64 = 0

  /// The word of each variable in this document, -1 while it has none.
  private var words: [Int]
  private var numbers: [Int]

  private(set) var output: [UInt8] = []
  private var capitalNext = false
  /// Where the "n" of an article goes if a vowel follows.
  private var article: Int?

  init(_ grammar: EmbeddedGrammar, seed: UInt64) {
    self.grammar = grammar
    self.seed = seed
    words = [Int](repeating: -1, count: grammar.variableRules.count)
    numbers = [Int](repeating: 0, count: grammar.numberCount)
  }

  /// Appends a document to the output.
  mutating func appendDocument(_ index: Int) {
    random = CounterRandom(seed: seed, stream: UInt64(index))
    counter = 0
    for variable in words.indices { words[variable] = -1 }
    capitalNext = false
    article = nil
    expand(grammar.start, field: 0)
  }

  /// Appends text that is no part of a document.
  mutating func append(separator: [UInt8]) { output.append(contentsOf: separator) }

  private mutating func draw(below bound: Int) -> Int {
    counter += 1
    return random.integer(counter, below: bound)
  }

  private mutating func choose(_ rule: Int) -> Int {
    let alternatives = grammar.rules[rule].alternatives
    var place = draw(below: grammar.rules[rule].totalWeight)
    for index in alternatives.indices {
      place -= alternatives[index].weight
      if place < 0 { return index }
    }
    return alternatives.count - 1
  }

  private mutating func expand(_ rule: Int, field: Int) {
    write(grammar.rules[rule].alternatives[choose(rule)].forms[field])
  }

  private mutating func write(_ nodes: [EmbeddedGrammar.Node]) {
    for node in nodes {
      switch node {
      case .text(let bytes): append(bytes)
      case .expansion(let rule, let field): expand(rule, field: field)
      case .variable(let variable, let field):
        write(grammar.rules[grammar.variableRules[variable]].alternatives[word(variable)].forms[field])
      case .assignment(let number, let low, let high):
        let lowest = value(low)
        numbers[number] = lowest + draw(below: max(1, value(high) - lowest + 1))
      case .number(let number, let inWords):
        append(inWords ? Self.inWords(numbers[number]) : Array(String(numbers[number]).utf8))
      case .capital: capitalNext = true
      case .article:
        append([UInt8(ascii: "a")])
        article = output.count
      }
    }
  }

  /// The word of a variable: chosen at its first use, different from the other variables of its rule.
  private mutating func word(_ variable: Int) -> Int {
    if words[variable] >= 0 { return words[variable] }
    let rule = grammar.variableRules[variable]
    var choice: Int
    repeat { choice = choose(rule) } while isTaken(choice, rule)
    words[variable] = choice
    return choice
  }

  private func isTaken(_ choice: Int, _ rule: Int) -> Bool {
    words.indices.contains { words[$0] == choice && grammar.variableRules[$0] == rule }
  }

  private mutating func append(_ bytes: [UInt8]) {
    let start = output.count
    output.append(contentsOf: bytes)
    if capitalNext, let first = bytes.first {
      if first >= UInt8(ascii: "a"), first <= UInt8(ascii: "z") { output[start] = first - 0x20 }
      capitalNext = false
    }
    guard let place = article else { return }
    guard let letter = bytes.first(where: { $0 != UInt8(ascii: " ") }) else { return }
    if Self.vowels.contains(letter) { output.insert(UInt8(ascii: "n"), at: place) }
    article = nil
  }

  private static let vowels = Array("aeiouAEIOU".utf8)

  private func value(_ expression: EmbeddedGrammar.Expression) -> Int {
    let left = value(expression.left)
    let right = value(expression.right)
    switch expression.operation {
    case "+": return left + right
    case "-": return left - right
    case "*": return left * right
    default: return left
    }
  }

  private func value(_ term: EmbeddedGrammar.Term) -> Int {
    switch term {
    case .constant(let value): value
    case .number(let index): numbers[index]
    }
  }

  private static let units = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
  ]

  private static let tens = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
  ]

  /// English words from 0 to 99, digits elsewhere.
  private static func inWords(_ number: Int) -> [UInt8] {
    guard (0..<100).contains(number) else { return Array(String(number).utf8) }
    if number < units.count { return Array(units[number].utf8) }
    let ten = tens[number / 10 - 2]
    return Array((number.isMultiple(of: 10) ? ten : ten + "-" + units[number % 10]).utf8)
  }
}
