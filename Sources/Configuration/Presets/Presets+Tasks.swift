/// Generated tasks with one answer, which tell kinds of mixers apart.
extension Presets {
  static let mqar = """
    # Multi-query associative recall: 8 pairs in 64 tokens, accuracy on 128 held-out sequences, about a minute.
    # The setting is the same for every mixer.kind.
    steps: 1500
    model:
      architecture: llama
      dimension: 64
      layers: 2
      heads: 2
      hidden: 128
      vocabulary: 512
      context: 64
      tied: false
      # The convolutions tell what stood one position before.
      rotary: false
      # One over the root of three times the width.
      initial_deviation: 0.07
      embedding_deviation: 0.02
    mixer:
      kind: softmax
      output_gate: false
      gate: sigmoid
      gate_bias: 4
    data:
      task: mqar
    task:
      pairs: 8
      held_out: 128
    batch:
      tokens: 2048
      micro: 32
    optimizer:
      learning_rate: 3e-3
      beta2: 0.999
    schedule:
      kind: cosine
      warmup: 100
      minimum: 0
    evaluation:
      every: 250
    checkpoint:
      every: 0
    log:
      every: 50
    """
}
