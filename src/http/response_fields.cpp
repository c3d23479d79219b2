#include "http/response_fields.hpp"

#include <stdexcept>
#include <string>

#include "http/head_parser.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"

namespace weft::http {

void require_head_to_come(const Response& response) {
  if (!response.head_is_out) return;
  throw std::logic_error("the status and the headers have been sent already");
}

std::optional<std::string_view> find_field(const Response& response, std::string_view name) {
  std::optional<std::string_view> found;
  for_each_field(response.fields.view(),
                 [&](std::string_view, std::string_view field, std::string_view value) {
                   if (equals_ignoring_case(field, name)) found = value;
                   return !found;
                 });
  return found;
}

bool lists_element(const Response& response, std::string_view name, std::string_view element) {
  bool found = false;
  for_each_field(response.fields.view(),
                 [&](std::string_view, std::string_view field, std::string_view value) {
                   if (!equals_ignoring_case(field, name)) return true;
                   while (!value.empty() && !found) {
                     std::string_view one = take_element(value);
                     one = trim_blanks(one.substr(0, one.find_first_of("=;")));
                     found = equals_ignoring_case(one, element);
                   }
                   return !found;
                 });
  return found;
}

namespace {

enum class Taken : std::uint8_t { all, passing };

// Takes out those of that name, or those of them that do not last. Whether one that lasts was among
// them.
bool take_out(Response& response, std::string_view name, Taken taken) {
  const std::string_view fields = response.fields.view();
  std::string kept;
  std::size_t lasting = 0;
  for_each_field(fields, [&](std::string_view line, std::string_view field, std::string_view) {
    const bool lasts = line.data() < fields.data() + response.lasting;
    if (equals_ignoring_case(field, name) && !(lasts && taken == Taken::passing)) return true;
    kept += line;
    if (lasts) lasting = kept.size();
    return true;
  });
  const bool has_removed_lasting = lasting < response.lasting;
  response.fields.assign(kept);
  response.lasting = lasting;
  return has_removed_lasting;
}

}  // namespace

bool remove_fields(Response& response, std::string_view name) {
  return find_field(response, name) && take_out(response, name, Taken::all);
}

void set_field(Response& response, std::string_view name, std::string_view value) {
  bool is_there = false;
  for_each_field(response.fields.view(),
                 [&](std::string_view, std::string_view field, std::string_view) {
                   is_there = field.size() == name.size() && equal_in_any_case(field, name);
                   return !is_there;
                 });
  if (!is_there) [[likely]]
    return response.add_field(name, value);
  Response::require_field(name, value);
  // The value may be a part of what is taken out.
  const std::string kept(value);
  const std::string lower_name = in_lower_case(std::string(name));
  // What an answer varies by is said by whoever makes it vary.
  const Taken taken = lower_name == "vary" ? Taken::passing : Taken::all;
  if (take_out(response, lower_name, taken)) {
    response.add_lasting_field(name, kept);
  } else {
    response.add_field(name, kept);
  }
}

void add_vary(Response& response, std::string_view name, std::string_view lower_name) {
  if (lists_element(response, "vary", lower_name) || lists_element(response, "vary", "*")) return;
  response.fields.append("Vary: ");
  response.fields.append(name);
  response.fields.append("\r\n");
}

void weaken_etag(Response& response) {
  const auto tag = find_field(response, "etag");
  if (!tag || !tag->starts_with('"')) return;
  const std::string weak = "W/" + std::string(*tag);
  remove_fields(response, "etag");
  response.add_field("ETag", weak);
}

}  // namespace weft::http
