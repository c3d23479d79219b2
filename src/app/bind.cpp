#include "weft/bind.hpp"

#include <algorithm>
#include <charconv>

#include "app/form_data.hpp"
#include "app/malformed_json.hpp"
#include "app/media_type.hpp"
#include "app/utf8.hpp"
#include "http/exchange.hpp"
#include "http/query.hpp"
#include "http/uri.hpp"

namespace weft {

namespace {

// What is repeated of a client's names; they may be as long as a body.
constexpr std::size_t kMostOfName = 64;

std::string json_of(const std::vector<FieldError>& errors) {
  std::string text = "{\"errors\":[";
  for (const FieldError& error : errors) {
    if (&error != errors.data()) text += ',';
    write_json(JsonValue{{"field", error.field}, {"path", error.path}, {"message", error.message}},
               text);
  }
  return text + "]}\n";
}

bool is_plain_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_plain);
}

void add_step(const detail::PathStep& step, std::string& path) {
  if (step.parent == nullptr) {
    path += '$';
    return;
  }
  add_step(*step.parent, path);
  if (step.is_index) {
    path += "[" + std::to_string(step.index) + "]";
  } else if (const std::string_view name = step.name.substr(0, kMostOfName); is_plain_name(name)) {
    path.append(".").append(name);
  } else {
    path += '[';
    write_json(name, path);
    path += ']';
  }
}

// The innermost name.
std::string_view field_of(const detail::PathStep& step) {
  const detail::PathStep* at = &step;
  while (at->is_index && at->parent != nullptr) at = at->parent;
  return at->name.substr(0, kMostOfName);
}

class QueryFields final : public detail::TextFields {
 public:
  QueryFields(Context& context, http::Exchange* exchange)
      : context_(context), exchange_(exchange) {}
  std::vector<std::string_view> all(std::string_view name) override {
    return context_.query_all(name);
  }
  std::vector<std::string_view> names() override {
    std::vector<std::string_view> found;
    for (const http::QueryPair& pair : http::Query(exchange_->head().query())) {
      auto name = http::percent_decode(pair.name, http::UriPart::query);
      found.push_back(name ? exchange_->keep(std::move(*name)) : pair.name);
    }
    return found;
  }

 private:
  Context& context_;
  http::Exchange* exchange_;
};

class FormFields final : public detail::TextFields {
 public:
  FormFields(Context& context, http::Exchange* exchange) : context_(context), exchange_(exchange) {}
  std::vector<std::string_view> all(std::string_view name) override {
    return context_.form_all(name);
  }
  std::vector<std::string_view> names() override {
    std::vector<std::string_view> found;
    for (const app::FormField& field : app::form_of(*exchange_).fields) found.push_back(field.name);
    return found;
  }

 private:
  Context& context_;
  http::Exchange* exchange_;
};

class SingleFields final : public detail::TextFields {
 public:
  SingleFields(Context& context, bool from_path) : context_(context), from_path_(from_path) {}
  std::vector<std::string_view> all(std::string_view name) override {
    const std::string_view text = from_path_ ? context_.param(name) : context_.header(name);
    if (text.data() == nullptr) return {};
    return {text};
  }

 private:
  Context& context_;
  bool from_path_;
};

}  // namespace

BindError::BindError(std::vector<FieldError> errors)
    : HttpError(422, json_of(errors), "application/json"), errors_(std::move(errors)) {}

void Complaints::add(std::string_view field, std::string message) {
  add(detail::PathStep{at_, field}, std::move(message));
}

void Complaints::add(const detail::PathStep& at, std::string message) {
  if (full()) return;
  FieldError& error = errors_.emplace_back();
  error.field = field_of(at);
  add_step(at, error.path);
  error.message = std::move(message);
}

void Complaints::throw_if_any() {
  if (!errors_.empty()) throw BindError(std::move(errors_));
}

JsonDocument Context::json_body(const JsonLimits& limits) {
  auto parsed = JsonDocument::parse(body(), limits);
  if (auto* const error = std::get_if<JsonError>(&parsed)) {
    throw app::MalformedJson(*error);
  }
  return std::move(std::get<JsonDocument>(parsed));
}

void Context::refuse_value(std::string_view name, const std::string& wanted) {
  throw HttpError(400, std::string(name) + " " + wanted + "\n");
}

namespace detail {

std::size_t count_characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

bool looks_like_email(std::string_view text) noexcept {
  constexpr std::size_t kMost = 254;  // RFC 5321 §4.5.3.1.3, less the brackets
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || text.size() > kMost) return false;
  const std::string_view host = text.substr(at + 1);
  const auto is_odd = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F ||
           std::string_view("\"(),:;<>@[\\]").find(c) != std::string_view::npos;
  };
  const std::string_view local = text.substr(0, at);
  if (std::any_of(local.begin(), local.end(), is_odd)) return false;
  if (std::any_of(host.begin(), host.end(), is_odd)) return false;
  const auto has_gap = [](std::string_view part) {
    return part.starts_with('.') || part.ends_with('.') ||
           part.find("..") != std::string_view::npos;
  };
  return !host.empty() && !has_gap(local) && !has_gap(host) &&
         host.find('.') != std::string_view::npos;
}

std::string shown_number(double number) {
  std::string text;
  write_json(number, text);
  return text;
}

void describe_length(std::size_t min, std::size_t max, std::vector<Constraint>& out) {
  Constraint low;
  low.kind = Constraint::Kind::min_length;
  low.length = min;
  out.push_back(low);
  low.kind = Constraint::Kind::max_length;
  low.length = max;
  out.push_back(std::move(low));
}

std::string length_message(std::size_t min, std::size_t max, bool too_short, bool of_text) {
  const std::size_t bound = too_short ? min : max;
  return std::string("must have at ") + (too_short ? "least " : "most ") + std::to_string(bound) +
         (of_text ? " character" : " element") + (bound == 1 ? "" : "s");
}

bool is_valid_text(std::string_view text) noexcept { return app::is_utf8(text); }

BodyKind body_kind(Context& context, bool form_is_allowed) {
  const app::MediaType type = app::media_type(context.header("content-type"));
  if (type.is("application/json") || type.is_json_dialect()) return BodyKind::json;
  const bool is_form =
      type.is("application/x-www-form-urlencoded") || type.is("multipart/form-data");
  if (is_form && form_is_allowed) return BodyKind::form;
  throw HttpError(415, form_is_allowed ? "Send application/json, application/x-www-form-urlencoded "
                                         "or multipart/form-data\n"
                                       : "Send application/json\n");
}

void require_form(Context& context) {
  if (body_kind(context, true) == BodyKind::form) return;
  throw HttpError(415, "Send application/x-www-form-urlencoded or multipart/form-data\n");
}

void with_fields(Context& context, FieldSource source, void (*use)(void*, TextFields&),
                 void* self) {
  http::Exchange* const exchange = &app::ContextAccess::exchange(context);
  if (source == FieldSource::query) {
    QueryFields fields(context, exchange);
    return use(self, fields);
  }
  if (source == FieldSource::form) {
    FormFields fields(context, exchange);
    return use(self, fields);
  }
  SingleFields fields(context, source == FieldSource::path);
  use(self, fields);
}

}  // namespace detail

}  // namespace weft
