import Files
import Testing
import Tokenizers

@testable import Engine

@Suite struct EvaluationWindowsTests {
  @Test(arguments: [2, 3, 15, 16, 17, 18, 32, 33, 34, 100])
  func everyTokenIsScoredOnce(count: Int) throws {
    let windows = try EvaluationWindows(try countingTokens(count), context: 16, rule: .everyToken)
    let batch = windows.batch(0..<windows.count)
    let scored = zip(batch.inputs, batch.labels).filter { $0.1 != Batch.ignoredLabel }
    #expect(scored.map(\.1) == (1..<count).map { Int32($0) })
    #expect(scored.allSatisfy { $0.1 == $0.0 + 1 })
    #expect(windows.scoredTokenCount == count - 1 && batch.targetCount == count - 1)
    #expect(batch.inputs.count == windows.count * 16 && windows.count == (count - 1 + 15) / 16)
  }

  @Test(arguments: [16, 17, 31, 32, 33, 100])
  func firstTokenOfACompleteWindowIsNotScored(count: Int) throws {
    let windows = try EvaluationWindows(try countingTokens(count), context: 16, rule: .completeWindows)
    let batch = windows.batch(0..<windows.count)
    #expect(windows.count == count / 16)
    #expect(batch.inputs == (0..<windows.count * 16).map { Int32($0) })
    let expected = (1..<windows.count * 16 + 1).map { $0.isMultiple(of: 16) ? Batch.ignoredLabel : Int32($0) }
    #expect(batch.labels == expected)
    #expect(batch.targetCount == windows.scoredTokenCount && windows.scoredTokenCount == windows.count * 15)
  }

  @Test func batchesJoinAndAreFilledUp() throws {
    let windows = try EvaluationWindows(try countingTokens(100), context: 16, rule: .everyToken)
    let whole = windows.batch(0..<7)
    #expect(windows.batch(0..<3).inputs + windows.batch(3..<7).inputs == whole.inputs)
    let filled = windows.batch(6..<7, sequences: 3)
    #expect(filled.sequences == 3 && filled.inputs.count == 48 && filled.labels.count == 48)
    #expect(filled.targetCount == windows.batch(6..<7).targetCount)
    #expect(filled.inputs.prefix(16) == whole.inputs.suffix(16))
  }

  @Test func documentsAreFilledUpToo() throws {
    let data = try TokenSequence([1, 9, 2], vocabularySize: 10, endOfText: 9)
    let batch = try EvaluationWindows(data, context: 4, rule: .everyToken).batch(0..<1, sequences: 2)
    #expect(batch.documents == [0, 0, 1, 1, 0, 0, 0, 0])
    #expect(batch.labels == [9, 2, -100, -100, -100, -100, -100, -100])
  }

  @Test func bytesAreThoseOfTheScoredTokens() throws {
    let tokenizer = ByteTokenizer(endOfText: .present)
    let corpus = try Corpus(text: "ab#cdefg#hi", name: "t", separator: "#")
    let tokens = try corpus.tokenized(with: tokenizer, endOfText: true)
    #expect(tokens.count == 12)
    let all = try EvaluationWindows(tokens, context: 5, rule: .everyToken)
    #expect(all.scoredByteCount(with: tokenizer) == 8)
    let complete = try EvaluationWindows(tokens, context: 4, rule: .completeWindows)
    let expected = complete.batch(0..<complete.count).labels.filter { $0 != -100 && $0 != 256 }.count
    #expect(complete.scoredByteCount(with: tokenizer) == expected)
  }

  @Test(arguments: [(1, EvaluationWindows.Rule.completeWindows), (0, .everyToken), (-3, .everyToken)])
  func windowsThatScoreNothingAreRefused(context: Int, rule: EvaluationWindows.Rule) throws {
    let data = try countingTokens(7)
    expectDataError(
      dataError { _ = try EvaluationWindows(data, context: context, rule: rule) }, mentions: "is \(context)")
  }

  @Test func tooLittleDataIsRefused() throws {
    for count in [0, 1] {
      let data = try countingTokens(count)
      expectDataError(
        dataError { _ = try EvaluationWindows(data, context: 4, rule: .everyToken) },
        mentions: "\(count) tokens")
    }
    let data = try countingTokens(7)
    expectDataError(
      dataError { _ = try EvaluationWindows(data, context: 8, rule: .completeWindows) },
      mentions: "at least 8")
  }

  @Test(
    .enabled(
      if: SharedData.exists("models/wiki-llama-6m/evaluation.json"),
      "the shared files are not beside the package"))
  func matchesTheReferenceEvaluation() throws {
    let folder = SharedData.path("models/wiki-llama-6m")
    let reference = try JSON.read(folder + "/evaluation.json")
    let name = try #require(reference["text"]?.stringValue)
    let context = try #require(reference["window"]?.integerValue)
    let tokenizer = try TokenizerFile.load(folder)
    let tokens = try Corpus(path: SharedData.path("data/" + name)).tokenized(with: tokenizer)
    #expect(tokens.count == reference["tokens"]?.integerValue)
    let windows = try EvaluationWindows(tokens, context: context, rule: .completeWindows)
    #expect(windows.scoredTokenCount == reference["scored_tokens"]?.integerValue)
    let all = try EvaluationWindows(tokens, context: context, rule: .everyToken)
    let size = try MappedFile(path: SharedData.path("data/" + name)).count
    #expect(all.scoredByteCount(with: tokenizer) == size - (tokenizer.bytes(of: tokens[0])?.count ?? 0))
  }
}
