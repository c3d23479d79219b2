// What of weft's a function may hold that other states of its script are sent: the app and its
// groups, dictionaries, channels and middleware in the box.
#include <memory>
#include <new>
#include <utility>

#include "app/lua/bindings.hpp"

namespace weft::app::lua {

namespace {

lua_State* state_from(void* state) noexcept { return static_cast<lua_State*>(state); }

// All states have the same ones, in the same order.
class SendableGroup final : public exec::SendableThing {
 public:
  explicit SendableGroup(std::size_t number) : number_(number) {}
  void push(void* state) const override {
    auto& groups = State::of(state_from(state)).groups;
    if (number_ >= groups.size()) {
      luaL_error(state_from(state),
                 "the script has made other groups in the state of this worker; what it makes "
                 "must not depend on time or chance");
    }
    push_group(state_from(state), groups[number_]);
  }

 private:
  std::size_t number_;
};

// An object of C++'s that lives in a userdata, and its class.
template <class T>
class SendableCopy final : public exec::SendableThing {
 public:
  SendableCopy(T object, const char* name) : object_(std::move(object)), name_(name) {}
  void push(void* state) const override {
    void* const place = lua_newuserdatauv(state_from(state), sizeof(T), 0);
    new (place) T(object_);
    // Only what is one has the function that ends it.
    luaL_setmetatable(state_from(state), name_);
  }

 private:
  T object_;
  const char* name_;
};

}  // namespace

std::shared_ptr<const exec::SendableThing> find_thing(lua_State* state, int index) {
  if (const auto* const group = static_cast<Group**>(luaL_testudata(state, index, kAppClass))) {
    auto& groups = State::of(state).groups;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (&groups[i] == *group) return std::make_shared<SendableGroup>(i);
    }
    return nullptr;
  }
  if (const auto* const dictionary =
          static_cast<exec::SharedDictionary**>(luaL_testudata(state, index, kSharedClass))) {
    return std::make_shared<SendableCopy<exec::SharedDictionary*>>(*dictionary, kSharedClass);
  }
  if (const auto* const channel =
          static_cast<ValueChannel*>(luaL_testudata(state, index, kChannelClass))) {
    return std::make_shared<SendableCopy<ValueChannel>>(*channel, kChannelClass);
  }
  if (const Middleware* const middleware = middleware_at(state, index)) {
    return std::make_shared<SendableCopy<Middleware>>(*middleware, kMiddlewareClass);
  }
  if (const auto* const schema = schema_at(state, index)) {
    return std::make_shared<SendableCopy<std::shared_ptr<const Schema>>>(*schema, kSchemaClass);
  }
  return nullptr;
}

}  // namespace weft::app::lua
