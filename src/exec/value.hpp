// Value: what crosses from one script state to another, or to another thread.
//
// Invariants: a value is a tree and owns all of it, so that it may be handed to any thread; a
// record's names are in order and none occurs twice. One thread at a time, like any container.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace weft::exec {

class Value;

// Bytes that need not be text.
struct Bytes {
  std::string bytes;
  bool operator==(const Bytes&) const = default;
};

// A function that every state of a script has under this name; what is called is the receiver's.
struct FunctionReference {
  std::string name;
  bool operator==(const FunctionReference&) const = default;
};

using ValueList = std::vector<Value>;

// Of a fixed length, where the position says what an element means.
struct Tuple {
  ValueList items;
  bool operator==(const Tuple&) const;
};

// A value that says what it stands for: a time, a decimal number …
struct Tagged {
  std::string tag;
  std::shared_ptr<const Value> value;  // not null
  bool operator==(const Tagged&) const;
};

// Values by name.
class Record {
 public:
  using Member = std::pair<std::string, Value>;

  Record() noexcept = default;
  // Of many at once, in any order; of several of one name it is the last that counts.
  explicit Record(std::vector<Member> members);

  // In place of the one of that name. Moves all behind it: for a few.
  void set(std::string name, Value value);
  // Null when there is none.
  const Value* find(std::string_view name) const noexcept;
  const std::vector<Member>& members() const noexcept { return members_; }
  bool operator==(const Record&) const;

 private:
  std::vector<Member> members_;  // by name
};

class Value {
 public:
  // The order of the alternatives below.
  enum class Kind : std::uint8_t {
    null,
    boolean,
    integer,
    number,
    string,
    bytes,
    list,
    record,
    tuple,
    tagged,
    function,
  };
  using Alternatives = std::variant<std::monostate, bool, std::int64_t, double, std::string, Bytes,
                                    ValueList, Record, Tuple, Tagged, FunctionReference>;

  Value() noexcept = default;
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, Value> &&
             std::constructible_from<Alternatives, std::in_place_type_t<std::remove_cvref_t<T>>, T>)
  Value(T&& value)
      : alternatives_(std::in_place_type<std::remove_cvref_t<T>>, std::forward<T>(value)) {}

  Kind kind() const noexcept { return static_cast<Kind>(alternatives_.index()); }
  bool is_null() const noexcept { return kind() == Kind::null; }
  // Null when it is of another kind.
  template <class T>
  const T* get_if() const noexcept {
    return std::get_if<T>(&alternatives_);
  }
  template <class T>
  T* get_if() noexcept {
    return std::get_if<T>(&alternatives_);
  }
  bool operator==(const Value&) const = default;

 private:
  Alternatives alternatives_;
};

// What may cross at all.
struct ValueLimits {
  // Lists and the like within one another. Each takes stack of whoever walks it, and honest data
  // stays below ten.
  std::size_t depth = 32;
  // Bytes of text, and what holds them, of the whole. A message larger than this belongs in a file.
  std::size_t bytes = std::size_t{16} * 1024 * 1024;
};

// What one value costs beside its text: about what its node takes.
inline constexpr std::size_t kValueNodeBytes = sizeof(Value);

// What the whole counts for, by the rule of ValueLimits.
std::size_t counted_bytes(const Value& value) noexcept;

// Why a value could not cross, and where in it: "$.user.tags[3]".
struct ValueRefusal {
  std::string path;
  std::string reason;

  std::string text() const { return path + " " + reason; }
};

// Whether all of it is well-formed UTF-8 (Unicode 15, table 3-7).
[[nodiscard]] bool is_text(std::string_view bytes) noexcept;

}  // namespace weft::exec
