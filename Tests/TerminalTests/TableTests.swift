import Terminal
import Testing

@Suite struct TableTests {
  private var devices: Table {
    var table = Table([
      .init("NAME"), .init("DEVICE", priority: 1), .init("MEM", priority: 2), .init("GFLOP/s"),
    ])
    table.append(["pocl:0", "AMD EPYC (PoCL 3.1)", "9.5 GiB", "61.0"])
    table.append(["cpu", "OpenBLAS 0.3.21", "22 GiB", "165"])
    return table
  }

  @Test func alignsNumbersRight() {
    #expect(
      devices.rendered().lines == [
        "NAME    DEVICE                   MEM  GFLOP/s",
        "pocl:0  AMD EPYC (PoCL 3.1)  9.5 GiB     61.0",
        "cpu     OpenBLAS 0.3.21       22 GiB      165",
      ])
  }

  @Test func dropsColumnsByPriorityAndSaysWhich() {
    let rendered = devices.rendered(columns: 40)
    #expect(
      rendered.lines == [
        "NAME    DEVICE               GFLOP/s",
        "pocl:0  AMD EPYC (PoCL 3.1)     61.0",
        "cpu     OpenBLAS 0.3.21          165",
      ])
    #expect(rendered.note == "columns left out at this width: MEM (--json has all)")
    #expect(devices.rendered(columns: 20).dropped == ["DEVICE", "MEM"])
  }

  @Test(arguments: 1...60)
  func neverExceedsTheWidth(_ width: Int) {
    for glyphs in [Glyphs.ascii, .unicode] {
      let lines = devices.rendered(columns: width, style: .colored, glyphs: glyphs).lines
      #expect(lines.allSatisfy { displayWidth($0) <= width })
    }
  }

  @Test func countsWideCharactersAndColour() {
    #expect(displayWidth("\u{1B}[31mred\u{1B}[0m") == 3)
    #expect(displayWidth("日本") == 4)
    #expect(displayWidth("e\u{301}") == 1)
    #expect(fitted("\u{1B}[31mabcdef\u{1B}[0m", columns: 4, ellipsis: "…") == "\u{1B}[31mabc\u{1B}[0m…")
    #expect(fitted("日本語", columns: 5) == "日本")
  }

  @Test func escapesMarkdown() {
    var table = Table([.init("a"), .init("b")])
    table.append(["x|y", "1"])
    #expect(table.markdown == "| a | b |\n|---|---:|\n| x\\|y | 1 |")
  }

  @Test func neutralizesControlCharacters() {
    var table = Table([.init("a")])
    table.append(["x\ny"])
    #expect(table.rendered().lines == ["a", "x\\ny"])
  }
}

@Suite struct StyleTests {
  @Test func noColorIsStrongestAmongVariables() {
    func isColored(_ environment: [String: String], terminal: Bool = true, _ choice: ColorChoice = .auto)
      -> Bool
    {
      Style(choice: choice, isTerminal: terminal, environment: environment).isColored
    }
    #expect(isColored([:]))
    #expect(!isColored([:], terminal: false))
    #expect(!isColored(["TERM": "dumb"]))
    #expect(isColored(["FORCE_COLOR": "1"], terminal: false))
    #expect(!isColored(["FORCE_COLOR": "0"]))
    #expect(!isColored(["FORCE_COLOR": "1", "NO_COLOR": "1"]))
    #expect(isColored(["NO_COLOR": ""]))
    #expect(isColored(["NO_COLOR": "1"], terminal: false, .always))
    #expect(!isColored(["FORCE_COLOR": "1"], .never))
  }

  @Test func localeDecidesTheGlyphs() {
    #expect(Glyphs(environment: ["LANG": "en_US.UTF-8"]) == .unicode)
    #expect(Glyphs(environment: ["LANG": "en_US.UTF-8", "LC_ALL": "C"]) == .ascii)
    #expect(Glyphs(environment: ["LC_ALL": "", "LC_CTYPE": "C.utf8"]) == .unicode)
    #expect(Glyphs(environment: [:]) == .ascii)
  }

  @Test func jsonKeepsOrderAndEscapes() {
    let value: JSONText = [
      "schema": 1, "text": "a\"\n\u{1}é", "list": [true, .null, .number(.nan), .number(1e-5)],
    ]
    #expect(
      value.description == "{\"schema\":1,\"text\":\"a\\\"\\n\\u0001é\",\"list\":[true,null,null,1e-05]}")
    #expect(JSONText.object([]).indented == "{}")
    #expect(([1] as JSONText).indented == "[\n  1\n]")
  }
}
