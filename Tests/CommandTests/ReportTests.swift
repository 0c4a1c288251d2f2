import Files
import Testing

/// Reports of runs of a second, in low precision and without.
@Suite struct ReportTests {
  @Test func runsAreReportedInWordsPicturesAndData() throws {
    let program = try Program()
    let place = program.workplace
    #expect(try program.run(SmallRun.arguments("full")).code == 0)
    let rounded = ["precision.recipe=mxfp4", "precision.measure_every=3"]
    let training = try program.run(SmallRun.arguments("mxfp4", rounded))
    #expect(training.code == 0, "\(training.narration)")

    let words = try program.run("report full mxfp4/ --output report.html --svg pictures")
    #expect(words.code == 0, "\(words.narration)")
    #expect(words.output.contains("full: steps 1 to 12") && words.output.contains("worst operands in step"))
    #expect(
      words.output.contains("too few common steps to tell whether they part: 12 of at least 14"),
      "\(words.output)")
    let page = try place.text("report.html")
    #expect(
      page.contains("<svg") && page.contains("Signal to quantization noise") && !page.contains("<script"))
    let names = try Folder.names(in: place.path + "/pictures").sorted()
    #expect(names.contains("loss.svg") && names.contains("sqnr_db-2.svg") && names.count == 8, "\(names)")

    let json = try #require(try program.run("report full mxfp4 --json").json().first)
    let runs = try #require(json["runs"]?.arrayValue)
    #expect(runs[0]["rounding"]?.arrayValue?.isEmpty == true)
    // Steps 1, 4, 7 and 10 of a layer with seven matrices: two weights and two cotangents each, and four inputs twice.
    let measured = runs[1]["rounding"]?.arrayValue?.count ?? 0
    #expect(measured == 144)
    #expect(json["partings"]?.arrayValue?.first?["step"]?.isNull == true)

    let again = try program.run("report full --output report.html")
    #expect(again.code == 2 && again.narration.contains("exists already"))
    #expect(try program.run("report full --output report.html --overwrite").code == 0)
  }

  @Test func mistakesAreExplained() throws {
    let program = try Program()
    #expect(try program.run(SmallRun.arguments("run")).code == 0)
    for (line, words) in [
      ("report nowhere", "is no run folder"), ("report run run/", "is given twice"),
      ("report run --sqnr-drop 0", "decibels above 0"), ("report run --saturation 2", "a share from 0 to 1"),
      ("report run --overwrite", "has no effect"), ("report run --output no/x.html", "there is no folder"),
    ] {
      let ending = try program.run(line)
      #expect(ending.code == 2 && ending.narration.contains(words), "\(line): \(ending.narration)")
    }
    try Folder.remove(program.workplace.path + "/run/metrics.jsonl")
    let ending = try program.run("report run")
    #expect(ending.code == 2 && ending.narration.contains("has no metrics.jsonl"), "\(ending.narration)")
  }
}
