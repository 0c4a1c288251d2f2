/// The style sheet of drawings: colours for light and dark pages, without anything from elsewhere.
enum PlotStyle {
  private static let light = ["#0067a5", "#c2410c", "#0f7b5f", "#9333a8", "#8a6d00", "#525866"]
  private static let dark = ["#5cb8f2", "#ff9a5c", "#4bd0a8", "#dc9cec", "#e3c341", "#aab1bf"]

  /// The class of the colour of a device or a curve; colours repeat after six.
  static func colorClass(_ index: Int) -> String { "c\(index % light.count)" }

  static var text: String {
    """
    <style>
    text { font-family: system-ui, "DejaVu Sans", sans-serif; font-size: 12px; fill: #1d2129; }
    .title { font-size: 17px; font-weight: bold; }
    .small { font-size: 11px; fill: #555c68; }
    .page { fill: #ffffff; }
    .grid { stroke: #e3e6eb; stroke-width: 1; }
    .frame { fill: none; stroke: #8a919e; stroke-width: 1; }
    .roof, .curve { fill: none; stroke-width: 2; }
    .whisker { stroke-width: 1.2; }
    .sgemm { fill: none; stroke-width: 1.5; stroke-dasharray: 7 5; }
    .mark { stroke-width: 1; fill-opacity: 0.85; }
    .raw { fill: none; stroke-width: 1; opacity: 0.35; }
    .hover g { opacity: 0; }
    .hover g:hover { opacity: 1; }
    .tiny { font-size: 10px; fill: #555c68; }
    .event { stroke-width: 1.2; stroke-dasharray: 5 4; opacity: 0.7; }
    .found { fill: none; stroke: #d11a4a; stroke-width: 2.5; }
    .bad { fill: #d11a4a; }
    .zero { fill: #b9bec8; }
    \(colors(light, outline: "#ffffff"))
    @media (prefers-color-scheme: dark) {
    text { fill: #e6e9ef; }
    .small, .tiny { fill: #a4abb8; }
    .found { stroke: #ff5c86; }
    .bad { fill: #ff5c86; }
    .zero { fill: #4a515d; }
    .page { fill: #14171c; }
    .grid { stroke: #2a2f38; }
    .frame { stroke: #717986; }
    \(colors(dark, outline: "#14171c"))
    }
    </style>
    """
  }

  private static func colors(_ palette: [String], outline: String) -> String {
    palette.enumerated().map { index, color in
      ".c\(index) { stroke: \(color); } .mark.c\(index) { fill: \(color); stroke: \(outline); }"
    }.joined(separator: "\n")
  }
}
