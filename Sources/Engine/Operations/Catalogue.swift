/// All operations, for the generic test, `nibble verify` and the plan.
///
/// Adding an operation adds one line.
public enum OperationCatalogue {
  public static let all: [any Operation.Type] = [
    Pointwise.self,
    SumRows.self,
    RepeatRow.self,
    SumOfSquares.self,
    SplitColumns.self,
    JoinColumns.self,
    CopyRows.self,
    MatMul.self,
    Attention.self,
    AttentionGradient.self,
    RMSNorm.self,
    RMSNormGradient.self,
    LayerNorm.self,
    LayerNormGradient.self,
    RoPE.self,
    CausalConvolution.self,
    CausalConvolutionGradient.self,
    L2Normalization.self,
    L2NormalizationGradient.self,
    GatedRMSNorm.self,
    GatedRMSNormGradient.self,
    Softmax.self,
    SoftmaxGradient.self,
    HedgehogFeatures.self,
    HedgehogFeaturesGradient.self,
    SwapAxes.self,
    Embedding.self,
    EmbeddingGradient.self,
    CrossEntropy.self,
    CrossEntropyGradient.self,
    LinearCrossEntropy.self,
    LinearCrossEntropyWithGradient.self,
  ]
}
