import Configuration
import Engine
import Files
import Terminal
import Tokenizers

/// Opens text and tokens by the names of the command line.
enum TextFiles {
  /// A file, a folder, or `embedded`.
  static func corpus(_ name: String, separator: String = "") throws -> Corpus {
    if name == DataSettings.embeddedName {
      return EmbeddedCorpus.generate()
    }
    return try Corpus(path: name, separator: separator)
  }

  /// Turns a corpus into tokens with progress on standard error.
  static func tokens(
    _ corpus: Corpus, _ tokenizer: any Tokenizer, endOfText: Bool = false, narrating output: Output,
  ) throws -> TokenSequence {
    let tokens = try corpus.tokenized(with: tokenizer, endOfText: endOfText) { progress in
      output.progress.update { columns in
        let share = Double(progress.bytesDone) / Double(max(1, progress.bytesTotal))
        return [
          "tokens: " + progressBar(share, columns: min(30, columns / 3), glyphs: output.glyphs)
            + " \(Numbers.bytes(progress.bytesDone)) of \(Numbers.bytes(progress.bytesTotal))"
        ]
      }
      if let reason = Interruption.shared.stopReason { throw Interrupted(reason: reason) }
    }
    output.progress.suspend()
    return tokens
  }

  /// Checks every id of a batch against the model's table before it goes to the device.
  static func check(_ ids: [Int32], vocabulary: Int, name: String) throws {
    guard let position = ids.firstIndex(where: { $0 < 0 || Int($0) >= vocabulary }) else { return }
    throw Failure(
      "token \(ids[position]) of '\(name)' is outside the model's vocabulary",
      details: ["the model has ids 0 to \(vocabulary - 1)"],
      hints: ["the tokenizer does not belong to this model; is tokenizer.json the right one?"])
  }
}

/// A stop that was asked for before there was anything to save.
struct Interrupted: UserError {
  let reason: StopReason
  var message: String { reason == .interrupt ? "interrupted" : "terminated" }
  var exitCode: ExitCode { reason.exitCode }
}
