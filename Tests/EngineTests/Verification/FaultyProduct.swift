import Kernels
import Synchronization

@testable import Engine

/// What is deliberately wrong with a ``FaultyProduct``.
enum Fault: String, Sendable, CaseIterable {
  case none
  /// One element is off by a thousandth.
  case wrongElement
  /// One element is not written.
  case forgottenElement
  case writesBefore
  case writesAfter
  /// Writes into its second input.
  case changesInput
  /// One element differs in its last bits from run to run.
  case differsBetweenRuns
  /// Overwrites where it should add.
  case forgetsToAdd

  /// The number by which the kernel knows the fault.
  var code: UInt32 { Self.allCases.firstIndex(of: self).map { UInt32($0) } ?? 0 }
}

/// `a * b`, with faults on request: what the checker of operations must find.
struct FaultyProduct: DifferentiableOperation, AccumulatingOperation {
  static let name = "faulty_product"

  /// What is wrong when it runs on a device; the reference is right.
  var fault = Fault.none
  /// What is wrong with the operation that computes gradients.
  var gradientFault = Fault.none
  /// Factor of the gradient of the first input: 1 is right.
  var gradientFactor = 1.0
  var forgetsSecondGradient = false
  /// The reference in single precision fails: nothing can be compared with it.
  var hasUselessReference = false
  var accumulates = false

  private static let runs = Mutex<UInt32>(0)
  /// The element that faults are about.
  private static let place = 5

  var signature: String { "a [...], b [...] > y [...]" }
  var saved: SavedTensors { SavedTensors(inputs: [0, 1]) }
  static var samples: [Sample] { [] }

  func reference<Scalar: ReferenceScalar>(
    _ inputs: [ReferenceTensor<Scalar>], _ outputs: inout [ReferenceTensor<Scalar>],
  ) {
    for index in 0..<outputs[0].shape.count {
      let product = inputs[0][index] * inputs[1][index]
      outputs[0][index] = accumulates ? outputs[0][index] + product : product
    }
    if hasUselessReference, Scalar.self == Float.self { outputs[0][0] = .infinity }
  }

  func backward(_ context: GradientContext) {
    guard let cotangent = context.cotangent(0) else { return }
    let product = FaultyProduct(fault: gradientFault)
    let first = context.tape.apply(product, [cotangent, context.input(1)])[0]
    context.add(gradientFactor == 1 ? first : context.tape.scale(first, by: gradientFactor), to: 0)
    if !forgetsSecondGradient {
      context.add(context.tape.apply(product, [cotangent, context.input(0)])[0], to: 1)
    }
  }

  func run(on device: HostDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    guard let a = HostArray<Float>(inputs[0].memory), let b = HostArray<Float>(inputs[1].memory),
      let y = HostArray<Float>(outputs[0].memory)
    else { return }
    let adds = accumulates && fault != .forgetsToAdd
    for index in 0..<y.count where !(fault == .forgottenElement && index == Self.place) {
      y[index] = adds ? y[index] + a[index] * b[index] : a[index] * b[index]
    }
    switch fault {
    case .none, .forgottenElement, .forgetsToAdd: break
    case .wrongElement: y[Self.place] += 1e-3
    case .writesBefore: Self.disturb(y.pointer - 1)
    case .writesAfter: Self.disturb(y.pointer + y.count)
    case .changesInput: b[Self.place] = 0
    case .differsBetweenRuns: y[Self.place] *= 1 + 0x1p-22 * Float(Self.nextRun() % 2)
    }
  }

  /// The NaN that the checker puts round every buffer: only where it lies may a fault write.
  private static let guardBits: UInt32 = 0x7FC0_BEEF

  private static func disturb(_ pointer: UnsafeMutablePointer<Float>) {
    if pointer.pointee.bitPattern == guardBits { pointer.pointee = 1 }
  }

  func run(on device: OpenCLDevice, _ inputs: [Tensor], _ outputs: [Tensor]) throws {
    let kernel = try device.generatedKernel("product", in: "product", from: Self.name) { Self.source }
    kernel(
      [
        Buffer<Float>(inputs[0].memory), Buffer<Float>(inputs[1].memory), Buffer<Float>(outputs[0].memory),
        UInt32(outputs[0].shape.count), UInt32(accumulates && fault != .forgetsToAdd ? 1 : 0), fault.code,
        fault == .differsBetweenRuns ? Self.nextRun() % 2 : 0,
      ], over: .groups(1))
  }

  private static func nextRun() -> UInt32 {
    runs.withLock { count in
      count &+= 1
      return count
    }
  }

  private static var source: String {
    let faults = Fault.allCases.map { "#define FAULT_\($0.rawValue) \($0.code)" }.joined(separator: "\n")
    return faults + """

      #define PLACE \(place)
      #define GUARD \(guardBits)u
      kernel __attribute__((reqd_work_group_size(1, 1, 1)))
      void product(const global float *a, global float *b, global float *y, const uint count, const uint adds,
                   const uint fault, const uint odd) {
        for (uint i = 0; i < count; i++) {
          if (fault == FAULT_forgottenElement && i == PLACE) continue;
          y[i] = adds ? y[i] + a[i] * b[i] : a[i] * b[i];
        }
        if (fault == FAULT_wrongElement) y[PLACE] += 1e-3f;
        if (fault == FAULT_writesBefore && as_uint(y[-1]) == GUARD) y[-1] = 1;
        if (fault == FAULT_writesAfter && as_uint(y[count]) == GUARD) y[count] = 1;
        if (fault == FAULT_changesInput) b[PLACE] = 0;
        if (fault == FAULT_differsBetweenRuns) y[PLACE] *= 1 + 0x1p-22f * odd;
      }

      """
  }
}
