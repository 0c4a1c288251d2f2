import ArgumentParser
import Engine
import NumberFormats
import Terminal

/// `nibble bench quantize`: matrices rounded to block formats and back.
struct QuantizeBench: Verb {
  static let configuration = CommandConfiguration(
    commandName: "quantize", abstract: "Time rounding to block formats and back.",
    discussion: """
      What simulated low precision costs beside the products. Formats with a scale per tensor get its largest
      magnitude as an input; finding it is not timed.

      EXAMPLES
        nibble bench quantize
        nibble bench quantize --format mxfp4 --axis all --rounding all --hadamard 0,16,128
      """)

  enum Axis: String, CaseIterable {
    case row
    case column
  }
  enum Mode: String, CaseIterable {
    case nearest
    case stochastic
  }

  @OptionGroup var globals: GlobalOptions
  @OptionGroup var bench: BenchOptions
  @Option(
    help: "\(FormatCatalogue.blocks.map(\.name).joined(separator: ", ")), separated by commas, or all.",
    transform: { try NameList(parsing: $0, known: FormatCatalogue.blocks.map(\.name)) })
  var format = NameList(["fp8_tensor", "fp8_tile", "fp8_block", "mxfp8_e4m3", "mxfp4", "nvfp4"])
  @Option(
    help: "Along which axis blocks lie: row, column, or all.",
    transform: { try NameList(parsing: $0, known: Axis.allCases.map(\.rawValue)) })
  var axis = NameList([Axis.row.rawValue])
  @Option(
    help: "nearest, stochastic, or all.",
    transform: { try NameList(parsing: $0, known: Mode.allCases.map(\.rawValue)) })
  var rounding = NameList([Mode.nearest.rawValue])
  @Option(
    help: "Sizes of Hadamard transforms, 0 for none.",
    transform: { try NumberList(parsing: $0, least: 0) })
  var hadamard = NumberList(0)
  @Option(help: "Rows.", transform: NumberList.init(parsing:)) var rows = NumberList(4096)
  @Option(help: "Columns.", transform: NumberList.init(parsing:)) var columns = NumberList(2048)

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let problems = choices.flatMap { choice in
      rows.values.flatMap { rows in
        columns.values.map { QuantizationProblem(choice, rows: rows, columns: $0) }
      }
    }
    return try BenchRun(call: call, options: bench)() { _ in problems.map { .quantization($0) } }
  }

  private var choices: [QuantizationChoice] {
    let formats = format.names.compactMap { FormatCatalogue.block($0) }.flatMap { format in
      axis.names.compactMap { axis -> BlockFormat? in
        let turned = axis == Axis.row.rawValue ? format : format.tiled(format.tile.transposed)
        // Tiles that look the same from both sides are timed once.
        return axis == Axis.row.rawValue || turned != format ? turned : nil
      }
    }
    return formats.flatMap { format in
      rounding.names.flatMap { mode in
        hadamard.values.map { size in
          QuantizationChoice(
            format, randomness: mode == Mode.stochastic.rawValue ? RoundingBits(seed: 1) : nil,
            rotation: size == 0 ? nil : size)
        }
      }
    }
  }
}
