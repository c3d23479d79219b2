// typed(): a handler whose parameters are what a request carries and whose result is the answer.
//
//     app.post("/users", weft::typed([](NewUser user) -> weft::Created<User> {
//       return {store(user)};
//     }));
//     app.get("/users/{id:int}", weft::typed([](int id) -> std::optional<User> {
//       return find(id);                                        // none is answered 404
//     }));
//
// A parameter is, by its type: a bool, number, text or enum with Names, the pattern's parameters in
// their order, and so is a type with `static std::optional<T> parse(std::string_view)`; a struct
// with a Schema (or a vector or map of such), the body as JSON; a FromQuery<T>, FromHeader<T>,
// FromPath<T>, FromForm<T> or FromBody<T> (JSON or a form), a struct from there; Context&, the
// request itself; and a type with `static T from_request(Context&)`, what that makes of it (a
// `static void describe(RouteDescription&)` says what it may answer, for documents). What does not
// fit is answered 400, 415 or 422 before the handler is called. A form is taken only where it is
// asked for, since any page of any site can have a browser send one, with its cookies: see csrf().
// The result is JSON, but for a text, which is text/plain; a std::optional without a value is 404;
// WithStatus has a status of its own; a std::variant is whichever it holds. A handler without
// result answers 204, or with what it does to its Context&. It may be a coroutine, a Task<Result>.
// Documents (openapi.hpp) have all of that from here. All workers call the same object.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/bind.hpp"
#include "weft/route_description.hpp"

namespace weft {

namespace detail {

// A part of the request as a parameter; used like a pointer to it.
template <class T, DescribedPart::Source source>
struct From {
  using Value = T;
  static constexpr DescribedPart::Source kSource = source;

  T value;

  T& operator*() noexcept { return value; }
  const T& operator*() const noexcept { return value; }
  T* operator->() noexcept { return &value; }
  const T* operator->() const noexcept { return &value; }
};

}  // namespace detail

// Each is a parameter of a typed handler that is read from the place it is named for:
// `search->page`.
template <class T>
using FromQuery = detail::From<T, detail::DescribedPart::Source::query>;
template <class T>
using FromHeader = detail::From<T, detail::DescribedPart::Source::header>;
template <class T>
using FromPath = detail::From<T, detail::DescribedPart::Source::path>;
template <class T>
using FromForm = detail::From<T, detail::DescribedPart::Source::form>;
template <class T>
using FromJson = detail::From<T, detail::DescribedPart::Source::json>;
template <class T>
using FromBody = detail::From<T, detail::DescribedPart::Source::body>;

// A result with a status of its own; without a type it has no body.
template <int code, class T = void>
struct WithStatus {
  static_assert(code >= 200 && code <= 599, "the status of an answer is from 200 to 599");
  T value;  // the body, as JSON
};
template <int code>
struct WithStatus<code, void> {
  static_assert(code >= 200 && code <= 599, "the status of an answer is from 200 to 599");
};
// 201, for what has been made.
template <class T>
using Created = WithStatus<201, T>;

namespace detail {

template <class T>
inline constexpr bool kIsFrom = false;
template <class T, DescribedPart::Source source>
inline constexpr bool kIsFrom<From<T, source>> = true;
template <class T>
inline constexpr bool kIsVariant = false;
template <class... T>
inline constexpr bool kIsVariant<std::variant<T...>> = true;
template <class T>
inline constexpr bool kHasStatus = false;
template <int code, class T>
inline constexpr bool kHasStatus<WithStatus<code, T>> = true;
template <class T>
concept IsText = std::convertible_to<const T&, std::string_view>;
template <class T>
concept HasFromRequest = requires(Context& context) {
  { T::from_request(context) } -> std::same_as<T>;
};

// What a function takes and gives.
template <class F>
struct Signature {};
template <class F>
  requires requires { &F::operator(); }
struct Signature<F> : Signature<decltype(&F::operator())> {};
template <class R, class... A, bool n>
struct Signature<R (*)(A...) noexcept(n)> {
  using Result = R;
  using Arguments = std::tuple<A...>;
};
template <class C, class R, class... A, bool n>
struct Signature<R (C::*)(A...) noexcept(n)> : Signature<R (*)(A...)> {};
template <class C, class R, class... A, bool n>
struct Signature<R (C::*)(A...) const noexcept(n)> : Signature<R (*)(A...)> {};

template <class F>
concept HasSignature = requires { typename Signature<F>::Result; };

// What a body of JSON can be read into.
template <class T>
inline constexpr bool kIsBody = HasSchema<T>;
template <class T>
inline constexpr bool kIsBody<std::optional<T>> = IsScalar<T> || kIsBody<T>;
template <class T>
inline constexpr bool kIsBody<std::vector<T>> = IsScalar<T> || kIsBody<T>;
template <class T>
inline constexpr bool kIsBody<std::map<std::string, T>> = IsScalar<T> || kIsBody<T>;

enum class ArgumentKind : std::uint8_t { context, own, path_value, part, body };

template <class A>
constexpr ArgumentKind argument_kind() {
  using T = std::remove_cvref_t<A>;
  if (std::same_as<T, Context>) return ArgumentKind::context;
  if (HasFromRequest<T>) return ArgumentKind::own;
  if (kIsFrom<T>) return ArgumentKind::part;
  if (IsScalar<T> || std::same_as<T, std::string_view>) return ArgumentKind::path_value;
  return ArgumentKind::body;
}

// What is kept while the handler runs.
template <class A>
struct ArgumentOf {
  using Bare = std::remove_cvref_t<A>;
  using Type = std::conditional_t<std::same_as<Bare, std::string_view>, std::string, Bare>;
};
template <>
struct ArgumentOf<Context&> {
  using Type = Context&;
};
template <class A>
using Argument = typename ArgumentOf<A>::Type;

// The parameter of the path at a place, decoded.
std::string_view path_value(Context& context, std::size_t index);
// Ends the handler with 400.
[[noreturn]] void refuse_path_value(Context& context, std::size_t index, const std::string& wanted);

template <class T>
T take_path_value(Context& context, std::size_t index) {
  T value{};
  if (!take_text(path_value(context, index), value)) {
    refuse_path_value(context, index, wanted<T>());
  }
  return value;
}

template <class T>
T take_part(Context& context) {
  using Value = typename T::Value;
  using Source = DescribedPart::Source;
  if constexpr (T::kSource == Source::query) return {context.bind_query<Value>()};
  if constexpr (T::kSource == Source::header) return {context.bind_header<Value>()};
  if constexpr (T::kSource == Source::path) return {context.bind_path<Value>()};
  if constexpr (T::kSource == Source::form) return {context.bind_form<Value>()};
  if constexpr (T::kSource == Source::json) return {context.bind_json<Value>()};
  if constexpr (T::kSource == Source::body) return {context.bind<Value>()};
}

template <class A>
Argument<A> take_argument(Context& context, [[maybe_unused]] std::size_t path_index) {
  using T = std::remove_cvref_t<Argument<A>>;
  constexpr ArgumentKind kKind = argument_kind<A>();
  if constexpr (kKind == ArgumentKind::context) {
    return context;
  } else if constexpr (kKind == ArgumentKind::own) {
    return T::from_request(context);
  } else if constexpr (kKind == ArgumentKind::part) {
    return take_part<T>(context);
  } else if constexpr (kKind == ArgumentKind::path_value) {
    return take_path_value<T>(context, path_index);
  } else {
    static_assert(kIsBody<T>,
                  "a parameter of a typed handler is a value of the path, a struct with a "
                  "weft::Schema, a weft::From..., a Context&, or a type with a static "
                  "from_request(weft::Context&)");
    return context.bind_json<T>();
  }
}

// How a function with these arguments is called.
template <class Arguments>
struct Caller;

template <class... A>
struct Caller<std::tuple<A...>> {
  using Kept = std::tuple<Argument<A>...>;

  static constexpr std::size_t kBodies =
      ((argument_kind<A>() == ArgumentKind::body ? 1 : 0) + ... + std::size_t{0});
  static constexpr bool kHasContext = ((argument_kind<A>() == ArgumentKind::context) || ...);

  // By argument, how many values of the path come before it.
  static constexpr std::array<std::size_t, sizeof...(A) + 1> path_places() {
    std::array<std::size_t, sizeof...(A) + 1> places{};
    std::size_t at = 0;
    ((places[at + 1] = places[at] + (argument_kind<A>() == ArgumentKind::path_value ? 1 : 0), ++at),
     ...);
    return places;
  }
  template <std::size_t... i>
  static Kept take(Context& context, std::index_sequence<i...>) {
    [[maybe_unused]] constexpr auto kPlaces = path_places();
    return Kept{take_argument<A>(context, kPlaces[i])...};
  }
  static Kept take([[maybe_unused]] Context& context) {
    return take(context, std::index_sequence_for<A...>{});
  }
  template <class F>
  static decltype(auto) call(F& function, Kept& kept) {
    return std::apply(
        [&](auto&... each) -> decltype(auto) { return function(static_cast<A&&>(each)...); }, kept);
  }
  static void describe(RouteDescription& to) { (describe_one<A>(to), ...); }

 private:
  template <class One>
  static void describe_one([[maybe_unused]] RouteDescription& to) {
    using T = std::remove_cvref_t<Argument<One>>;
    using Source = DescribedPart::Source;
    constexpr ArgumentKind kKind = argument_kind<One>();
    if constexpr (kKind == ArgumentKind::path_value) to.path_value<T>();
    if constexpr (kKind == ArgumentKind::own) {
      if constexpr (requires { T::describe(to); }) T::describe(to);
    }
    if constexpr (kKind == ArgumentKind::body) to.json_body<T>();
    if constexpr (kKind == ArgumentKind::part) {
      using Value = typename T::Value;
      if constexpr (T::kSource == Source::query) to.query<Value>();
      if constexpr (T::kSource == Source::header) to.header<Value>();
      if constexpr (T::kSource == Source::path) to.path<Value>();
      if constexpr (T::kSource == Source::form) to.form<Value>();
      if constexpr (T::kSource == Source::json) to.json_body<Value>();
      if constexpr (T::kSource == Source::body) to.body<Value>();
    }
  }
};

template <class T>
void answer_with(Context& context, const T& value);

template <int code, class T>
void answer_status(Context& context, const WithStatus<code, T>& value) {
  context.status(code);
  if constexpr (!std::is_void_v<T>) answer_with(context, value.value);
}

template <class T>
void answer_with(Context& context, const T& value) {
  if constexpr (kHasStatus<T>) {
    answer_status(context, value);
  } else if constexpr (kIsVariant<T>) {
    std::visit([&](const auto& one) { answer_with(context, one); }, value);
  } else if constexpr (kIsOptional<T>) {
    if (!value) throw HttpError(404, "Not Found\n");
    answer_with(context, *value);
  } else if constexpr (IsText<T>) {
    context.text(value);
  } else {
    std::string text;
    write_json_of(value, text);
    context.bytes(text, "application/json");
  }
}

template <class T>
void describe_answer(RouteDescription& to, int status = 200);

template <int code, class T>
void describe_status(RouteDescription& to, const WithStatus<code, T>* /*which*/) {
  if constexpr (std::is_void_v<T>) {
    to.answers(code, {});
  } else {
    describe_answer<T>(to, code);
  }
}
template <class... T>
void describe_each(RouteDescription& to, int status, const std::variant<T...>* /*which*/) {
  (describe_answer<T>(to, status), ...);
}

template <class T>
void describe_answer(RouteDescription& to, int status) {
  if constexpr (kHasStatus<T>) {
    describe_status(to, static_cast<const T*>(nullptr));
  } else if constexpr (kIsVariant<T>) {
    describe_each(to, status, static_cast<const T*>(nullptr));
  } else if constexpr (kIsOptional<T>) {
    describe_answer<typename T::value_type>(to, status);
    to.error(404);
  } else if constexpr (IsText<T>) {
    to.answers(status, {}, "text/plain");
  } else {
    to.answers<T>(status);
  }
}

template <class T>
struct TypedResult {
  using Type = std::remove_cvref_t<T>;
};
template <class T>
struct TypedResult<Task<T>> : TypedResult<T> {};

// Answers with what the call gives.
template <class Caller, class F>
void call_typed(Context& context, F& function) {
  auto kept = Caller::take(context);
  if constexpr (std::is_void_v<decltype(Caller::call(function, kept))>) {
    Caller::call(function, kept);
    if constexpr (!Caller::kHasContext) context.no_content();
  } else {
    answer_with(context, Caller::call(function, kept));
  }
}

template <class Caller, class F>
Task<void> call_typed_coroutine(Context& context, F& function) {
  auto kept = Caller::take(context);
  using Result = decltype(Caller::call(function, kept));
  if constexpr (std::same_as<Result, Task<void>>) {
    co_await Caller::call(function, kept);
    if constexpr (!Caller::kHasContext) context.no_content();
  } else {
    auto value = co_await Caller::call(function, kept);
    answer_with(context, value);
  }
}

}  // namespace detail

// A typed handler: a handler as any other, and what is known of it. Made by typed().
class TypedHandler {
 public:
  // For typed().
  TypedHandler(Handler handler, RouteDescription description)
      : handler_(std::move(handler)), description_(std::move(description)) {}

  // For the routes that it stands in.
  void add_to(detail::RouteParts& parts) const {
    parts.handler = handler_;
    description_.add_to(parts);
  }

 private:
  Handler handler_;
  RouteDescription description_;
};

// Makes a handler of a function with types; see the top of this file.
template <class F>
TypedHandler typed(F&& function) {
  using Function = std::decay_t<F>;
  static_assert(detail::HasSignature<Function>,
                "a typed handler names the types of its parameters, so none of them is auto");
  using Caller = detail::Caller<typename detail::Signature<Function>::Arguments>;
  using Returned = typename detail::Signature<Function>::Result;
  using Result = typename detail::TypedResult<Returned>::Type;
  static_assert(Caller::kBodies <= 1, "a request has one body: only one parameter can be it");
  RouteDescription description;
  Caller::describe(description);
  if constexpr (!std::is_void_v<Result>) {
    detail::describe_answer<Result>(description);
  } else if constexpr (!Caller::kHasContext) {
    description.answers(204, {});
  }
  if constexpr (detail::kIsTask<Returned>) {
    return {Handler([function = Function(std::forward<F>(function))](
                        Context& context) mutable -> Task<void> {
              return detail::call_typed_coroutine<Caller>(context, function);
            }),
            std::move(description)};
  } else {
    return {Handler([function = Function(std::forward<F>(function))](Context& context) mutable {
              detail::call_typed<Caller>(context, function);
            }),
            std::move(description)};
  }
}

}  // namespace weft
