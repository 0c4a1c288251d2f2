import ArgumentParser
import BenchmarkReports
import Terminal

/// What every `nibble bench` does with its rows.
struct BenchOutputOptions: ParsableArguments {
  @Flag(help: "Rows as comma-separated values on standard output.")
  var csv = false

  @Flag(help: "Rows as a Markdown table on standard output.")
  var markdown = false

  @Option(help: "Keep the result under this name.")
  var save: String?

  @Option(help: "Compare with a kept result, by name or path: both medians and a verdict.")
  var against: String?

  @Option(help: "With --against: end with 1 when a row is slower by more than this percentage, beyond noise.")
  var gate: Double?

  @Option(help: "Where results are kept (default: \(BenchmarkStore.defaultFolder)).")
  var results: String?

  @Option(help: "Draw a roofline into this SVG file.")
  var roofline: String?

  @Flag(help: "Replace a result, a drawing or a timeline that exists.")
  var overwrite = false

  func validate() throws {
    if csv, markdown { throw ValidationError("--csv and --markdown contradict each other; give one.") }
    if let gate {
      if against == nil { throw ValidationError("--gate has no effect without --against.") }
      if !(0...1000).contains(gate) {
        throw ValidationError("--gate is \(gate); give a percentage from 0 to 1000.")
      }
    }
    if results != nil, save == nil, against == nil {
      throw ValidationError("--results has no effect without --save or --against.")
    }
    if results?.isEmpty == true { throw ValidationError("--results is empty; give a folder.") }
    if roofline?.isEmpty == true { throw ValidationError("--roofline is empty; give a file.") }
  }

  /// Refuses `--overwrite` where nothing is written.
  ///
  /// - Parameter files: What else the verb writes.
  func checkOverwrite(_ files: String?...) throws {
    guard overwrite, save == nil, roofline == nil, files.allSatisfy({ $0 == nil }) else { return }
    throw ValidationError("--overwrite has no effect without a file to write, as of --save or --roofline.")
  }

  /// Refuses the formats that `--json` leaves no room for.
  func check(_ globals: GlobalOptions) throws {
    guard globals.json, csv || markdown else { return }
    throw UsageError(
      "--json and \(csv ? "--csv" : "--markdown") contradict each other",
      hints: ["give one of --json, --csv and --markdown"])
  }

  /// The file of `--roofline`.
  var drawing: OutputFile? {
    roofline.map { OutputFile(option: "--roofline", path: $0, overwrites: overwrite) }
  }

  var store: BenchmarkStore { BenchmarkStore(folder: results ?? BenchmarkStore.defaultFolder) }
}
