import Engine
import Files
import Kernels
import Terminal
import Tokenizers

/// An error of the libraries below as the terminal shows it.
///
/// Their descriptions have the same four parts as ours: a sentence, indented values, indented hints.
struct Failure: UserError {
  let message: String
  let details: [String]
  let hints: [String]
  let exitCode: ExitCode

  init(_ message: String, details: [String] = [], hints: [String] = [], exitCode: ExitCode = .invalidInput) {
    self.message = message
    self.details = details
    self.hints = hints
    self.exitCode = exitCode
  }

  /// The error itself if it speaks for itself, else its description taken apart.
  static func readable(_ error: any Error) -> any Error {
    if error is any UserError { return error }
    guard let code = exitCode(of: error) else { return error }
    return Failure(text: "\(error)", exitCode: code)
  }

  /// Takes a description in four parts apart.
  init(text: String, exitCode: ExitCode) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    message = lines.isEmpty ? "an error without a description" : lines.removeFirst()
    var details: [String] = []
    var hints: [String] = []
    for line in lines {
      let trimmed = String(line.drop { $0 == " " })
      if trimmed.hasPrefix("hint: ") {
        hints.append(String(trimmed.dropFirst("hint: ".count)))
      } else {
        details.append(trimmed)
      }
    }
    self.details = details
    self.hints = hints
    self.exitCode = exitCode
  }

  /// What an error of the libraries means for the caller; nil for those that are our own fault.
  private static func exitCode(of error: any Error) -> ExitCode? {
    switch error {
    case let error as KernelError: code(of: error)
    case let error as FileError: code(of: error)
    case let error as ModelError: code(of: error)
    case let error as TokenizerError: code(of: error)
    case let error as TrainingError: code(of: error)
    case is JSONError, is SafetensorsError, is ShardError, is EventFileError: .invalidInput
    case is AdapterError, is DataError, is ExportError, is FixtureError, is PrecisionError, is RotaryError,
      is ShapeError:
      .invalidInput
    case is GenerationError, is BenchmarkError: .failed
    default: nil
    }
  }

  private static func code(of error: KernelError) -> ExitCode {
    switch error {
    case .noSuchDevice, .workGroupTooLarge, .localMemoryTooLarge, .outOfMemory, .allocationTooLarge:
      .doesNotFit
    case .missingSource, .noKernelFolder, .invalidVariable, .damagedTuning: .invalidInput
    case .buildFailed, .missingKernel, .argumentMismatch, .launchFailed, .callFailed: .internalError
    }
  }

  private static func code(of error: FileError) -> ExitCode {
    switch error {
    case .missing, .exists, .wrongKind, .outOfBounds, .refused: .invalidInput
    case .diskFull, .locked, .closed: .failed
    }
  }

  private static func code(of error: ModelError) -> ExitCode {
    switch error {
    case .unknownArchitecture: .doesNotFit
    case .missingKey, .badValue, .impossible, .missingTensor, .wrongShape, .unexpectedTensors, .notAModel:
      .invalidInput
    }
  }

  private static func code(of error: TokenizerError) -> ExitCode {
    switch error {
    case .unknownComponent, .unsupported: .doesNotFit
    case .missingFile, .wrongType, .inconsistent, .invalidTraining: .invalidInput
    }
  }

  private static func code(of error: TrainingError) -> ExitCode {
    switch error {
    case .nonFinite: .failed
    case .otherData: .invalidInput
    }
  }
}
