import Testing

@testable import Files

@Suite struct JSONTests {
  @Test func parsesEveryKind() throws {
    let json = try JSON(parsing: #" {"a":[1,-2.5,1e3,true,false,null],"b":{"c":"x\n\u00e9\ud83d\ude00\/"}} "#)
    #expect(json["a"] == [1, -2.5, 1000.0, true, false, nil])
    #expect(json["b"]?["c"]?.stringValue == "x\né😀/")
    #expect(try JSON(parsing: "[]") == [])
    #expect(try JSON(parsing: "{}") == [:])
    #expect(try JSON(parsing: "\"\"") == "")
  }

  @Test func everyEntryGivesTheSameValue() throws {
    let text = #"{"a":[1,"\u00e9"]}"#
    let bytes = Array(text.utf8)
    let expected: JSON = ["a": [1, "\u{E9}"]]
    #expect(try JSON(parsing: text) == expected)
    #expect(try JSON.parse(bytes) == expected)
    #expect(try JSON.parse(bytes.span) == expected)
    #expect(try bytes.withUnsafeBytes { try JSON.parse($0) } == expected)
    #expect(throws: JSONError.self) { try JSON.parse(UnsafeRawBufferPointer(start: nil, count: 0)) }
  }

  @Test func accessorsAnswerOnlyForTheirKind() throws {
    let json: JSON = ["i": 3, "d": 1.5, "s": "x", "b": true, "n": nil, "a": [1], "o": ["k": 1]]
    #expect(json["i"]?.integerValue == 3)
    #expect(json["i"]?.doubleValue == 3)
    #expect(json["d"]?.doubleValue == 1.5)
    #expect(json["d"]?.integerValue == nil)
    #expect(json["s"]?.stringValue == "x")
    #expect(json["s"]?.doubleValue == nil)
    #expect(json["b"]?.boolValue == true)
    #expect(json["b"]?.integerValue == nil)
    #expect(json["n"]?.isNull == true)
    #expect(json["a"]?.arrayValue == [1])
    #expect(json["o"]?.objectValue?["k"] == 1)
    #expect(json["missing"] == nil)
    #expect(json["i"]?["k"] == nil)
  }

  @Test(arguments: [
    ("0", JSON.integer(0)), ("-7", .integer(-7)), ("9223372036854775807", .integer(.max)),
    ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(9_223_372_036_854_775_808)),
    ("1000000000000000019884624838656", .number(1e30)), ("1.0", .number(1)), ("1E+2", .number(100)),
    ("1e-400", .number(0)), ("0.1", .number(0.1)), ("5e-324", .number(.leastNonzeroMagnitude)),
    ("1.7976931348623157e308", .number(.greatestFiniteMagnitude)),
  ]) func readsNumbers(text: String, expected: JSON) throws {
    #expect(try JSON(parsing: text) == expected)
  }

  @Test func keepsTheSignOfZero() throws {
    let zero = try #require(try JSON(parsing: "-0").doubleValue)
    #expect(zero == 0 && zero.sign == .minus)
    #expect(JSON.number(zero).serialized() == "-0.0")
  }

  @Test(arguments: [
    "", " ", "{", "[", "]", "[1,]", "[,1]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{1:1}", "[1 2]", "1 2",
    "tru",
    "nul", "True", "NaN", "Infinity", "-Infinity", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "'a'",
    "\"a",
    "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"a\nb\"", "\"\u{01}\"", "[1] //", "\u{FEFF}1", "\"\\", "-a",
  ]) func rejectsWhatTheGrammarDoesNotAllow(text: String) {
    #expect {
      try JSON(parsing: text)
    } throws: { error in
      guard case JSONError.syntax = error else { return false }
      return true
    }
  }

  @Test func namesLineColumnAndExpectation() {
    #expect {
      try JSON.parse(Array("{\n  \"é\": [1, 2}\n}".utf8), source: "config.json")
    } throws: { error in
      let text = "\(error)"
      return text.contains("config.json:2:13") && text.contains("expected ',' or ']', found '}'")
    }
  }

  @Test func rejectsDuplicateKeysSmallAndLarge() throws {
    #expect(throws: JSONError.self) { try JSON(parsing: #"{"a":1,"b":2,"a":3}"#) }
    let members = (0..<1_000).map { "\"k\($0)\":\($0)" }
    #expect(try JSON(parsing: "{\(members.joined(separator: ","))}")["k999"] == 999)
    #expect {
      try JSON(parsing: "{\((members + ["\"k500\":0"]).joined(separator: ","))}")
    } throws: { error in
      guard case JSONError.duplicateKey(_, "k500") = error else { return false }
      return true
    }
  }

  @Test func canonicallyEquivalentKeysAreDifferent() throws {
    let json = try JSON(parsing: #"{"\u00e9":1,"e\u0301":2}"#)
    #expect(json["\u{E9}"] == 1)
    #expect(json["e\u{301}"] == 2)
    #expect(JSON.string("\u{E9}") != JSON.string("e\u{301}"))
  }

  @Test func limitsDepth() throws {
    let deepest = String(repeating: "[", count: 256) + String(repeating: "]", count: 256)
    #expect(try JSON(parsing: deepest).serialized() == deepest)
    let siblings = "[" + Array(repeating: "[{}]", count: 600).joined(separator: ",") + "]"
    #expect(try JSON(parsing: siblings).arrayValue?.count == 600)
    #expect {
      try JSON(parsing: String(repeating: "[", count: 100_000))
    } throws: { error in
      guard case JSONError.tooDeep(let place, 256) = error else { return false }
      return place.column == 257
    }
  }

  @Test(
    arguments: [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC3, 0x22],
      [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x41, 0x5C, 0x6E, 0x80, 0x22],
    ] as [[UInt8]]) func rejectsInvalidUTF8(bytes: [UInt8])
  {
    #expect {
      try JSON.parse(bytes)
    } throws: { error in
      guard case JSONError.invalidUTF8 = error else { return false }
      return true
    }
  }

  @Test(arguments: [#""\ud83d""#, #""\ude00""#, #""\ud83d\ud83d""#, #""\ud83dx""#, #""\ud83d\n""#])
  func rejectsLoneSurrogates(text: String) {
    #expect {
      try JSON(parsing: text)
    } throws: { error in
      guard case JSONError.loneSurrogate = error else { return false }
      return true
    }
  }

  @Test func rejectsNumbersBeyondDouble() {
    #expect {
      try JSON(parsing: "[1e400]")
    } throws: { error in
      guard case JSONError.numberOutOfRange(_, "1e400") = error else { return false }
      return true
    }
  }

  @Test func writesLikePythonWithIndentTwo() {
    let json: JSON = ["a": [1, 2.5, "x\"\\\n\u{1}é"], "b": [:], "c": [], "d": ["e": nil]]
    let pretty = """
      {
        "a": [
          1,
          2.5,
          "x\\"\\\\\\n\\u0001é"
        ],
        "b": {},
        "c": [],
        "d": {
          "e": null
        }
      }
      """
    #expect(json.serialized(.pretty) == pretty)
    #expect(json.serialized() == #"{"a":[1,2.5,"x\"\\\n\u0001é"],"b":{},"c":[],"d":{"e":null}}"#)
  }

  @Test func writesNonFiniteNumbersAsNull() {
    let json: JSON = [.number(.nan), .number(.infinity), .number(-.infinity), .number(1e-7)]
    #expect(json.serialized() == "[null,null,null,1e-07]")
  }

  /// Only for files of Python; the strict grammar has no such numbers.
  @Test func readsWhatPythonWritesForNumbersThatAreNotFinite() throws {
    let text = #"{"a": [0.0, Infinity], "b": -Infinity, "c": NaN, "d": [-1, null, "NaN"]}"#
    func named(_ name: String) -> JSON { ["__float__": .string(name)] }
    let expected: JSON = [
      "a": [0.0, named("Infinity")], "b": named("-Infinity"), "c": named("NaN"), "d": [-1, nil, "NaN"],
    ]
    #expect(try JSON.parsePython(Array(text.utf8).span, source: "config.json") == expected)
    #expect(throws: JSONError.self) { try JSON(parsing: text) }

    let folder = try ScratchFolder()
    try AtomicFile.write(Array(text.utf8), to: folder.path + "/config.json")
    #expect(try JSON.readPython(folder.path + "/config.json") == expected)
    #expect(throws: JSONError.self) { try JSON.read(folder.path + "/config.json") }
  }

  @Test(arguments: ["Infinit", "Nan", "N", "-", "-I", "-NaN", "+Infinity", "inf", "Infinity1", "[NaN NaN]"])
  func rejectsWhatPythonDoesNotWrite(text: String) {
    #expect {
      try JSON.parsePython(Array(text.utf8).span, source: "config.json")
    } throws: { error in
      guard case JSONError.syntax = error else { return false }
      return true
    }
  }

  @Test func doublesSurviveTheRoundTrip() throws {
    var generator = SeededGenerator(3)
    for _ in 0..<20_000 {
      let value = Double(bitPattern: generator.next())
      guard value.isFinite else { continue }
      let back = try JSON(parsing: JSON.number(value).serialized()).doubleValue
      #expect(back?.bitPattern == value.bitPattern)
    }
  }

  @Test func objectsKeepOrderThroughEdits() {
    var object = JSONObject((0..<40).map { (key: "k\($0)", value: .integer(Int64($0))) })
    object["k3"] = "three"
    object["new"] = 1
    #expect(object.removeValue(forKey: "k10") == 10)
    object["k11"] = nil
    #expect(object.removeValue(forKey: "k10") == nil)
    #expect(object.count == 39)
    #expect(object["k3"] == "three")
    #expect(object["k39"] == 39)
    #expect(object["k10"] == nil)
    #expect(object.keys.last == "new")
    for index in 0..<36 { object["k\(index)"] = nil }
    #expect(object.keys == ["k36", "k37", "k38", "k39", "new"])
    #expect(object["k38"] == 38)
    let reversed = JSONObject(object.entries.reversed().map { (key: $0.key, value: $0.value) })
    #expect(reversed == object)
    #expect(reversed.keys != object.keys)
  }

  @Test func mutatedTextsNeverTrapAndAcceptedOnesRoundTrip() throws {
    let seedText =
      #"{"a":[1,-2.5e3,true,null,"\u00e9\ud83d\ude00 ü"],"b":{"c":{},"d":[]},"e":12345678901234567890}"#
    let interesting = Array("{}[]\",:\\u0123456789eE+-.tfn \n\0".utf8) + [0x80, 0xC3, 0xED, 0xFF]
    var generator = SeededGenerator(11)
    var accepted = 0
    for _ in 0..<fuzzCount {
      var bytes = Array(seedText.utf8)
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        let byte = interesting.randomElement(using: &generator) ?? 0
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = byte
        case 1: bytes.insert(byte, at: place)
        case 2: bytes.remove(at: place)
        default: bytes.removeSubrange(place..<min(bytes.count, place + 9))
        }
        if bytes.isEmpty { bytes = [byte] }
      }
      if let json = try? JSON.parse(bytes) {
        accepted += 1
        #expect(try JSON.parse(json.serializedBytes()) == json)
        #expect(try JSON.parse(json.serializedBytes(.pretty)) == json)
      }
    }
    #expect(accepted > fuzzCount / 100)
  }

  @Test(.enabled(if: Fixtures.exists("data/gpt2/tokenizer.json"), "the shared data folder is missing"))
  func readsALargeTokenizerFile() throws {
    let bytes = try readBytes(Fixtures.path("data/gpt2/tokenizer.json"))
    let clock = ContinuousClock()
    var best = Duration.seconds(100)
    var json = JSON.null
    for _ in 0..<5 {
      let time = try clock.measure { json = try JSON.parse(bytes, source: "tokenizer.json") }
      best = min(best, time)
    }
    print("tokenizer.json, \(bytes.count) bytes: parsed in \(best)")
    let vocabulary = try #require(json["model"]?["vocab"]?.objectValue)
    #expect(vocabulary.count == 50_257)
    #expect(vocabulary["<|endoftext|>"] == 50_256)
    #expect(json["model"]?["merges"]?.arrayValue?.count == 50_000)
    #expect(try JSON.parse(json.serializedBytes(.pretty)) == json)
  }
}
