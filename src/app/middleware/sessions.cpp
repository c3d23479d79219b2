#include "weft/middleware/sessions.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "app/middleware/head_watch.hpp"
#include "app/middleware/session_state.hpp"
#include "app/secrets.hpp"
#include "weft/context.hpp"
#include "weft/secrets.hpp"

namespace weft {

namespace {

// Beyond guessing; in base64url without a rest.
constexpr std::size_t kIdBytes = 24;
constexpr std::size_t kIdText = kIdBytes / 3 * 4;
constexpr std::size_t kCookieBytes = 2900;
constexpr std::size_t kStoreBytes = std::size_t{64} * 1024;
// How far the clocks of two machines may be apart.
constexpr std::int64_t kClockSkew_s = 60;
// Under what name the request has it.
constexpr std::string_view kValueName = "weft.session";

std::size_t base64url_size(std::size_t bytes) { return (bytes * 4 + 2) / 3; }

// Of a cookie that holds entries of so many bytes.
std::size_t cookie_size(std::size_t bytes) {
  return base64url_size(app::kSealBytes + app::SessionState::kFixedBytes + kIdText + bytes);
}

std::string key_in_store(std::string_view id) {
  return app::to_base64url(app::text_of(app::digest_of({"weft session", id})));
}

class Sessions {
 public:
  explicit Sessions(const SessionsOptions& options) : options_(options) {
    if (!options.store) {
      keys_ = app::keys_for(options.keys, "weft session cookie", "sessions");
      options_.keys.clear();
    }
    if (options_.bytes == 0) options_.bytes = options.store ? kStoreBytes : kCookieBytes;
  }

  void handle(Context& context, Next& next) const {
    if (options_.skip && options_.skip(context)) return next();
    Request request(*this, context);
    next();
    request.save_at_end();
  }

 private:
  // The session of one request, from its loading to its saving.
  class Request final : private app::HeadWatch {
   public:
    Request(const Sessions& sessions, Context& context)
        : HeadWatch(context.exchange()),
          sessions_(sessions),
          context_(context),
          now_s_(sessions.now_s()),
          had_cookie_(sessions.load(context, now_s_, state_)),
          shown_(context.set<app::SessionState*>(kValueName, &state_)) {}
    ~Request() { shown_ = nullptr; }

    void save_at_end() { announce_head(); }

   private:
    void before_head() override {
      sessions_.save(context_, now_s_, state_, had_cookie_);
      state_.head_is_out = true;
    }

    const Sessions& sessions_;
    Context& context_;
    std::int64_t now_s_;
    app::SessionState state_;
    bool had_cookie_;
    app::SessionState*& shown_;
  };

  std::int64_t now_s() const {
    const auto now = options_.clock ? options_.clock() : std::chrono::system_clock::now();
    return std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  }

  // Fills the state with what the client has, or with a new session. Whether it has sent a cookie.
  bool load(Context& context, std::int64_t now_s, app::SessionState& state) const {
    const std::string_view cookie = context.cookie(options_.cookie_name);
    if (!cookie.empty()) {
      const bool found = options_.store ? load_stored(cookie, now_s, state)
                                        : open(cookie, state) && is_current(now_s, state);
      state.is_new = !found;
    }
    if (state.is_new) {
      state.entries.clear();
      state.bytes = 0;
      state.id.clear();  // made when it is needed
      state.created_s = now_s;
      state.used_s = now_s;
    }
    state.now_s = now_s;
    state.most_bytes = options_.bytes;
    return !cookie.empty();
  }

  bool open(std::string_view cookie, app::SessionState& state) const {
    if (cookie.size() > cookie_size(options_.bytes)) return false;
    const auto sealed = app::from_base64url(cookie);
    if (!sealed) return false;
    const auto bytes = app::unseal(keys_, *sealed, options_.cookie_name);
    return bytes && app::decode_session(*bytes, state);
  }

  bool load_stored(std::string_view cookie, std::int64_t now_s, app::SessionState& state) const {
    if (cookie.size() != kIdText || !app::from_base64url(cookie)) return false;
    const std::string key = key_in_store(cookie);
    const auto bytes = options_.store->load(key);
    if (!bytes || !app::decode_session(*bytes, state)) return false;
    if (!is_current(now_s, state)) {
      options_.store->destroy(key);
      return false;
    }
    state.id = cookie;
    return true;
  }

  bool is_current(std::int64_t now_s, const app::SessionState& state) const noexcept {
    return state.created_s <= now_s + kClockSkew_s && state.used_s <= now_s + kClockSkew_s &&
           now_s - state.used_s < options_.idle_timeout.count() &&
           now_s - state.created_s < options_.absolute_timeout.count();
  }

  void save(Context& context, std::int64_t now_s, app::SessionState& state, bool had_cookie) const {
    if (state.is_over) {
      if (options_.store) {
        for (const std::string& id : {state.former_id, state.is_new ? std::string() : state.id}) {
          if (!id.empty()) options_.store->destroy(key_in_store(id));
        }
      }
      return forget(context, had_cookie);
    }
    if (!app::is_kept(state)) return forget(context, had_cookie);
    // One that is used all the time is written now and then only.
    const bool is_due =
        now_s - state.used_s >= std::max<std::int64_t>(options_.idle_timeout.count() / 10, 1);
    if (!state.is_new && !state.is_changed && !is_due) return;
    state.used_s = std::max(state.used_s, now_s);
    (void)app::id_of(state);
    if (options_.store) return save_in_store(context, now_s, state);
    const std::string bytes = app::encode_session(state, state.id);
    set_cookie(context, app::to_base64url(app::seal(keys_.front(), bytes, options_.cookie_name)));
  }

  void save_in_store(Context& context, std::int64_t now_s, app::SessionState& state) const {
    const bool is_renamed = !state.former_id.empty();
    const std::chrono::seconds left(
        std::min<std::int64_t>(options_.idle_timeout.count(),
                               state.created_s + options_.absolute_timeout.count() - now_s));
    const std::string key = key_in_store(state.id);
    const std::string bytes = app::encode_session(state, {});
    const bool saved = is_renamed
                           ? options_.store->rename(key_in_store(state.former_id), key, bytes, left)
                           : options_.store->save(key, bytes, left,
                                                  state.is_new ? SessionStore::Save::created
                                                               : SessionStore::Save::existing);
    // One that another request has destroyed or renamed meanwhile stays gone under any id, and that
    // request's cookie is left to the client, whichever answer it gets last.
    if (!saved) return;
    if (state.is_new || is_renamed || options_.cookie.max_age) set_cookie(context, state.id);
  }

  void set_cookie(Context& context, std::string_view value) const {
    context.set_cookie(options_.cookie_name, value, options_.cookie);
  }

  void forget(Context& context, bool had_cookie) const {
    if (had_cookie) context.clear_cookie(options_.cookie_name, options_.cookie);
  }

  SessionsOptions options_;
  std::vector<app::SecretKey> keys_;
};

}  // namespace

namespace app {

SessionState* session_state_of(Context& context) noexcept {
  SessionState** const found = context.get<SessionState*>(kValueName);
  return found != nullptr ? *found : nullptr;
}

std::string_view id_of(SessionState& state) {
  if (state.id.empty()) state.id = random_token(kIdBytes);
  return state.id;
}

}  // namespace app

std::string_view Session::id() {
  if (state_->is_new && !state_->is_wanted) {
    state_->require_changeable();
    state_->is_wanted = true;
  }
  return app::id_of(*state_);
}

Session& Session::regenerate() {
  state_->require_changeable();
  if (!state_->is_new && state_->former_id.empty()) state_->former_id = state_->id;
  state_->id = random_token(kIdBytes);
  state_->created_s = state_->now_s;
  state_->is_changed = true;
  state_->is_wanted = true;
  state_->is_renewed = true;
  return *this;
}

void Session::destroy() {
  state_->require_changeable();
  state_->entries.clear();
  state_->bytes = 0;
  state_->is_over = true;
}

Session session(Context& context) {
  app::SessionState* const state = app::session_state_of(context);
  if (state == nullptr) {
    throw std::logic_error(
        "there is no session: put weft::sessions() around this route, by App::use() say");
  }
  return Session(*state);
}

bool has_session(Context& context) noexcept { return app::session_state_of(context) != nullptr; }

Middleware sessions(const SessionsOptions& options) {
  const auto refuse = [](const char* why) { throw std::invalid_argument(why); };
  if (options.store && !options.keys.empty()) {
    refuse("sessions has a .store and .keys: cookies are sealed only where there is no store");
  }
  if (options.idle_timeout.count() <= 0 || options.absolute_timeout.count() <= 0) {
    refuse("sessions has a timeout that is not positive: give .idle_timeout an hour say");
  }
  // Longer ones are for ever, and times add up.
  constexpr std::chrono::seconds kLongest = std::chrono::hours(24) * 365 * 100;
  if (options.idle_timeout > kLongest || options.absolute_timeout > kLongest) {
    refuse("sessions has a timeout of more than a hundred years: lower it");
  }
  Sessions made(options);
  std::size_t longest = kIdText;
  if (!options.store) longest = cookie_size(options.bytes == 0 ? kCookieBytes : options.bytes);
  // Says what is wrong with the cookie, also that it is too long.
  (void)set_cookie_text(options.cookie_name, std::string(longest, 'A'), options.cookie);
  return [self = std::move(made)](Context& context, Next& next) { self.handle(context, next); };
}

}  // namespace weft
