import CRecipes

/// The recipes of low-precision training that are shipped inside the program: `recipes/*.yaml`.
public enum Recipes {
  private static let texts: [(name: String, yaml: String)] = (0..<nibble_recipe_count()).compactMap { index in
    guard let name = nibble_recipe_name(index), let text = nibble_recipe_text(index) else { return nil }
    let bytes = UnsafeRawBufferPointer(start: text, count: nibble_recipe_length(index))
    return (String(cString: name), String(decoding: bytes, as: UTF8.self))
  }

  /// Their names, more bits first.
  public static let names = texts.map(\.name)

  /// The YAML of a shipped recipe, nil if there is none of that name.
  public static func yaml(named name: String) -> String? { texts.first { $0.name == name }?.yaml }
}
