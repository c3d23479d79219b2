// Exposition: figures as text, for Prometheus (0.0.4) or as OpenMetrics (1.0.0) has it.
//
// Invariants: what comes out is well-formed whatever the texts of help and labels hold, provided
// that names are names, that a family is begun before its samples come, and once. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weft::app {

enum class TextFormat : std::uint8_t { prometheus, openmetrics };
enum class FigureKind : std::uint8_t { counter, gauge, histogram, info };

class Exposition {
 public:
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::span<const Label>;

  explicit Exposition(TextFormat format) : format_(format) {}

  // The samples that follow are its. The name is without "_total" or "_info".
  void family(std::string_view name, FigureKind kind, std::string_view help);
  void value(Labels labels, std::uint64_t number);
  void value(Labels labels, double number);
  // `counts` has one more than `bounds`; they are of single buckets.
  void histogram(Labels labels, std::span<const double> bounds,
                 std::span<const std::uint64_t> counts, double sum);

  // All of it, ended as the format wants it.
  std::string finish() &&;

 private:
  void sample(std::string_view suffix, Labels labels, const Label* more, std::string_view number);
  void append_labels(Labels labels, const Label* more);

  TextFormat format_;
  FigureKind kind_ = FigureKind::gauge;
  std::string name_;
  std::string text_;
};

// As both formats have it: "0.25", "1e+20", "+Inf".
std::string number_text(double number);

}  // namespace weft::app
