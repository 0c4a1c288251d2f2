import ArgumentParser
import Glibc
import Kernels
import Terminal

/// From arguments to an exit code.
enum Program {
  static let version = "0.1.0"

  /// How this program was compiled.
  static var build: String {
    #if DEBUG
      "debug"
    #else
      "release"
    #endif
  }

  /// Runs the verb that the arguments name and leaves with the code it asks for.
  static func run(_ arguments: [String]) -> Never {
    ignoreBrokenPipeSignal()
    let code = code(for: arguments)
    exit(code.rawValue)
  }

  /// Devices live inside the verb's call, so they are released before the process leaves.
  private static func code(for arguments: [String]) -> Terminal.ExitCode {
    guard !arguments.isEmpty else { return succeed(with: Nibble.overview) }
    if let mistake = UnknownVerb(arguments) { return fail(mistake, arguments) }
    do {
      var command = try Nibble.parseAsRoot(arguments)
      guard let verb = command as? any Verb else {
        try command.run()
        return .done
      }
      return try perform(verb, arguments)
    } catch {
      return ended(by: error, arguments)
    }
  }

  private static func perform(_ verb: any Verb, _ arguments: [String]) throws -> Terminal.ExitCode {
    let call = try Call(verb.globals, arguments: arguments)
    var code: Terminal.ExitCode
    do {
      code = try verb.run(call)
    } catch {
      code = call.output.error(Failure.readable(error))
    }
    do {
      try call.output.finish()
    } catch {
      code = call.output.error(error)
    }
    return code
  }

  /// The argument parser's own ends: help and version are results, everything else is the caller's mistake.
  private static func ended(by error: any Error, _ arguments: [String]) -> Terminal.ExitCode {
    if let known = error as? any UserError { return fail(known, arguments) }
    if Nibble.exitCode(for: error) == ArgumentParser.ExitCode.success {
      return succeed(with: Nibble.fullMessage(for: error))
    }
    return fail(UsageError(Nibble.message(for: error), full: Nibble.fullMessage(for: error)), arguments)
  }

  private static func succeed(with text: String) -> Terminal.ExitCode {
    let output = Output()
    output.result(text)
    do {
      try output.finish()
      return .done
    } catch {
      return output.error(error)
    }
  }

  private static func fail(_ error: any UserError, _ arguments: [String]) -> Terminal.ExitCode {
    var options = Output.Options()
    options.json = arguments.contains("--json")
    return Output(options: options).error(error)
  }
}

/// A call that the argument parser refuses.
struct UsageError: UserError {
  let message: String
  let details: [String]
  let hints: [String]

  init(_ message: String, details: [String] = [], hints: [String] = []) {
    self.message = message
    self.details = details
    self.hints = hints
  }

  /// - Parameters:
  ///   - message: The parser's sentence.
  ///   - full: The same with the line of usage.
  init(_ message: String, full: String) {
    let usage = full.split(separator: "\n").first { $0.hasPrefix("Usage: ") }
    let verb = usage?.split(separator: " ").dropFirst(2).first { !$0.hasPrefix("<") && !$0.hasPrefix("[") }
    let lines = message.split(separator: "\n").map(String.init)
    let sentence = lines.first ?? "the arguments are not understood"
    self.init(
      sentence.prefix(1).lowercased() + sentence.dropFirst(),
      details: lines.dropFirst() + (usage.map { ["usage: " + $0.dropFirst("Usage: ".count)] } ?? []),
      hints: [verb.map { "nibble help \($0)" } ?? "nibble help"])
  }
}

/// The first argument is no verb: the parser would only call it unexpected.
struct UnknownVerb: UserError {
  let message: String
  let hints: [String]

  /// Nil when the first argument is a verb or a flag.
  init?(_ arguments: [String]) {
    guard let first = arguments.first, !first.hasPrefix("-") else { return nil }
    let all = Nibble.configuration.subcommands.map { $0.configuration }
    if first == "help" || all.contains(where: { $0.commandName == first }) { return nil }
    // What another verb starts by itself is not worth a suggestion.
    let verbs = all.filter { $0.shouldDisplay }.compactMap { $0.commandName } + ["help"]
    message = "unknown verb '\(first)'"
    hints = nameHints(for: first, in: verbs, noun: "verbs", limit: 20)
  }
}
