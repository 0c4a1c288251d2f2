public import Files

extension RunReport {
  /// Everything that the pictures show, as one object.
  public var json: JSON {
    [
      "schema": 1, "kind": "report", "rule": .string(rule.text),
      "runs": .array(zip(runs, departures).map { json($0, $1) }), "partings": .array(partings.map(json)),
    ]
  }

  private func json(_ run: RunHistory, _ departures: [Departure]) -> JSON {
    let table = RoundingHistory(run.measurements)
    return [
      "run": .string(run.name), "unreadable_lines": .integer(Int64(run.unreadableLineCount)),
      "updates": .array(
        run.updates.map { update in
          [
            "step": .integer(Int64(update.step)), "loss": number(update.loss),
            "gradient_norm": number(update.gradientNorm), "validation_loss": number(update.validationLoss),
          ]
        }),
      "departures": .array(departures.map(json)),
      "rounding": .array(run.measurements.map { json($0, table) }),
    ]
  }

  private func json(_ departure: Departure) -> JSON {
    [
      "kind": .string(departure.kind.rawValue), "step": .integer(Int64(departure.step)),
      "layer": text(departure.operand?.layer), "operand": text(departure.operand?.operand),
      "value": number(departure.value), "usual": number(departure.usual),
    ]
  }

  /// - Parameter table: Knows the first scales.
  private func json(_ measurement: RoundingMeasurement, _ table: RoundingHistory? = nil) -> JSON {
    var object: JSONObject = [
      "step": .integer(Int64(measurement.step)), "layer": .string(measurement.name.layer),
      "operand": .string(measurement.name.operand), "finite": .bool(!measurement.hasNonFinite),
    ]
    for quantity in RoundingQuantity.allCases where quantity != .scaleDrift || table != nil {
      object[quantity.rawValue] = number(table?.value(measurement, quantity) ?? measurement.values[quantity])
    }
    return .object(object)
  }

  private func json(_ parting: RunParting) -> JSON {
    [
      "first": .string(parting.first.name), "second": .string(parting.second.name),
      "common_steps": .integer(Int64(parting.commonSteps)),
      "step": parting.step.map { .integer(Int64($0)) } ?? .null,
      "first_loss": number(parting.losses?.first), "second_loss": number(parting.losses?.second),
      "noise": number(parting.noise), "worst_operands": .array(parting.worst.prefix(10).map { json($0) }),
    ]
  }

  private func number(_ value: Double?) -> JSON { value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null }
  private func text(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }
}
