/// The shapes of the benchmark's training steps, the same as those of the PyTorch peer.
extension Presets {
  static let tiny = """
    # Byte tokens, 4 layers, width 256, context 256: 3.2 M parameters.
    model:
      architecture: llama
      dimension: 256
      layers: 4
      heads: 4
      kv_heads: 4
      hidden: 688
      vocabulary: 256
      context: 256
      tied: true
    data:
      tokenizer: bytes
    batch:
      tokens: 2048
      micro: 8
    optimizer:
      learning_rate: 1e-3

    """

  static let small = """
    # 4096 tokens, 6 layers, width 384, context 512: 12 M parameters.
    model:
      architecture: llama
      dimension: 384
      layers: 6
      heads: 6
      kv_heads: 6
      hidden: 1024
      vocabulary: 4096
      context: 512
      tied: true
    data:
      tokenizer: bpe:4096
    batch:
      tokens: 2048
      micro: 4
    optimizer:
      learning_rate: 6e-4

    """

  static let base = """
    # 8192 tokens, 8 layers, width 512, 4 key heads for 8, context 512: 27 M parameters.
    model:
      architecture: llama
      dimension: 512
      layers: 8
      heads: 8
      kv_heads: 4
      hidden: 1376
      vocabulary: 8192
      context: 512
      tied: true
    data:
      tokenizer: bpe:8192
    batch:
      tokens: 2048
      micro: 4
    optimizer:
      learning_rate: 6e-4

    """

  static let gpt2 = """
    # GPT-2's width, depth and vocabulary in a llama block, context 512: 124 M parameters.
    model:
      architecture: llama
      dimension: 768
      layers: 12
      heads: 12
      kv_heads: 12
      hidden: 2048
      vocabulary: 50257
      context: 512
      tied: true
    data:
      tokenizer: bpe:50257
    batch:
      tokens: 512
      micro: 1
    optimizer:
      learning_rate: 3e-4

    """

  static let long = """
    # The network of tiny with a context of 8192 tokens.
    model:
      architecture: llama
      dimension: 256
      layers: 4
      heads: 4
      kv_heads: 4
      hidden: 688
      vocabulary: 256
      context: 8192
      tied: true
    data:
      tokenizer: bytes
    batch:
      tokens: 8192
      micro: 1
    optimizer:
      learning_rate: 1e-3

    """
}
