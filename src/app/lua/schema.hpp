// Schema: what a script says a body or a query must be, and values that fit it.
//
// Made of a table, as the page on scripts describes it; what is in it that makes no sense is told
// at once. Changes no more, so that any thread may use it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/value.hpp"
#include "weft/bind.hpp"
#include "weft/json_document.hpp"

namespace weft::app::lua {

class Schema {
 public:
  // Of the table of a record's fields. Throws std::invalid_argument, with the place of what is
  // wrong.
  explicit Schema(const exec::Value& fields);

  // Each throws BindError.
  exec::Value read(const JsonNode& node) const;
  exec::Value read(detail::TextFields& fields) const;
  // Whether it can be read from fields of text: those are of plain types, and lists of them.
  bool is_flat() const noexcept;

 private:
  enum class Type : std::uint8_t { any, string, email, integer, number, boolean, list, record };

  struct Member;
  struct Rule {
    Type type = Type::any;
    bool optional = false;
    bool refuses_unknown = false;
    std::optional<exec::Value> fallback;
    // Of numbers; and of lengths, of texts and lists.
    std::optional<double> min;
    std::optional<double> max;
    exec::ValueList one_of;         // empty: any
    std::unique_ptr<Rule> element;  // of a list; null: any
    std::vector<Member> members;    // of a record
  };
  struct Member {
    std::string name;
    Rule rule;
  };

  static Rule rule_of(const exec::Value& told, const std::string& at);
  static std::vector<Member> members_of(const exec::Value& told, const std::string& at);
  static bool is_plain(const Rule& rule) noexcept;
  static const char* wanted(const Rule& rule) noexcept;

  static exec::Value read_node(const Rule& rule, const JsonNode& node, const detail::PathStep& at,
                               Complaints& complaints);
  static exec::Value read_record(const Rule& rule, const JsonNode& node, const detail::PathStep& at,
                                 Complaints& complaints);
  static exec::Value read_text(const Rule& rule, std::string_view text, const detail::PathStep& at,
                               Complaints& complaints);
  static void check(const Rule& rule, const exec::Value& value, const detail::PathStep& at,
                    Complaints& complaints);

  Rule root_;
};

}  // namespace weft::app::lua
