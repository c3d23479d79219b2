// Session: what an application remembers of a client from one request to the next.
//
//     weft::Session session = weft::session(c);          // behind weft::sessions()
//     session.regenerate().set("user", 7);               // at login
//     const auto user = session.get<int>("user");        // std::optional<int>
//
// A handle on what the request's session is, cheap to copy, and valid as long as its Context.
// Belongs to the request; one green thread at a time. What is changed is saved when the handler has
// ended, or right before the head of a streamed answer is sent; behind that a change is a
// std::logic_error. When a handler ends by an exception, nothing of it is saved.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace weft {

class Context;

namespace app {
struct SessionState;
}

// What a session keeps under a name. Anything with more to it is kept as text, of JSON say.
using SessionValue = std::variant<bool, std::int64_t, double, std::string>;

class Session {
 public:
  // For session().
  explicit Session(app::SessionState& state) noexcept : state_(&state) {}

  // The value of that name as a bool, an integer, a floating-point number, a std::string or a
  // std::string_view, which is valid until the next change. Nothing when there is none, when it is
  // of another type, or when it does not fit.
  template <class T>
  std::optional<T> get(std::string_view name) const {
    const SessionValue* const value = find(name);
    return value != nullptr ? as<T>(*value) : std::nullopt;
  }
  // The value itself, or null.
  const SessionValue* find(std::string_view name) const noexcept;
  // Whether there is one.
  bool has(std::string_view name) const noexcept { return find(name) != nullptr; }
  // Keeps a value in place of the one of that name. Throws std::length_error when the session would
  // become larger than SessionsOptions::bytes, and for an empty name or one beyond 255 bytes.
  template <class T>
  Session& set(std::string_view name, const T& value) {
    return put(name, value_of(value));
  }
  // Takes one out; there need not be one.
  Session& erase(std::string_view name);
  // Takes all out, but the session stays.
  Session& clear();

  // Keeps a text until it is asked for once: "Saved.", for the page that a redirect leads to.
  Session& flash(std::string_view name, std::string_view text);
  // The text, which is no longer kept then; nothing when there is none.
  std::optional<std::string> take_flash(std::string_view name);

  // Gives the session another id, under which alone it is known then, and begins its time anew. At
  // login, and wherever else somebody gets more rights: who has given a client an id, or has seen
  // it, knows nothing then.
  Session& regenerate();
  // At logout: what was kept is gone, here and at the client.
  void destroy();

  // What the session is known by; a session that is asked for its id is kept, even when it is
  // empty. Not for others to see: with a SessionStore it is all one needs.
  std::string_view id();
  // Whether the client brought none, so that it begins here and has only what was set since.
  bool is_new() const noexcept;
  // When it began.
  std::chrono::system_clock::time_point created() const noexcept;

 private:
  template <class T>
  static std::optional<T> as(const SessionValue& value) {
    if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
      if (const auto* const text = std::get_if<std::string>(&value)) return T(*text);
    } else if constexpr (std::floating_point<T>) {
      if (const auto* const number = std::get_if<double>(&value)) return static_cast<T>(*number);
      if (const auto* const whole = std::get_if<std::int64_t>(&value)) {
        return static_cast<T>(*whole);
      }
    } else if constexpr (std::same_as<T, bool>) {
      if (const auto* const truth = std::get_if<bool>(&value)) return *truth;
    } else {
      static_assert(std::integral<T>, "a session keeps bools, numbers and texts");
      const auto* const whole = std::get_if<std::int64_t>(&value);
      if (whole != nullptr && std::in_range<T>(*whole)) return static_cast<T>(*whole);
    }
    return std::nullopt;
  }

  template <class T>
  static SessionValue value_of(const T& value) {
    if constexpr (std::same_as<T, SessionValue>) {
      return value;
    } else if constexpr (std::same_as<T, bool>) {
      return value;
    } else if constexpr (std::integral<T>) {
      if (!std::in_range<std::int64_t>(value)) {
        throw std::out_of_range("a session keeps integers of 64 bits with a sign");
      }
      return static_cast<std::int64_t>(value);
    } else if constexpr (std::floating_point<T>) {
      return static_cast<double>(value);
    } else {
      return std::string(std::string_view(value));
    }
  }

  Session& put(std::string_view name, SessionValue value);

  app::SessionState* state_;
};

// The session of the request. Throws std::logic_error where no weft::sessions() is around it.
[[nodiscard]] Session session(Context& context);
// Whether there is one.
[[nodiscard]] bool has_session(Context& context) noexcept;

}  // namespace weft
