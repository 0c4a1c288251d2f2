/// A string as a dictionary key by its UTF-8 bytes.
///
/// `String` itself equates canonically equivalent spellings ("é" in one or two scalars), which are
/// different tokens, tensor names and keys.
public struct ExactString: Sendable, Hashable {
  public let text: String

  public init(_ text: String) {
    self.text = text
  }

  public static func == (left: ExactString, right: ExactString) -> Bool {
    left.text.hasSameBytes(as: right.text)
  }

  public func hash(into hasher: inout Hasher) {
    text.utf8Span.span.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(text.utf8.count)
  }
}
