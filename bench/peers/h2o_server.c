/*
 * h2o as a library: one thread, its own epoll loop, plain text and a JSON route with a parameter.
 *
 * usage: h2o_server PORT
 *
 * The server of that name answers a constant from a file, or by running Ruby, neither of which is
 * what the other peers do.
 */
#include "floor.h"

#define H2O_USE_LIBUV 0
#include <h2o.h>

#define ACCEPTS_PER_EVENT 64
#define TIMEOUT_MILLISECONDS (3600 * 1000)

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_context;

static void answer(h2o_req_t *request, const char *type, h2o_iovec_t body) {
    static h2o_generator_t generator;
    request->res.status = 200;
    request->res.reason = "OK";
    request->res.content_length = body.len;
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type,
                   strlen(type));
    h2o_start_response(request, &generator);
    h2o_send(request, &body, 1, H2O_SEND_STATE_FINAL);
}

static int on_hello(h2o_handler_t *handler, h2o_req_t *request) {
    (void)handler;
    if (request->path_normalized.len != 1) return -1;
    answer(request, "text/plain", h2o_iovec_init(H2O_STRLIT("Hello, World!")));
    return 0;
}

static int on_user(h2o_handler_t *handler, h2o_req_t *request) {
    (void)handler;
    const size_t prefix = strlen("/users/");
    const int length = (int)(request->path_normalized.len - prefix);
    const char *id = request->path_normalized.base + prefix;
    const size_t room = 64 + 2 * (size_t)length;
    char *json = h2o_mem_alloc_pool(&request->pool, room);
    int written = snprintf(json, room, "{\"id\":\"%.*s\",\"name\":\"user%.*s\"}", length, id,
                           length, id);
    answer(request, "application/json", h2o_iovec_init(json, (size_t)written));
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *error) {
    for (int i = 0; error == NULL && i < ACCEPTS_PER_EVENT; i++) {
        h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
        if (socket == NULL) return;
        h2o_accept(&accept_context, socket);
    }
}

static void add_path(h2o_hostconf_t *host, const char *path,
                     int (*on_request)(h2o_handler_t *, h2o_req_t *)) {
    h2o_pathconf_t *route = h2o_config_register_path(host, path, 0);
    h2o_create_handler(route, sizeof(h2o_handler_t))->on_req = on_request;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    prepare_process();
    h2o_config_init(&config);
    config.http1.req_timeout = TIMEOUT_MILLISECONDS;
    config.server_name = h2o_iovec_init(H2O_STRLIT("h2o"));
    h2o_hostconf_t *host =
        h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    add_path(host, "/users/", on_user);
    add_path(host, "/", on_hello);
    h2o_context_init(&context, h2o_evloop_create(), &config);
    accept_context.ctx = &context;
    accept_context.hosts = config.hosts;

    h2o_socket_t *listener = h2o_evloop_socket_create(
        context.loop, open_listener((uint16_t)atoi(argv[1])), H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_accept);
    while (h2o_evloop_run(context.loop, INT32_MAX) == 0) {
    }
    return 1;
}
