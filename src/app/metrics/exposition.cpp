#include "app/metrics/exposition.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "app/utf8.hpp"

namespace weft::app {

namespace {

std::string_view kind_name(FigureKind kind, TextFormat format) noexcept {
  switch (kind) {
    case FigureKind::counter: return "counter";
    case FigureKind::histogram: return "histogram";
    case FigureKind::info:
      if (format == TextFormat::openmetrics) return "info";
      break;
    case FigureKind::gauge: break;
  }
  return "gauge";
}

// What a sample has behind the name of its family.
std::string_view suffix_of(FigureKind kind) noexcept {
  if (kind == FigureKind::counter) return "_total";
  return kind == FigureKind::info ? "_info" : "";
}

// Of what is no UTF-8 a reader would refuse all of the text.
void append_escaped(std::string& text, std::string_view value, bool quotes_too) {
  while (!value.empty()) {
    const Utf8Sequence sequence = utf8_sequence(value);
    const char c = value.front();
    if (c == '\n') {
      text += "\\n";
    } else if (c == '\\' || (c == '"' && quotes_too)) {
      text += '\\';
      text += c;
    } else {
      text += sequence.valid ? value.substr(0, sequence.length) : "\xEF\xBF\xBD";
    }
    value.remove_prefix(sequence.length);
  }
}

std::string decimal(std::uint64_t number) { return std::to_string(number); }

}  // namespace

std::string number_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {digits.data(), end};
}

void Exposition::family(std::string_view name, FigureKind kind, std::string_view help) {
  name_ = name;
  kind_ = kind;
  // One format names the family in its head, the other its samples.
  std::string head(name);
  if (format_ == TextFormat::prometheus) head += suffix_of(kind);
  text_ +=
      "# TYPE " + head + " " + std::string(kind_name(kind, format_)) + "\n# HELP " + head + " ";
  append_escaped(text_, help, format_ == TextFormat::openmetrics);
  text_ += "\n";
}

void Exposition::append_labels(Labels labels, const Label* more) {
  if (labels.empty() && more == nullptr) return;
  char before = '{';
  const auto append = [&](const Label& label) {
    text_ += before;
    text_.append(label.first).append("=\"");
    append_escaped(text_, label.second, true);
    text_ += '"';
    before = ',';
  };
  for (const Label& label : labels) append(label);
  if (more != nullptr) append(*more);
  text_ += '}';
}

void Exposition::sample(std::string_view suffix, Labels labels, const Label* more,
                        std::string_view number) {
  text_.append(name_).append(suffix);
  append_labels(labels, more);
  text_.append(" ").append(number).append("\n");
}

void Exposition::value(Labels labels, std::uint64_t number) {
  sample(suffix_of(kind_), labels, nullptr, decimal(number));
}

void Exposition::value(Labels labels, double number) {
  sample(suffix_of(kind_), labels, nullptr, number_text(number));
}

void Exposition::histogram(Labels labels, std::span<const double> bounds,
                           std::span<const std::uint64_t> counts, double sum) {
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    so_far += counts[i];
    std::string bound = i < bounds.size() ? number_text(bounds[i]) : "+Inf";
    // OpenMetrics wants them to look like what they are, which is no whole numbers.
    if (format_ == TextFormat::openmetrics && bound.find_first_of(".eI") == bound.npos) {
      bound += ".0";
    }
    const Label within{"le", bound};
    sample("_bucket", labels, &within, decimal(so_far));
  }
  sample("_sum", labels, nullptr, number_text(sum));
  sample("_count", labels, nullptr, decimal(so_far));
}

std::string Exposition::finish() && {
  if (format_ == TextFormat::openmetrics) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace weft::app
