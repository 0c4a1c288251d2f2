import ArgumentParser
import Terminal

/// `nibble completions SHELL`: the script that a shell loads.
struct CompletionsVerb: Verb {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "A completion script for bash, zsh or fish.",
    discussion: """
      EXAMPLES
        nibble completions bash > ~/.local/share/bash-completion/completions/nibble
        nibble completions zsh > ~/.zfunc/_nibble
        nibble completions fish > ~/.config/fish/completions/nibble.fish
      """)

  @OptionGroup var globals: GlobalOptions
  @Argument(help: "bash, zsh or fish.") var shell: String

  func run(_ call: Call) throws -> Terminal.ExitCode {
    guard let kind = CompletionShell(rawValue: shell) else {
      let names = CompletionShell.allCases.map(\.rawValue)
      throw UsageError("unknown shell '\(shell)'", hints: nameHints(for: shell, in: names, noun: "shells"))
    }
    let script = Nibble.completionScript(for: kind)
    call.output.result(script)
    call.output.json(["schema": 1, "shell": .string(kind.rawValue), "script": .string(script)])
    return .done
  }
}
