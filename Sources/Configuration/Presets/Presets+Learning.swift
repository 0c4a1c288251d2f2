extension Presets {
  /// About two minutes on two cores: 450 steps of 2048 tokens through 1.04 M parameters.
  static let firstRun = """
    # A one-million-parameter model on the text inside the program, about two minutes on two cores.
    steps: 450
    model:
      architecture: llama
      dimension: 128
      layers: 5
      heads: 4
      context: 128
      tied: true
    data:
      path: embedded
      tokenizer: bytes
    batch:
      tokens: 2048
      micro: 16
    optimizer:
      learning_rate: 3e-3
      beta2: 0.99
    evaluation:
      every: 90
      tokens: 16384
      sample_every: 150
      sample_tokens: 80
    checkpoint:
      every: 0
    log:
      every: 10

    """

  /// Sizes of the CPU recipe of nanoGPT's README (4 layers, 4 heads, width 128, context 64, 12 sequences, 2000
  /// steps), with the rotary, gated network of today.
  static let shakespeare = """
    # Shakespeare on a processor in minutes: 4 layers, width 128, one token a byte. Needs data.path.
    steps: 2000
    model:
      architecture: llama
      dimension: 128
      layers: 4
      heads: 4
      context: 64
      tied: true
    data:
      tokenizer: bytes
    batch:
      tokens: 768
      micro: 12
    optimizer:
      learning_rate: 2e-3
      beta2: 0.99
    schedule:
      kind: cosine
    evaluation:
      every: 250
      tokens: 20480
    log:
      every: 10

    """
}
