import Kernels

/// The sum of everything on an OpenCL device: shares first, then their sums, in an order that depends on the count alone.
struct DeviceSum {
  /// Sums the squares.
  var squares = false
  /// What the sum is multiplied with.
  var scale: Float = 1

  func enqueue(on device: OpenCLDevice, _ x: Memory, to sum: Memory) throws {
    let lanes = device.description.lanes(atMost: 256)
    // A multiple of what a graphics processor's group reads at once.
    let unit = 16_384
    let units = (x.count + unit - 1) / unit
    let share = max(1, (units + 1023) / 1024) * unit
    let shares = max(1, (x.count + share - 1) / share)
    let partial = device.allocate(shares, of: .float32)
    let definitions = ["SQUARES": squares ? "1" : "0", "LANES": "\(lanes)"]
    let first: Kernel<Buffer<Float>, Buffer<Float>, UInt64, UInt64> = try device.kernel(
      "sum_partial", in: "reduce", definitions)
    first(Buffer(x), Buffer(partial), UInt64(x.count), UInt64(share), over: .groups(shares))
    let second: Kernel<Buffer<Float>, Buffer<Float>, UInt32, Float> = try device.kernel(
      "sum_final", in: "reduce", definitions)
    second(Buffer(partial), Buffer(sum), UInt32(shares), scale, over: .groups(1))
  }
}
