import Testing

@testable import Files

@Suite struct DigestTests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ]) func sha256MatchesThePublishedVectors(text: String, digest: String) {
    #expect(SHA256.hexadecimal(of: text) == digest)
  }

  @Test func sha256OfAMillionLettersInOddPieces() {
    var digest = SHA256()
    var rest = 1_000_000
    var piece = 1
    while rest > 0 {
      let count = min(piece, rest)
      digest.update([UInt8](repeating: UInt8(ascii: "a"), count: count).span)
      rest -= count
      piece = piece * 3 % 4_099 + 1
    }
    #expect(digest.hexadecimal() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func sha256DoesNotDependOnHowTheBytesAreCut() {
    for count in 0..<200 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      var digest = SHA256()
      for byte in bytes { digest.update([byte].span) }
      #expect(digest.hexadecimal() == SHA256.hexadecimal(of: bytes))
      #expect(digest.finished().count == 32)
    }
  }

  @Test func crc32cMatchesThePublishedCheckValue() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([]) == 0)
    // RFC 3720, B.4: 32 bytes of zeros and of ones.
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
  }
}
