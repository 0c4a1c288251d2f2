import Terminal

/// Gathers the layers of a configuration, weakest first.
struct LayerStack {
  /// How many configurations may stand on each other.
  static let maximumDepth = 16

  private(set) var layers: [Layer] = []
  /// The names of the bases, for messages about circles.
  private var path: [String] = []

  /// The layers of all sources.
  static func gathered(from sources: ConfigurationSources) -> [Layer] {
    var stack = LayerStack()
    let line = ArgumentReader.read(sources.assignments)
    let environment = ArgumentReader.read(environment: sources.environment)
    let (file, name) = stack.rootFile(of: sources)
    // A stronger layer's choice of base replaces a weaker one's, as for every other key.
    let outside = [line, environment]
    let preset = outside.lazy.compactMap { $0.texts(of: "preset") }.first ?? file?.texts(of: "preset") ?? []
    if let name { stack.path.append(name) }
    for base in preset { stack.addPreset(base, from: stack.origin(of: "preset", in: outside, file)) }
    if let extends = outside.lazy.compactMap({ $0.texts(of: "extends") }).first {
      for base in extends {
        stack.addBase(base, folder: "", from: stack.origin(of: "extends", in: outside, nil))
      }
    } else if let extends = file?.texts(of: "extends") {
      let folder = name.map(Paths.folder) ?? ""
      for base in extends { stack.addBase(base, folder: folder, from: file?.setting(of: "extends")?.origin) }
    }
    stack.addRecipe(
      stronger: outside + [file].compactMap(\.self),
      from: stack.origin(of: "precision.recipe", in: outside, file))
    if let file { stack.layers.append(file) }
    stack.layers.append(environment)
    stack.layers.append(line)
    return stack.layers
  }

  private mutating func rootFile(of sources: ConfigurationSources) -> (Layer?, String?) {
    if let text = sources.text {
      let name = text.name
      let layer = YAMLReader.read(text.yaml, name: name, allowsSweep: sources.allowsSweep) {
        .file(path: name, line: $0)
      }
      return (layer, name)
    }
    guard let file = sources.file else { return (nil, nil) }
    let layer = readFile(file, purpose: "configuration", from: nil, allowsSweep: sources.allowsSweep)
    return (layer, file)
  }

  private func origin(of key: String, in layers: [Layer], _ file: Layer?) -> Origin? {
    (layers + [file].compactMap(\.self)).lazy.compactMap { $0.setting(of: key)?.origin }.first
  }

  private func readFile(
    _ path: String, purpose: String, from origin: Origin?, allowsSweep: Bool = false
  ) -> Layer {
    do throws(TextFile.Failure) {
      let text = try TextFile.read(path, limit: YAMLReader.maximumBytes)
      return YAMLReader.read(text, name: path, allowsSweep: allowsSweep) { .file(path: path, line: $0) }
    } catch {
      var layer = Layer()
      var report = TextFile.report(error, path: path, purpose: purpose)
      if let origin { report.details.append("named \(origin.place)") }
      layer.refuse(report, origin: origin, position: Position(line: 0))
      return layer
    }
  }

  /// Adds a base given by shipped name or path.
  ///
  /// A name without slash and ending is a shipped one; a path that does not exist but reads `presets/NAME` or
  /// `presets/NAME.yaml` is one, too.
  private mutating func addBase(_ written: String, folder: String, from origin: Origin?) {
    let file = Paths.joined(folder, written)
    let looksLikePath = written.contains("/") || written.hasSuffix(".yaml") || written.hasSuffix(".yml")
    if !looksLikePath || !TextFile.exists(file), let name = Presets.name(from: written) {
      return addPreset(name, from: origin)
    }
    guard looksLikePath else { return addPreset(written, from: origin) }
    guard enter(file, from: origin) else { return }
    let layer = readFile(file, purpose: "base configuration", from: origin)
    for preset in layer.texts(of: "preset") ?? [] {
      addPreset(preset, from: layer.setting(of: "preset")?.origin)
    }
    for base in layer.texts(of: "extends") ?? [] {
      addBase(base, folder: Paths.folder(of: file), from: layer.setting(of: "extends")?.origin)
    }
    layers.append(layer)
    path.removeLast()
  }

  /// Adds the recipe that the strongest layer names, above all bases and below what the run sets itself.
  private mutating func addRecipe(stronger: [Layer], from origin: Origin?) {
    let named = (stronger + layers.reversed()).lazy.compactMap { $0.texts(of: "precision.recipe")?.first }
      .first
    guard let written = named else { return }
    if let yaml = Recipes.yaml(named: written) {
      layers.append(
        YAMLReader.read(yaml, name: "recipes/\(written)") { .preset(name: "recipes/\(written)", line: $0) })
    } else if written.contains("/") || written.hasSuffix(".yaml") || written.hasSuffix(".yml") {
      layers.append(readFile(written, purpose: "recipe", from: origin))
    } else {
      var layer = Layer()
      layer.refuse(
        ErrorReport(
          "no shipped recipe named '\(written)'\(origin.map { " " + $0.place } ?? "")",
          hints: nameHints(for: written, in: Recipes.names, noun: "shipped")),
        origin: origin, position: Position(line: 0))
      layers.append(layer)
    }
  }

  private mutating func addPreset(_ name: String, from origin: Origin?) {
    guard let yaml = Presets.yaml(named: name) else {
      var layer = Layer()
      let place = origin.map { " " + $0.place } ?? ""
      layer.refuse(
        ErrorReport(
          "no shipped configuration named '\(name)'\(place)",
          hints: nameHints(for: name, in: Presets.names, noun: "shipped")),
        origin: origin, position: Position(line: 0))
      layers.append(layer)
      return
    }
    layers.append(YAMLReader.read(yaml, name: "presets/\(name)") { .preset(name: name, line: $0) })
  }

  /// Notes that a file is being read as a base; reports a circle or too deep a tower.
  private mutating func enter(_ file: String, from origin: Origin?) -> Bool {
    let isCircle = path.contains(file)
    guard isCircle || path.count >= LayerStack.maximumDepth else {
      path.append(file)
      return true
    }
    var layer = Layer()
    let chain = (path + [file]).joined(separator: " > ")
    let message =
      isCircle
      ? "configurations extend each other in a circle: \(chain)"
      : "configurations extend each other more than \(LayerStack.maximumDepth) deep"
    layer.refuse(ErrorReport(message), origin: origin, position: Position(line: 0))
    layers.append(layer)
    return false
  }
}
