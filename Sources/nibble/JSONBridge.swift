import Files
import Terminal

extension JSONText {
  /// A value read from a file.
  init(_ json: JSON) {
    switch json {
    case .null: self = .null
    case .bool(let value): self = .boolean(value)
    case .integer(let value): self = .integer(Int(value))
    case .number(let value): self = .number(value)
    case .string(let value): self = .string(value)
    case .array(let elements): self = .array(elements.map { JSONText($0) })
    case .object(let object): self = .object(object.map { Member($0.key, JSONText($0.value)) })
    }
  }

  /// A value that may be missing.
  init(_ number: Double?) { self = number.map { .number($0) } ?? .null }
  init(_ text: String?) { self = text.map { .string($0) } ?? .null }
}
