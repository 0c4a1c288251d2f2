import ArgumentParser
import Configuration
import Engine
import Files
import Terminal

/// `nibble config`: configurations without a run.
struct ConfigVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Show, check, document and start configurations.",
    discussion: """
      EXAMPLES
        nibble config show preset=shakespeare steps=500
        nibble config new run.yaml preset=small data.path=book.txt
        nibble config check run.yaml
        nibble config schema
      """,
    subcommands: [ConfigShowVerb.self, ConfigNewVerb.self, ConfigCheckVerb.self, ConfigSchemaVerb.self])
}

/// `nibble config show`: every key with its value and where it comes from.
struct ConfigShowVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Every key, its value, and where the value comes from.")

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A configuration or a run folder, and key=value.") var arguments: [String] = []

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let given = try ConfigurationArguments(arguments)
    let resolved = try given.resolved()
    call.output.table(resolved.table)
    call.output.json(["schema": 1, "configuration": resolved.json])
    for warning in given.warnings(resolved) { call.output.warning(warning.report) }
    return .done
  }
}

/// `nibble config new`: a commented configuration to edit.
struct ConfigNewVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "new", abstract: "Write a configuration to edit; on standard output without a path.")

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "Where to write, and key=value (for example preset=small).") var arguments: [String] = []

  func run(_ call: Call) throws -> Terminal.ExitCode {
    var given = try ConfigurationArguments(arguments)
    let path = given.object
    given.object = nil
    let text = try given.resolved().yaml(derived: .commented)
    guard let path else {
      call.output.stream(text)
      call.output.json(["schema": 1, "yaml": .string(text)])
      return .done
    }
    guard path.hasSuffix(".yaml") || path.hasSuffix(".yml") else {
      throw UsageError("'\(path)' is no name for a configuration", hints: ["end it in .yaml: \(path).yaml"])
    }
    try AtomicFile.write(Array(text.utf8), to: path, overwrite: false)
    call.output.result("wrote \(path)")
    call.output.json(["schema": 1, "path": .string(path)])
    call.output.narrate("next: nibble train \(path)")
    return .done
  }
}

/// `nibble config check`: all problems of a configuration at once.
struct ConfigCheckVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check a configuration and list every problem.")

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "A configuration or a run folder, and key=value.") var arguments: [String] = []

  func run(_ call: Call) throws -> Terminal.ExitCode {
    let given = try ConfigurationArguments(arguments)
    let name = given.object ?? "the built-in configuration"
    do {
      let resolved = try given.resolved()
      for warning in given.warnings(resolved) { call.output.warning(warning.report) }
      call.output.result("\(name): no problems")
      call.output.json(["schema": 1, "valid": true, "problems": []])
      return .done
    } catch let error as ConfigurationError {
      call.output.json([
        "schema": 1, "valid": false, "problems": .array(error.reports.map { .string($0.message) }),
      ])
      throw error
    }
  }
}

/// `nibble config schema`: all keys.
struct ConfigSchemaVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "schema", abstract: "All keys with types, defaults and ranges; --json gives a JSON Schema.")

  @OptionGroup var globals: GlobalOptions
  @Flag(help: "As Markdown.") var markdown = false
  @Argument(help: "One key to explain, or nothing for all.") var key: String?

  func run(_ call: Call) throws -> Terminal.ExitCode {
    if let key {
      guard let found = ConfigurationSchema.key(named: key) else {
        throw UsageError(
          "unknown key '\(key)'",
          hints: nameHints(for: key, in: ConfigurationSchema.keys.map(\.name), noun: "keys")
            + ["all keys: nibble config schema"])
      }
      call.output.result(ConfigurationSchema.explanation(of: found))
      call.output.json([
        "schema": 1, "key": .string(found.name), "summary": .string(found.summary),
        "default": .string(found.documentedDefault), "unit": .string(found.unit),
      ])
      return .done
    }
    if markdown {
      call.output.stream(ConfigurationSchema.markdown)
    } else {
      call.output.table(ConfigurationSchema.documentationTable)
    }
    call.output.json(ConfigurationSchema.jsonSchema)
    return .done
  }
}

/// `[OBJECT] key=value ...`, as several verbs take it.
struct ConfigurationArguments {
  /// What is not an assignment; at most one.
  var object: String?
  var assignments: [Assignment] = []

  init(_ arguments: [String]) throws {
    for argument in arguments {
      if let assignment = Assignment(argument: argument) {
        assignments.append(assignment)
      } else if let first = object {
        throw UsageError(
          "two objects: '\(first)' and '\(argument)'",
          hints: [
            "settings are written key=value, for example steps=200; nibble config schema lists the keys"
          ])
      } else {
        object = argument
      }
    }
  }

  /// Values without effect; the file of a run has every key, so only those given here count.
  func warnings(_ resolved: ResolvedConfiguration) -> [ConfigurationProblem] {
    let isRun = object.map { Folder.isFolder($0) } ?? false
    return resolved.warnings.filter { problem in
      guard isRun, case .file? = problem.origin else { return true }
      return false
    }
  }

  /// The configuration of a file or a run folder with the assignments on top.
  func resolved() throws -> ResolvedConfiguration {
    try ResolvedConfiguration(
      ConfigurationSources(
        file: object.map { Folder.isFolder($0) ? $0 + "/config.yaml" : $0 },
        environment: processEnvironment(),
        assignments: assignments))
  }
}
