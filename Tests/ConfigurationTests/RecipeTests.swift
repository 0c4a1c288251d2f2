import Configuration
import NumberFormats
import Terminal
import Testing

@Suite struct RecipeTests {
  @Test(arguments: Recipes.names)
  func everyRecipeRoundsAProductAndSaysWhatItIsFor(name: String) throws {
    let resolved = try resolve("", ["precision.recipe=\(name)", "model.layers=4"])
    let precision = resolved.values.precision
    #expect(try !precision.formats().isFull || precision.activations == .bf16)
    #expect(Recipes.yaml(named: name)?.hasPrefix("# ") == true)
  }

  @Test func whatARunSetsItselfIsStrongerThanItsRecipe() throws {
    let yaml = """
      preset: tiny
      precision:
        recipe: mxfp4
        fprop_weight: mxfp8_e4m3
      """
    let resolved = try resolve(yaml, ["precision.fprop_input=none"])
    let precision = resolved.values.precision
    #expect(precision.recipe == "mxfp4")
    #expect(precision.fpropWeight == "mxfp8_e4m3" && precision.fpropInput == "none")
    #expect(precision.wgradInput.hasPrefix("fp4_e2m1"))
    #expect(resolved.origin(of: "precision.wgrad_input").description.contains("recipes/mxfp4"))
    // A stronger layer's recipe replaces a weaker one's.
    let other = try resolve(yaml, ["precision.recipe=fp8-block"]).values.precision
    #expect(other.wgradInput.hasPrefix("fp8_e4m3fn") && other.fpropWeight == "mxfp8_e4m3")
  }
}
