import Files
public import NumberFormats

/// A model's low precision as plain values: formats, and the layers and steps that have them.
///
/// It stands in a checkpoint's config.json, so that evaluation and generation round as training did.
public struct LinearPrecision: Sendable, Equatable {
  /// The key in config.json.
  static let key = "nibble_precision"

  public var formats: LinearFormats
  /// Linear layers whose name has one of these parts stay in single precision: `down_proj`, `layers.0`.
  public var exclude: [String]
  /// First and last layers of the model in single precision.
  public var fullFirst: Int
  public var fullLast: Int
  /// Training steps from this one on are in single precision; nil for none.
  public var fullFrom: Int?
  /// Of stochastic rounding and of the signs of transforms.
  public var seed: UInt64
  /// The training step that the weights stand at: behind ``fullFrom`` they are evaluated in single precision, too.
  var step = 0

  public init(
    _ formats: LinearFormats, exclude: [String] = [], fullFirst: Int = 0, fullLast: Int = 0,
    fullFrom: Int? = nil, seed: UInt64 = 0,
  ) {
    self.formats = formats
    self.exclude = exclude
    self.fullFirst = fullFirst
    self.fullLast = fullLast
    self.fullFrom = fullFrom
    self.seed = seed
  }

  /// Lets a model's linear layers round.
  ///
  /// - Throws: ``PrecisionError`` when an exclusion fits no layer, or none is left to round.
  func apply(to store: ParameterStore) throws {
    guard !formats.isFull else { return }
    let rounded = try rounded(in: store)
    for weight in rounded { try checkTransforms(of: weight) }
    let plan = PrecisionPlan(formats, seed: seed, fullFrom: fullFrom, step: step, on: store.device)
    for weight in rounded {
      plan.apply(
        to: weight, weightScale: store[Self.nameOfWeightScale(weight.name)].map { LearnedScale($0) },
        inputScale: store[Self.nameOfInputScale(weight.name)].map { LearnedScale($0) })
    }
    store.precision = plan
  }

  /// The matrices that take part.
  func rounded(in store: ParameterStore) throws -> [Parameter] {
    let names = Set(store.parameters.map(\.name))
    let matrices = store.parameters.filter {
      $0.shape.rank == 2 && Self.layer(of: $0.name) != nil && !Self.isScale($0.name, of: names)
    }
    for part in exclude where !matrices.contains(where: { Self.has($0.name, part) }) {
      throw PrecisionError.nothingExcluded(part, names: matrices.map(\.name))
    }
    let layers = (matrices.compactMap { Self.layer(of: $0.name) }.max() ?? -1) + 1
    let rounded = matrices.filter { rounds($0.name, layers: layers) }
    guard !rounded.isEmpty else { throw PrecisionError.nothingRounded }
    return rounded
  }

  /// Whether a layer's products are rounded.
  ///
  /// - Parameter layers: Of the model.
  func rounds(_ name: String, layers: Int) -> Bool {
    guard !formats.isFull, let layer = Self.layer(of: name) else { return false }
    return layer >= fullFirst && layer < layers - fullLast && !exclude.contains { Self.has(name, $0) }
  }

  /// Of so many steps the share that is not in single precision.
  func roundedShare(of steps: Int) -> Double {
    guard let fullFrom, steps > 0 else { return 1 }
    return min(1, Double(fullFrom) / Double(steps))
  }

  /// Transforms along a weight's axes must fit; [in, out] or [out, in], the same transforms or none.
  private func checkTransforms(of weight: Parameter) throws {
    let sizes = [formats.fpropWeight?.hadamard, formats.dgradWeight.rounded?.hadamard].compactMap { $0 }
    for size in sizes where !weight.shape.dimensions.allSatisfy({ $0.isMultiple(of: size) }) {
      throw PrecisionError.transformDoesNotFit(size, name: weight.name, shape: weight.shape)
    }
  }

  /// The layer's number in a tensor's name: 3 in `model.layers.3.mlp.up_proj.weight`.
  static func layer(of name: String) -> Int? {
    name.split(separator: ".").lazy.compactMap { Int($0) }.first
  }

  /// Whether the words of `part` follow each other in a name.
  static func has(_ name: String, _ part: String) -> Bool {
    ".\(name).".firstRange(of: ".\(part).") != nil
  }
}

/// Why a model cannot be trained in low precision as it was asked for.
public enum PrecisionError: Error, CustomStringConvertible {
  case nothingExcluded(String, names: [String])
  case nothingRounded
  /// States in eight bits were asked for, but every matrix is below this many numbers.
  case onlySmallStates(Int)
  case transformDoesNotFit(Int, name: String, shape: Shape)

  public var description: String {
    switch self {
    case .nothingExcluded(let part, let names):
      "no linear layer has '\(part)' in its name\n  there: "
        + names.prefix(7).joined(separator: ", ") + (names.count > 7 ? " and \(names.count - 7) more" : "")
        + "\n  hint: precision.exclude takes whole words between dots, such as down_proj or layers.0"
    case .transformDoesNotFit(let size, let name, let shape):
      "\(name) is \(shape), which does not hold whole Hadamard transforms of \(size)"
        + "\n  hint: a smaller hadamard=, other model sizes, or leave it out with precision.exclude"
    case .onlySmallStates(let size):
      "no trained matrix has \(size) numbers, so no state would be stored in eight bits\n  hint: optimizer.state=fp32"
    case .nothingRounded:
      "no linear layer is left to round\n  hint: precision.exclude, precision.full_first and precision.full_last leave out all"
    }
  }
}

// MARK: In config.json

extension LinearPrecision {
  var json: JSONObject {
    var json: JSONObject = [:]
    for (key, text) in formats.texts { json[key] = .string(text) }
    json["exclude"] = .array(exclude.map { .string($0) })
    json["full_first"] = .integer(Int64(fullFirst))
    json["full_last"] = .integer(Int64(fullLast))
    json["full_from_step"] = fullFrom.map { .integer(Int64($0)) } ?? .null
    json["step"] = .integer(Int64(step))
    // As a text: JSON's numbers end at 2^53 in many readers.
    json["seed"] = .string(String(seed))
    return json
  }

  /// What a config.json says; nil for single precision.
  static func read(from reader: ConfigurationReader) throws -> LinearPrecision? {
    guard let section = try reader.section(key) else { return nil }
    var formats = LinearFormats()
    for key in LinearFormats.operands {
      let text = try section.string(key) ?? "none"
      do throws(OperandFormat.SyntaxError) {
        try formats.set(key, to: text)
      } catch {
        throw ModelError.badValue(
          key: key, value: "'\(text)': \(error.description)", expected: error.hint, path: section.path)
      }
    }
    do throws(OperandFormat.SyntaxError) {
      try formats.check()
    } catch {
      throw ModelError.badValue(
        key: key, value: error.description, expected: error.hint, path: section.path)
    }
    let seed = try section.string("seed") ?? "0"
    guard let number = UInt64(seed) else {
      throw ModelError.badValue(key: "seed", value: seed, expected: "a whole number", path: section.path)
    }
    var precision = LinearPrecision(
      formats, exclude: try section.strings("exclude") ?? [],
      fullFirst: try section.optionalInteger("full_first") ?? 0,
      fullLast: try section.optionalInteger("full_last") ?? 0,
      fullFrom: try section.optionalInteger("full_from_step"), seed: number)
    precision.step = try section.optionalInteger("step") ?? 0
    return precision
  }
}
