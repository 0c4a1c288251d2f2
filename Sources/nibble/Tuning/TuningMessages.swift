import Engine
import Files
import Kernels

/// What `tune` asks the process that tries configurations: one line of JSON.
///
/// Without parameters: to prepare for a problem, which takes its time before any configuration runs.
struct TuningRequest {
  var key: TuningKey
  var parameters: [String: Int]
  /// For measuring, in seconds.
  var seconds: Double

  /// The request that comes first.
  var preparation: TuningRequest { TuningRequest(key: key, parameters: [:], seconds: 0) }

  var line: String {
    let parameters = self.parameters.map { (key: $0.key, value: JSON.integer(Int64($0.value))) }
    let json: JSON = [
      "family": .string(key.family), "problem": .string(key.problem),
      "parameters": .object(JSONObject(parameters)), "seconds": .number(seconds),
    ]
    return json.serialized()
  }

  init(key: TuningKey, parameters: [String: Int], seconds: Double) {
    self.key = key
    self.parameters = parameters
    self.seconds = seconds
  }

  init?(line: String) {
    guard let json = try? JSON(parsing: line), let family = json["family"]?.stringValue,
      let problem = json["problem"]?.stringValue, let seconds = json["seconds"]?.doubleValue,
      let members = json["parameters"]?.objectValue
    else { return nil }
    var parameters: [String: Int] = [:]
    for member in members { parameters[member.key] = member.value.integerValue }
    self.init(key: TuningKey(family: family, problem: problem), parameters: parameters, seconds: seconds)
  }
}

/// The answer: one line of JSON.
struct TuningAnswer {
  var outcome: TuningOutcome
  /// FLOPs of one execution of what was timed.
  var flops: Double

  var line: String {
    var json: JSONObject = ["flops": .number(flops)]
    switch outcome {
    case .measured(let candidate, let standard):
      json["outcome"] = "measured"
      json["candidate"] = .array(candidate.map { .number($0) })
      json["standard"] = .array(standard.map { .number($0) })
    case .wrong(let reason):
      json["outcome"] = "wrong"
      json["reason"] = .string(reason)
    case .failed(let reason), .crashed(let reason):
      json["outcome"] = "failed"
      json["reason"] = .string(reason)
    case .hung: preconditionFailure("a process that answers does not hang")
    }
    return JSON.object(json).serialized()
  }

  /// The answer to ``TuningRequest/preparation``.
  static let prepared = "{\"outcome\": \"prepared\"}"

  init(outcome: TuningOutcome, flops: Double) {
    self.outcome = outcome
    self.flops = flops
  }

  init?(line: String) {
    guard let json = try? JSON(parsing: line), let flops = json["flops"]?.doubleValue else { return nil }
    let reason = json["reason"]?.stringValue ?? ""
    switch json["outcome"]?.stringValue {
    case "measured":
      let samples = ["candidate", "standard"].map { json[$0]?.arrayValue?.compactMap(\.doubleValue) ?? [] }
      self.init(outcome: .measured(candidate: samples[0], standard: samples[1]), flops: flops)
    case "wrong": self.init(outcome: .wrong(reason: reason), flops: flops)
    case "failed": self.init(outcome: .failed(reason: reason), flops: flops)
    default: return nil
    }
  }
}
