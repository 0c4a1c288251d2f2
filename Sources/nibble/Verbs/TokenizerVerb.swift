import ArgumentParser
import Engine
import Files
import Terminal
import Tokenizers

/// `nibble tokenizer`: train one, and look at what one does.
struct TokenizerVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer", abstract: "Train a tokenizer, encode and decode with one.",
    discussion: """
      EXAMPLES
        nibble tokenizer train --data book.txt --vocabulary 4096 --output book-tokenizer
        nibble tokenizer encode book-tokenizer "Once upon a time"
        nibble tokenizer decode book-tokenizer 318 402 17
      """,
    subcommands: [TokenizerTrainVerb.self, TokenizerEncodeVerb.self, TokenizerDecodeVerb.self])
}

/// `nibble tokenizer train`: a byte-level BPE from text.
struct TokenizerTrainVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Learn a byte-level BPE from text; writes tokenizer.json.")

  @OptionGroup var globals: GlobalOptions
  @Option(help: "Text: a .txt or .jsonl file, or a folder of them.") var data: String
  @Option(help: "Tokens in all: 1 for the end of text, 256 bytes, the rest learned.") var vocabulary = 4096
  @Option(name: [.customShort("o"), .long], help: "Folder for tokenizer.json.") var output: String
  @Option(help: "How text is split: gpt2, llama3 or qwen2.") var pattern = "gpt2"

  func run(_ call: Call) throws -> Terminal.ExitCode {
    guard let pattern = BPETrainer.Pattern(rawValue: pattern) else {
      let names = BPETrainer.Pattern.allCases.map(\.rawValue)
      throw UsageError(
        "unknown pattern '\(self.pattern)'", hints: nameHints(for: self.pattern, in: names, noun: "patterns"))
    }
    let file = output + "/" + TokenizerFile.name
    guard !Folder.exists(file) else { throw FileError.exists(path: file) }
    let corpus = try TextFiles.corpus(data)
    let start = Call.now()
    let trained = try TokenizerTraining.run(
      corpus, vocabulary: vocabulary, pattern: pattern, narrating: call.output)
    try Folder.create(output)
    try trained.write(to: output)
    call.output.result(
      "wrote \(file): \(Numbers.grouped(trained.vocabularySize)) tokens in "
        + Numbers.duration(Call.now() - start))
    call.output.json([
      "schema": 1, "path": .string(file), "vocabulary": .integer(trained.vocabularySize),
      "merges": .integer(trained.mergeCount), "time_s": .number(Call.now() - start),
    ])
    call.output.narrate("next: nibble train --data \(data) data.tokenizer=\(output)")
    return .done
  }
}

/// `nibble tokenizer encode`: the ids of a text.
struct TokenizerEncodeVerb: Verb {
  static let configuration = CommandConfiguration(commandName: "encode", abstract: "The ids of a text.")

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A tokenizer.json, a folder with one, a model, or 'bytes'.") var tokenizer: String
  @Argument(help: "The text; or name a file with --data.") var text: String?
  @Option(help: "A file whose text is encoded.") var data: String?
  @Flag(name: .customLong("ignore-special"), help: "Special tokens in the text are plain text.")
  var ignoresSpecial = false

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let tokenizer = try ModelTokenizer.named(tokenizer)
    let bytes: [UInt8]
    switch (text, data) {
    case (let text?, nil): bytes = Array(text.utf8)
    case (nil, let data?):
      let file = try MappedFile(path: data)
      bytes = try file.bytes(in: 0..<file.count)
    case (nil, nil): throw UsageError("no text to encode", hints: ["give it as an argument, or --data FILE"])
    case (_?, _?): throw UsageError("both a text and --data", hints: ["give one of them"])
    }
    let ids = tokenizer.encode(bytes: bytes, special: ignoresSpecial ? .ignored : .recognized)
    call.output.result(ids.map(String.init).joined(separator: " "))
    call.output.json([
      "schema": 1, "count": .integer(ids.count), "bytes": .integer(bytes.count),
      "ids": .array(ids.map { .integer(Int($0)) }),
      "tokens": .array(ids.map { .string(tokenizer.decode([$0])) }),
    ])
    return .done
  }
}

/// `nibble tokenizer decode`: the text of ids.
struct TokenizerDecodeVerb: Verb {
  static let configuration = CommandConfiguration(commandName: "decode", abstract: "The text of ids.")

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A tokenizer.json, a folder with one, a model, or 'bytes'.") var tokenizer: String
  @Argument(help: "The ids.") var ids: [String] = []

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let tokenizer = try ModelTokenizer.named(tokenizer)
    let numbers = try ids.flatMap { $0.split { $0 == "," || $0 == " " } }.map { text in
      guard let id = Int32(text), id >= 0, Int(id) < tokenizer.vocabularySize else {
        throw UsageError(
          "'\(text)' is no id of this tokenizer", hints: ["ids are 0 to \(tokenizer.vocabularySize - 1)"])
      }
      return id
    }
    let text = tokenizer.decode(numbers)
    call.output.result(text)
    call.output.json(["schema": 1, "text": .string(text), "count": .integer(numbers.count)])
    return .done
  }
}
