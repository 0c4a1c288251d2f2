import Configuration
import Engine
import Files
import Terminal
import Tokenizers

/// `init=MODEL`: the checkpoint decides the model's keys; what a person set otherwise is an error.
struct StartingCheckpoint {
  private let sources: ConfigurationSources
  private let model: ModelFolder
  private let path: String
  /// What the file, if there is one, and the environment say by themselves.
  private let file: ResolvedConfiguration

  /// Nil when the run starts from nothing.
  init?(_ sources: ConfigurationSources) throws {
    self.sources = sources
    file = try ResolvedConfiguration(
      ConfigurationSources(
        file: sources.file, environment: sources.environment, allowsSweep: sources.allowsSweep))
    let variable = ConfigurationSchema.key(named: "init")?.environmentVariable
    let written =
      sources.assignments.last { $0.key == "init" }?.value ?? variable.flatMap { sources.environment[$0] }
    guard let path = written ?? file.values.initialCheckpoint, path != "null", !path.isEmpty else {
      return nil
    }
    self.path = path
    model = try ModelFolder(path)
    if model.adapter != nil { throw AdapterError.baseIsAdapter(path: path) }
  }

  /// The configuration with the checkpoint's values.
  func resolved() throws -> ResolvedConfiguration {
    let pairs = try pairs()
    let fixed = pairs.map { Assignment(key: $0.key, value: $0.value, flag: "init=\(path)") }
    var sources = sources
    // First with the person's settings on top, to find those that differ, then the other way round.
    sources.assignments = fixed + self.sources.assignments
    let wanted = try ResolvedConfiguration(sources)
    sources.assignments = self.sources.assignments + fixed
    let result = try ResolvedConfiguration(sources)
    let keys = Set(pairs.map(\.key))
    let fromLine = wanted.values.changes(to: result.values).filter { keys.contains($0.key.name) }
    let fromFile = file.values.changes(to: result.values)
    let contradictions = fromLine + fromFile.filter { keys.contains($0.key.name) && isInFile($0.key.name) }
    guard contradictions.isEmpty else {
      throw Failure(
        "the checkpoint '\(path)' is another model than the keys describe",
        details: contradictions.map {
          "\($0.key.name): \($0.before.display) here, \($0.after.display) there"
        },
        hints: ["leave these keys out, or train from the beginning without init"])
    }
    return result
  }

  private func pairs() throws -> [(key: String, value: String)] {
    var pairs = try ModelShape.assignments(from: model)
    let limit = model.configuration.contextLength
    let written = (try? ResolvedConfiguration(sources))?.values ?? RunConfiguration()
    if !isPersonal("model.context") {
      pairs.append((key: "model.context", value: "\(min(written.model.context, limit))"))
    }
    if written.data.task == .text, !isPersonal("data.tokenizer") {
      // A bare name would not be taken for a path.
      let path = model.path.contains("/") ? model.path : "./" + model.path
      let isBytes = try ModelTokenizer.of(model) is ByteTokenizer
      pairs.append((key: "data.tokenizer", value: isBytes ? "bytes" : path))
    }
    return pairs
  }

  /// Whether a person set the key: on the line, in the environment or in the file.
  private func isPersonal(_ name: String) -> Bool {
    let variable = ConfigurationSchema.key(named: name)?.environmentVariable
    return sources.assignments.contains { $0.key == name }
      || variable.map { sources.environment[$0] != nil } ?? false
      || isInFile(name)
  }

  private func isInFile(_ name: String) -> Bool {
    switch file.origin(of: name) {
    case .file, .environment: true
    case .builtIn, .derived, .preset, .commandLine, .flag: false
    }
  }
}
