/// A complex number for references.
struct ComplexNumber<Scalar: ReferenceScalar> {
  var real: Scalar
  var imaginary: Scalar

  init(_ real: Scalar, _ imaginary: Scalar) {
    self.real = real
    self.imaginary = imaginary
  }

  var conjugate: Self { Self(real, -imaginary) }

  static func + (a: Self, b: Self) -> Self { Self(a.real + b.real, a.imaginary + b.imaginary) }
  static func * (a: Self, b: Scalar) -> Self { Self(a.real * b, a.imaginary * b) }
  static func * (a: Self, b: Self) -> Self {
    Self(a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real)
  }
  static func / (a: Self, b: Self) -> Self {
    let quotient = a * b.conjugate
    let norm = b.real * b.real + b.imaginary * b.imaginary
    return Self(quotient.real / norm, quotient.imaginary / norm)
  }
}

/// One state of one channel, discretized.
struct S4DState<Scalar: ReferenceScalar> {
  let a: ComplexNumber<Scalar>
  let dt: Scalar
  let e: ComplexNumber<Scalar>
  let f: ComplexNumber<Scalar>
  let c: ComplexNumber<Scalar>

  init(_ inputs: [ReferenceTensor<Scalar>], channel: Int, state: Int) {
    let place = channel * inputs[2].shape[1] + state
    a = ComplexNumber(-Scalar.exp(inputs[2][place]), inputs[3][place])
    dt = Scalar.exp(inputs[1][channel])
    let z = a * dt
    // exp(z) - 1 without loss of digits: e^x - 1 = tanh(x / 2) (e^x + 1), cos y - 1 = -2 sin^2(y / 2).
    let size = Scalar.exp(z.real)
    let halfSine = Scalar.sin(z.imaginary / 2)
    let rise = ComplexNumber(
      Scalar.tanh(z.real / 2) * (size + 1) - 2 * halfSine * halfSine * size, size * Scalar.sin(z.imaginary))
    e = ComplexNumber(rise.real + 1, rise.imaginary)
    f = rise / a
    c = ComplexNumber(inputs[4][place], inputs[5][place])
  }

  /// `p'(dt A)` of `p(z) = (exp(z) - 1) / z`: its series where the quotient would cancel.
  var inputSlope: ComplexNumber<Scalar> {
    let z = a * dt
    if z.real * z.real + z.imaginary * z.imaginary >= 0.25 { return (e + (f * (1 / dt)) * -1) / z }
    var term = ComplexNumber<Scalar>(1, 0)
    var sum = ComplexNumber<Scalar>(0.5, 0)
    for k in 1..<18 {
      term = term * z * (1 / Scalar(k))
      sum = sum + term * (1 / Scalar(k + 2))
    }
    return sum
  }
}
