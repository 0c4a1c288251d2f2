import Kernels
import Testing

@testable import Engine

@Suite struct ReferenceDeviceTests {
  @Test func keepsDoublePrecision() {
    let device = ReferenceDevice<Double>()
    let tensor = device.tensor([0.1, 1e300], TensorType([2]))
    #expect(device.values(tensor.memory) == [0.1, 1e300])
  }

  @Test func newMemoryIsNotANumber() {
    let device = ReferenceDevice<Double>()
    #expect(device.values(device.allocate(5, of: .float32)).allSatisfy { $0.isNaN })
  }

  @Test func viewsShareValues() throws {
    let device = ReferenceDevice<Float>()
    let whole = device.allocate(6, of: .float32)
    device.write([1, 2, 3, 4, 5, 6] as [Float], to: whole)
    let view = whole.view(from: 2, count: 3)
    #expect(device.values(view) == [3, 4, 5])
    device.zero(view.view(from: 1, count: 1))
    #expect(try device.read(whole, as: Float.self) == [1, 2, 3, 0, 5, 6])
    device.copy(view, to: whole.view(from: 0, count: 3))
    #expect(device.values(whole) == [3, 0, 5, 0, 5, 6])
  }

  @Test func integersReadBack() throws {
    let device = ReferenceDevice<Double>()
    let memory = device.allocate(3, of: .int32)
    device.write([-100, 0, 70_000] as [Int32], to: memory)
    #expect(try device.read(memory, as: Int32.self) == [-100, 0, 70_000])
    let bytes = device.allocate(2, of: .uint8)
    device.write([0, 255] as [UInt8], to: bytes)
    #expect(try device.read(bytes, as: UInt8.self) == [0, 255])
  }
}
