extension ConfigurationSchema {
  static let modelKeys = [
    ConfigurationKey("model.architecture", \.model.architecture, "Family of the network."),
    ConfigurationKey(
      "model.dimension", \.model.dimension, range: .within(1, 1_048_576), "Width of the residual stream."),
    ConfigurationKey("model.layers", \.model.layers, range: .within(1, 10_000), "Number of blocks."),
    ConfigurationKey("model.heads", \.model.heads, range: .within(1, 65_536), "Query heads per block."),
    ConfigurationKey(
      "model.kv_heads", \.model.kvHeads, range: .within(1, 65_536), derived: "heads",
      "Key and value heads per block; fewer than heads is grouped-query attention."),
    ConfigurationKey(
      "model.head_dimension", \.model.headDimension, range: .within(1, 65_536), derived: "dimension / heads",
      "Width of a head."),
    ConfigurationKey(
      "model.hidden", \.model.hidden, range: .within(1, 8_388_608),
      derived: "8/3 x dimension rounded up to 16 (llama, qwen3), 4 x dimension (gpt2)", "Width of the MLP."),
    ConfigurationKey(
      "model.vocabulary", \.model.vocabulary, unit: "tokens", range: .within(0, 16_777_216),
      "Rows of the embedding, 0 for the tokenizer's size."),
    ConfigurationKey(
      "model.context", \.model.context, unit: "tokens", range: .within(1, 16_777_216),
      "Length of a training sequence."),
    ConfigurationKey("model.tied", \.model.tied, "Whether the embedding is also the output projection."),
    ConfigurationKey(
      "model.rope_theta", \.model.ropeTheta, range: .above(1, upTo: 1e12),
      "Base of the rotary frequencies (llama, qwen3)."),
    ConfigurationKey(
      "model.rotary", \.model.rotary,
      "Whether queries and keys are rotated by their positions (llama); without, attention knows only the order's mask."
    ),
    ConfigurationKey(
      "model.norm_epsilon", \.model.normEpsilon, range: .above(0, upTo: 1),
      "Added to the mean square (or variance) in norms."),
    ConfigurationKey(
      "model.attention_bias", \.model.attentionBias, derived: "true for gpt2, else false",
      "Whether attention projections have biases."),
    ConfigurationKey(
      "model.mlp_bias", \.model.mlpBias, derived: "true for gpt2, else false",
      "Whether MLP projections have biases."),
    ConfigurationKey(
      "model.window", \.model.window, unit: "tokens", range: .within(0, 16_777_216),
      "How far attention looks back, 0 for the whole context."),
    ConfigurationKey(
      "model.initial_deviation", \.model.initialDeviation, range: .above(0, upTo: 100),
      "Standard deviation of the initial weights."),
    ConfigurationKey(
      "model.embedding_deviation", \.model.embeddingDeviation, range: .above(0, upTo: 100),
      derived: "model.initial_deviation", "That of the initial embeddings (llama, qwen3)."),
  ]
}
