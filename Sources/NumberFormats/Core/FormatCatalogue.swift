/// Every format by name; a new one is one file and one line here.
public enum FormatCatalogue {
  public static let floats: [FloatFormat] = [
    .fp16, .bf16, .fp8E4M3, .fp8E5M2, .fp6E2M3, .fp6E3M2, .fp4E2M1, .ue4M3, .ue5M3,
  ]

  public static let integers: [IntegerFormat] = [
    .int8, .int6, .int4, .int3, .int2, .int8Restricted, .int6Restricted, .int4Restricted, .int3Restricted,
    .int2Restricted, .int8Fraction6,
  ]

  public static let blocks: [BlockFormat] = [
    .mxfp8E4M3, .mxfp8E5M2, .mxfp6E2M3, .mxfp6E3M2, .mxfp4, .mxint8, .nvfp4, .nvfp4SingleLevel, .fp4UE5M3,
    .fp8Tensor, .fp8E5M2Tensor, .fp8Row, .fp8Tile, .fp8Block, .int8Row, .int8Group, .int6Group, .int4Group,
    .int3Group, .int2Group, .bf16Values, .fp16Values,
  ]

  public static let codebooks: [Codebook] = [.nf4, .fp4BitsAndBytes]

  public static func float(_ name: String) -> FloatFormat? { floats.first { $0.name == name } }
  public static func integer(_ name: String) -> IntegerFormat? { integers.first { $0.name == name } }
  public static func block(_ name: String) -> BlockFormat? { blocks.first { $0.name == name } }
  public static func codebook(_ name: String) -> Codebook? { codebooks.first { $0.name == name } }

  /// Signed floats and integers.
  public static func element(_ name: String) -> ElementFormat? {
    if let format = float(name) { return format.isSigned ? .float(format) : nil }
    return integer(name).map { .integer($0) }
  }
}
