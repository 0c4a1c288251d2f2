import Files
import Testing

/// Bad input ends with a sentence, a way out and the right code, never with a trap.
@Suite struct BadCallTests {
  /// A call, its exit code, and what its message must say.
  struct Case: Sendable, CustomTestStringConvertible {
    let line: String
    let code: Int32
    let parts: [String]

    init(_ line: String, _ code: Int32, _ parts: String...) {
      self.line = line
      self.code = code
      self.parts = parts
    }

    var testDescription: String { line }
  }

  static let cases = [
    Case("trian", 2, "unknown verb 'trian'", "did you mean 'train'?"),
    Case("frobnicate", 2, "unknown verb 'frobnicate'", "verbs: train"),
    Case("devices --devce cpu", 2, "--devce", "--device"),
    Case("devices --device gpu1", 4, "no device named 'gpu1'", "available:", "cpu"),
    Case("devices --threads 0", 2, "--threads is 0"),
    Case("devices --color blue", 2, "blue", "always"),
    Case("train", 2, "no text to train on", "--data FILE"),
    Case("train nothing.yaml", 2, "nothing.yaml", "there is no such file"),
    Case("train nothing.txt", 2, "nothing.txt", "there is no such file", "note.txt"),
    Case("train shakespeare", 2, "nibble train preset=shakespeare"),
    Case("train note.md", 2, "neither a configuration"),
    Case("train note.txt other.txt", 2, "two objects"),
    Case("train note.txt --data note.txt", 2, "two texts"),
    Case("train preset=tiny", 2, "no text to train on"),
    Case("train preset=tyny data.path=note.txt", 2, "did you mean 'tiny'?"),
    Case("train data.path=note.txt stesp=3", 2, "did you mean 'steps=3'?"),
    Case("train data.path=note.txt steps=many", 2, "steps", "many"),
    Case("train data.path=note.txt optimiser.kind=adamw", 2, "optimizer.kind=adamw"),
    Case("train data.path=note.txt model.heads=3 model.dimension=32", 2, "not a multiple"),
    Case("train data.path=note.txt device=tpu:9", 4, "no device named 'tpu:9'"),
    Case("train data.path=embedded --allow stpes", 2, "--allow stpes", "'steps'"),
    Case("train data.path=embedded init=nowhere", 2, "nowhere"),
    Case("train data.path=embedded init=mamba", 2, "a mamba2 checkpoint cannot be trained further", "hint:"),
    Case("train data.path=embedded init=olmo", 2, "an olmo_hybrid checkpoint cannot be", "hint:"),
    Case("train data.path=empty.txt --device cpu", 2, "empty.txt", "nothing in it"),
    Case("train data.path=note.txt model.context=4096 --device cpu", 2, "too little data"),
    Case("train data.path=bad.jsonl --device cpu", 2, "line 2"),
    Case("train data.path=odd.bin --device cpu", 2, "odd number"),
    Case("train data.path=large.bin --device cpu", 2, "vocabulary", "data.tokenizer"),
    Case("train broken.yaml", 2, "broken.yaml"),
    Case("train unknown.yaml", 2, "did you mean 'optimizer'?"),
    Case(
      "train data.path=embedded --plan --device cpu model.dimension=1000000 model.heads=1000 model.layers=10000",
      4,
      "does not fit"),
    Case("eval nowhere --data note.txt", 2, "nowhere"),
    Case("eval . --data note.txt", 2, "config.json"),
    Case("generate nowhere hello", 2, "nowhere"),
    Case("generate nowhere hello --tokens 0", 2, "--tokens is 0"),
    Case("generate nowhere hello --tokens 9223372036854775807", 2, "--tokens is 9223372036854775807"),
    Case("train data.path=embedded model.architecture=gpt2 model.window=32", 2, "gpt2 has no windows"),
    Case("verify --quick --fixtures nowhere", 2, "--quick chooses among samples"),
    Case("generate nowhere hello --temperature -1", 2, "--temperature"),
    Case("generate nowhere hello --top-p 2", 2, "--top-p is 2"),
    Case("inspect nowhere", 2, "there is no such file"),
    Case("inspect note.txt", 2, "neither a model"),
    Case("inspect cut.safetensors", 2, "cut.safetensors", "damaged"),
    Case("inspect liar.safetensors", 2, "liar.safetensors"),
    Case("verify --only matmull", 2, "did you mean 'matmul'?"),
    Case("verify --fixtures nowhere", 2, "nowhere"),
    Case("config show nothing.yaml", 2, "nothing.yaml"),
    Case("config schema stesp", 2, "unknown key 'stesp'", "steps"),
    Case("config new notes.txt", 2, ".yaml"),
    Case("tokenizer encode bytes", 2, "no text to encode"),
    Case("tokenizer decode bytes 256", 2, "0 to 255"),
    Case("tokenizer encode nowhere hello", 2, "nowhere"),
    Case("tokenizer train --data note.txt --vocabulary 10 --output t", 2, "a vocabulary of 10"),
    Case("tokenizer train --data note.txt --pattern gpt9 --output t", 2, "gpt2"),
    Case("completions tcsh", 2, "bash"),
    Case("bench train --config tinny", 2, "did you mean 'tiny'?"),
    Case("bench train layer=3", 2, "did you mean 'layers'?"),
    Case("bench train foo", 2, "no key=value"),
    Case("bench train heads=3", 2, "not a multiple of model.heads 3"),
    Case("bench train kv_heads=3", 2, "not a multiple of model.kv_heads 3"),
    Case("bench train dim=many", 2, "model.dimension", "many"),
    Case("bench train vocab=0", 2, "vocab is '0'"),
    Case("bench train time=9 batch.tokens=90", 2, "say the same twice"),
    Case("bench train model.layer=2", 2, "did you mean 'model.layers=2'?"),
    Case("bench train log.every=3", 2, "changes nothing about a step"),
    Case("bench train --steps 0", 2, "--steps is 0"),
    Case("bench train --budget 0", 2, "--budget is 0"),
    Case("bench train --overwrite", 2, "--overwrite has no effect without a file"),
    Case("bench train --timeline note.txt", 2, "note.txt exists already", "--overwrite"),
    Case("bench train --timeline nowhere/step.json", 2, "no folder"),
  ]

  @Test(arguments: cases) func saysWhatIsWrongAndHowToGoOn(_ call: Case) throws {
    let program = try Program()
    try fill(program.workplace)
    let ending = try program.run(call.line)
    #expect(ending.code == call.code, "\(call.line): \(ending.narration)")
    #expect(ending.narration.hasPrefix("error: "), "\(call.line): \(ending.narration)")
    for part in call.parts { #expect(ending.narration.contains(part), "\(call.line): \(ending.narration)") }
    #expect(ending.output.isEmpty, "\(call.line): \(ending.output)")
  }

  /// Models of others, as far as their keys go: nobody reads weights before a run is planned.
  private static let models: [(name: String, configuration: JSON)] = [
    (
      "mamba",
      [
        "model_type": "mamba2", "num_hidden_layers": 1, "hidden_size": 8, "num_heads": 4, "head_dim": 4,
        "vocab_size": 256, "state_size": 4, "n_groups": 2,
      ]
    ),
    (
      "olmo",
      [
        "model_type": "olmo_hybrid", "num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 2,
        "intermediate_size": 16, "vocab_size": 256, "layer_types": ["linear_attention"],
        "linear_num_value_heads": 2, "linear_key_head_dim": 4, "linear_value_head_dim": 4,
      ]
    ),
  ]

  private func fill(_ place: Program.Workplace) throws {
    for model in Self.models {
      try Folder.create(place.path + "/" + model.name)
      try model.configuration.write(to: "\(place.path)/\(model.name)/config.json")
    }
    try place.write("A short text that nobody can learn much from.\n", to: "note.txt")
    try place.write("# A note\n", to: "note.md")
    try place.write("Another.\n", to: "other.txt")
    try place.write("", to: "empty.txt")
    try place.write("{\"text\": \"good\"}\n{\"txt\": \"bad\"}\n", to: "bad.jsonl")
    try place.write("steps: [1, 2\n", to: "broken.yaml")
    try place.write("optimiser: {kind: adamw}\n", to: "unknown.yaml")
    try AtomicFile.write([1, 2, 3], to: place.path + "/odd.bin")
    try AtomicFile.write([UInt8](repeating: 200, count: 4000), to: place.path + "/large.bin")
    try AtomicFile.write([9, 0, 0, 0, 0, 0, 0, 0, 0x7B], to: place.path + "/cut.safetensors")
    // A header that claims a terabyte.
    let header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[250000000000],\"data_offsets\":[0,1000000000000]}}"
    try AtomicFile.write(
      [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8),
      to: place.path + "/liar.safetensors")
  }

  @Test func reportsEveryProblemOfAConfiguration() throws {
    let program = try Program()
    try program.workplace.write("steps: many\nmodel: {layer: 3}\n", to: "bad.yaml")
    let ending = try program.run("config check bad.yaml")
    #expect(ending.code == 2)
    #expect(ending.narration.contains("bad.yaml:1"))
    #expect(ending.narration.contains("did you mean 'layers'?"))
  }

  @Test func neverOverwritesAFolder() throws {
    let program = try Program()
    try Folder.create(program.workplace.path + "/mine")
    try program.workplace.write("precious", to: "mine/letter.txt")
    let ending = try program.run(SmallRun.arguments("mine"))
    #expect(ending.code == 2)
    #expect(ending.narration.contains("not empty"))
    #expect(try Folder.names(in: program.workplace.path + "/mine") == ["letter.txt"])
  }
}
