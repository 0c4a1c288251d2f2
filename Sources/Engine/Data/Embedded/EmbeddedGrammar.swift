/// The grammar of the embedded corpus in compiled form.
///
/// A rule begins with `= name`, followed by the names of its fields; then come alternatives, one or more
/// a line, divided by ` / `, with an optional weight such as `3* `. A line that begins with two spaces goes
/// on with the line before it, after a space unless that ends in `~`. A rule with fields, and any rule that
/// a variable names, is a list of words whose forms are divided by `|`. In an alternative:
///
/// | written | meaning |
/// |---|---|
/// | `<rule>` `<rule.field>` | any alternative of the rule |
/// | `$rule` `$rule2.field` | a word of the rule, the same for the whole document; 2, 3 ... are others |
/// | `[c=a+b]` `[b=1..a-1]` | sets a number, to a value or within a range |
/// | `#c` `#c.w` | a number in digits, in words |
/// | `^` `@` `~` | capital letter next; "a" or "an"; line end |
struct EmbeddedGrammar: Sendable {
  /// The rules, `document` among them.
  private(set) var rules: [Rule] = []
  /// Which rule a document is made by.
  private(set) var start = 0
  /// The rule each variable takes its word from.
  private(set) var variableRules: [Int] = []
  /// Number of distinct numbers.
  var numberCount: Int { numberNames.count }

  private var ruleNames: [String: Int] = [:]
  private var variableNames: [String: Int] = [:]
  private var numberNames: [String: Int] = [:]

  struct Rule: Sendable {
    let fields: [String]
    var alternatives: [Alternative] = []
    var totalWeight = 0
  }

  struct Alternative: Sendable {
    let weight: Int
    /// The forms of a word, or one sequence of nodes.
    let forms: [[Node]]
  }

  enum Node: Sendable {
    case text([UInt8])
    case expansion(rule: Int, field: Int)
    case variable(Int, field: Int)
    case assignment(number: Int, low: Expression, high: Expression)
    case number(Int, inWords: Bool)
    case capital
    case article
  }

  /// A term, or two of them with an operator.
  struct Expression: Sendable {
    let left: Term
    let operation: Character?
    let right: Term
  }

  enum Term: Sendable {
    case constant(Int)
    case number(Int)
  }

  /// Compiles the text of a grammar; a mistake in it is a mistake of the program.
  init(_ source: String, start: String = "document") {
    let lines = Self.lines(source)
    for line in lines where line.hasPrefix("= ") {
      let names = line.dropFirst(2).split(separator: " ").map(String.init)
      precondition(ruleNames[names[0]] == nil, "the rule '\(names[0])' stands twice in the grammar")
      ruleNames[names[0]] = rules.count
      rules.append(Rule(fields: ["self"] + names.dropFirst()))
    }
    var current = -1
    for line in lines {
      if line.hasPrefix("= ") {
        current += 1
      } else {
        for part in Self.parts(line[...]) { addAlternative(part, to: current) }
      }
    }
    self.start = rule(start)
    for (name, index) in ruleNames {
      precondition(!rules[index].alternatives.isEmpty, "the rule '\(name)' has no alternatives")
    }
  }

  private static func lines(_ source: String) -> [String] {
    var result: [String] = []
    for line in source.split(separator: "\n") {
      if line.hasPrefix("  "), let last = result.popLast() {
        result.append(last + (last.hasSuffix("~") ? "" : " ") + line.dropFirst(2))
      } else {
        result.append(String(line))
      }
    }
    return result
  }

  private static func parts(_ line: Substring) -> [Substring] {
    var result: [Substring] = []
    var rest = line
    while let slash = rest.indices.first(where: { rest[$0...].hasPrefix(" / ") }) {
      result.append(rest[..<slash])
      rest = rest[slash...].dropFirst(3)
    }
    return result + [rest]
  }

  private mutating func addAlternative(_ text: Substring, to index: Int) {
    var text = text
    var weight = 1
    if let star = text.firstIndex(of: "*"), let given = Int(text[..<star]) {
      weight = given
      text = text[text.index(after: star)...].drop { $0 == " " }
    }
    let forms = text.split(separator: "|").map { form in
      var parser = TemplateParser(form)
      return parser.nodes(&self)
    }
    precondition(
      forms.count == rules[index].fields.count, "'\(text)' must have \(rules[index].fields.count) forms")
    rules[index].alternatives.append(Alternative(weight: weight, forms: forms))
    rules[index].totalWeight += weight
  }

  fileprivate func rule(_ name: String) -> Int {
    guard let index = ruleNames[name] else { preconditionFailure("the grammar has no rule '\(name)'") }
    return index
  }

  fileprivate func field(_ name: String?, of rule: Int) -> Int {
    guard let name else { return 0 }
    guard let index = rules[rule].fields.firstIndex(of: name) else {
      preconditionFailure("a rule of the grammar has no field '\(name)', only \(rules[rule].fields)")
    }
    return index
  }

  fileprivate mutating func variable(_ name: String) -> Int {
    if let index = variableNames[name] { return index }
    var base = name
    while base.last?.isNumber == true { base.removeLast() }
    variableNames[name] = variableRules.count
    variableRules.append(rule(base))
    return variableRules.count - 1
  }

  fileprivate mutating func number(_ name: String) -> Int {
    if let index = numberNames[name] { return index }
    numberNames[name] = numberNames.count
    return numberNames.count - 1
  }
}

/// Reads one template of the grammar.
private struct TemplateParser {
  private var rest: Substring

  init(_ text: Substring) { rest = text }

  mutating func nodes(_ grammar: inout EmbeddedGrammar) -> [EmbeddedGrammar.Node] {
    var result: [EmbeddedGrammar.Node] = []
    var text: [UInt8] = []
    while let character = rest.popFirst() {
      if character == "~" {
        text.append(UInt8(ascii: "\n"))
        continue
      }
      guard let node = node(character, &grammar) else {
        text.append(contentsOf: character.utf8)
        continue
      }
      if !text.isEmpty { result.append(.text(text)) }
      text = []
      result.append(node)
    }
    if !text.isEmpty { result.append(.text(text)) }
    return result
  }

  private mutating func node(
    _ character: Character, _ grammar: inout EmbeddedGrammar,
  ) -> EmbeddedGrammar.Node? {
    switch character {
    case "^": return .capital
    case "@": return .article
    case "<":
      let rule = grammar.rule(name())
      let field = grammar.field(fieldName(), of: rule)
      expect(">")
      return .expansion(rule: rule, field: field)
    case "$":
      let variable = grammar.variable(name())
      return .variable(variable, field: grammar.field(fieldName(), of: grammar.variableRules[variable]))
    case "#":
      return .number(grammar.number(name()), inWords: fieldName() == "w")
    case "[":
      let number = grammar.number(name())
      expect("=")
      let low = expression(&grammar)
      var high = low
      if rest.hasPrefix("..") {
        rest = rest.dropFirst(2)
        high = expression(&grammar)
      }
      expect("]")
      return .assignment(number: number, low: low, high: high)
    default: return nil
    }
  }

  private mutating func expression(_ grammar: inout EmbeddedGrammar) -> EmbeddedGrammar.Expression {
    let left = term(&grammar)
    guard let operation = rest.first, "+-*".contains(operation) else {
      return .init(left: left, operation: nil, right: left)
    }
    rest.removeFirst()
    return .init(left: left, operation: operation, right: term(&grammar))
  }

  private mutating func term(_ grammar: inout EmbeddedGrammar) -> EmbeddedGrammar.Term {
    let text = name()
    return Int(text).map { .constant($0) } ?? .number(grammar.number(text))
  }

  private mutating func name() -> String {
    let result = rest.prefix { $0.isLetter || $0.isNumber }
    precondition(!result.isEmpty, "the grammar needs a name before '\(rest)'")
    rest = rest[result.endIndex...]
    return String(result)
  }

  /// The field after a dot; a dot that ends a sentence is none.
  private mutating func fieldName() -> String? {
    guard rest.first == ".", rest.dropFirst().first?.isLetter == true else { return nil }
    rest.removeFirst()
    return name()
  }

  private mutating func expect(_ character: Character) {
    precondition(rest.popFirst() == character, "the grammar needs '\(character)' before '\(rest)'")
  }
}
