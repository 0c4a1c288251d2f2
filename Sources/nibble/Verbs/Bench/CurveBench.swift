import ArgumentParser
import BenchmarkReports
import Files
import Terminal

/// `nibble bench curve`: draws kept results over one of their parameters.
struct CurveBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "curve", abstract: "Draw kept results over one of their parameters.",
    discussion: """
      Takes results that --save kept, by name or path. Curves are told apart by --series: parameters of the rows, or device.
      Nothing is measured.

      EXAMPLES
        nibble bench attention --time 512-4096*2 --save attention
        nibble bench curve attention --over time --measure gflops --series pass --output attention.svg
        Scripts/lengths.sh                          training speed of mixers over length
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "Names or paths of kept results.") var names: [String]
  @Option(help: "The parameter along the axis.") var over = "time"
  @Option(help: "The figure: \(CurveMeasure.allCases.map(\.rawValue).joined(separator: ", ")).")
  var measure = CurveMeasure.tokensPerSecond.rawValue
  @Option(help: "What tells curves apart, separated by commas.") var series = "device"
  @Option(help: "Heading of the drawing.") var title: String?
  @Option(help: "The SVG file to write.") var output: String
  @Option(help: "Where results are kept (default: \(BenchmarkStore.defaultFolder)).") var results: String?
  @Flag(help: "Replace a drawing that exists.") var overwrite = false

  func validate() throws {
    if CurveMeasure(rawValue: measure) == nil {
      let known = CurveMeasure.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--measure is '\(measure)'; give one of \(known).")
    }
    if series.isEmpty { throw ValidationError("--series is empty; give parameters, or device.") }
  }

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let file = OutputFile(option: "--output", path: output, overwrites: overwrite)
    try file.check()
    let store = BenchmarkStore(folder: results ?? BenchmarkStore.defaultFolder)
    let reports = try names.map { try store.load($0) }
    let plot = try CurvePlot(
      reports, over: over, measure: CurveMeasure(rawValue: measure) ?? .tokensPerSecond,
      series: series.split(separator: ",").map(String.init), title: title)
    try file.write(plot.svg())
    if globals.json {
      call.output.jsonLine(plot.json.serialized())
    } else {
      call.output.result("drawing: \(output) (\(plot.summary))")
    }
    return .done
  }
}
