/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/http_server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"

enum {
    MOST_CONNECTIONS = 32,
    MOST_REQUEST = 4096,
    PATIENCE_MS = 5000, /* with a request, and with the taking of an answer */
    DRAIN_MS = 500,     /* for the other side to close first, so that it gets all of the answer */
    NAP_MS = 100,       /* when the system has no room for another connection */
    FAREWELL_MS = 500   /* for answers that are on their way when the server is stopped */
};

typedef enum connection_state { READING, WRITING, DRAINING } connection_state;

typedef struct connection {
    int fd; /* -1: a free place */
    connection_state state;
    uint64_t number; /* counts connections: the clock is too coarse to tell which is the oldest */
    int64_t until;   /* milliseconds */
    char request[MOST_REQUEST + 1];
    size_t len;
    beam_buffer answer;
    size_t sent;
} connection;

struct beam_http_server {
    beam_http_answer *answer;
    void *user;
    int listener, wake[2]; /* a byte in wake ends the thread */
    uint16_t port;
    pthread_t thread;
    uint64_t accepted;
    int64_t accept_from; /* milliseconds: nobody is let in before */
    connection connections[MOST_CONNECTIONS];
};

static void end(connection *c)
{
    (void)close(c->fd);
    c->fd = -1;
    beam_buffer_free(&c->answer);
}

/* ---- Requests --------------------------------------------------------------------------- */

typedef struct request {
    char *method, *path;
    bool head;
} request;

/* "localhost:8080" and the like; a name that only resolves to this machine is somebody else's. */
static bool is_here(const char *host)
{
    static const char *const ours[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        size_t len = strlen(ours[i]);
        if (strncasecmp(host, ours[i], len) != 0)
            continue;
        const char *rest = host + len;
        if (!*rest || (*rest == ':' && rest[1] && rest[1 + strspn(rest + 1, "0123456789")] == '\0'))
            return true;
    }
    return false;
}

/* Reads one header line; returns the status to refuse it with, or 0. */
static int read_header(char *line, bool *host)
{
    char *colon = strchr(line, ':');
    if (!colon || colon == line || isspace((unsigned char)colon[-1]) ||
        isspace((unsigned char)*line))
        return 400;
    *colon = '\0';
    if (strcasecmp(line, "Host") != 0)
        return 0;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t len = strlen(value);
    while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        value[--len] = '\0';
    if (*host)
        return 400;
    *host = true;
    return is_here(value) ? 0 : 421;
}

/* Takes the text of a whole request apart, in place; returns the status to refuse it with, or 0. */
static int parse(char *text, request *r)
{
    char *line_end = strstr(text, "\r\n");
    *line_end = '\0';
    r->method = text;
    char *path = strchr(text, ' '), *version = path ? strchr(path + 1, ' ') : NULL;
    if (!path || path == text || !version || path[1] != '/')
        return 400;
    *path++ = '\0';
    *version++ = '\0';
    r->path = path;
    path[strcspn(path, "?#")] = '\0';
    if (strncmp(version, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)version[7]) || version[8])
        return strncmp(version, "HTTP/", 5) == 0 ? 505 : 400;
    bool host = false;
    int refused = 0;
    for (char *line = line_end + 2; *line && strncmp(line, "\r\n", 2) != 0 && !refused;
         line = line_end + 2) {
        line_end = strstr(line, "\r\n");
        *line_end = '\0';
        refused = read_header(line, &host);
    }
    if (refused || !host)
        return refused ? refused : 400;
    r->head = strcmp(r->method, "HEAD") == 0;
    return r->head || strcmp(r->method, "GET") == 0 ? 0 : 405;
}

/* ---- Answers ---------------------------------------------------------------------------- */

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 421:
        return "Misdirected Request";
    case 431:
        return "Request Header Fields Too Large";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

static beam_status put_answer(connection *c, int status, const char *media_type,
                              const beam_buffer *body, bool head)
{
    BEAM_TRY(beam_buffer_printf(&c->answer,
                                "HTTP/1.1 %d %s\r\n"
                                "Content-Type: %s\r\n"
                                "Content-Length: %zu\r\n"
                                "Connection: close\r\n"
                                "Cache-Control: no-store\r\n"
                                "X-Content-Type-Options: nosniff\r\n"
                                "X-Frame-Options: DENY\r\n"
                                "Referrer-Policy: no-referrer\r\n"
                                "Cross-Origin-Resource-Policy: same-origin\r\n"
                                "%s\r\n",
                                status, reason(status), media_type, body->len,
                                status == 405 ? "Allow: GET, HEAD\r\n" : ""));
    return head ? BEAM_OK : beam_buffer_append(&c->answer, body->data, body->len);
}

/* `refused`: with what status, instead of an answer. */
static void respond(beam_http_server *server, connection *c, const request *r, int refused)
{
    beam_buffer body = {0};
    const char *media_type = "text/plain; charset=utf-8";
    beam_status status = BEAM_OK;
    int code = refused ? refused : 200;
    if (!refused) {
        status = server->answer(server->user, r->path, &body, &media_type);
        code = status == BEAM_OK ? 200 : status == BEAM_NOT_FOUND ? 404 : 500;
    }
    if (code != 200) {
        media_type = "text/plain; charset=utf-8";
        body.len = 0;
        status = beam_buffer_printf(&body, "%d %s\n", code, reason(code));
    }
    if (status == BEAM_OK)
        status = put_answer(c, code, media_type, &body, !refused && r->head);
    beam_buffer_free(&body);
    c->state = WRITING;
    c->until = beam_clock_ms() + PATIENCE_MS;
    if (status != BEAM_OK)
        end(c);
}

/* ---- Connections ------------------------------------------------------------------------ */

static void on_readable(beam_http_server *server, connection *c)
{
    ssize_t got = recv(c->fd, c->request + c->len, MOST_REQUEST - c->len, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            end(c);
        return;
    }
    bool text = !memchr(c->request + c->len, '\0', (size_t)got);
    c->len += (size_t)got;
    c->request[c->len] = '\0';
    request r = {0};
    if (!text)
        respond(server, c, &r, 400);
    else if (strstr(c->request, "\r\n\r\n"))
        respond(server, c, &r, parse(c->request, &r));
    else if (c->len == MOST_REQUEST)
        respond(server, c, &r, 431);
}

static void on_writable(connection *c)
{
    ssize_t sent = send(c->fd, c->answer.data + c->sent, c->answer.len - c->sent, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            end(c);
        return;
    }
    c->sent += (size_t)sent;
    if (c->sent < c->answer.len)
        return;
    (void)shutdown(c->fd, SHUT_WR);
    c->state = DRAINING;
    c->until = beam_clock_ms() + DRAIN_MS;
}

static void on_drained(connection *c)
{
    char rest[1024];
    ssize_t got = recv(c->fd, rest, sizeof rest, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        end(c);
}

/* A free place, or that of the connection that is the oldest. */
static connection *place_for(beam_http_server *server)
{
    connection *oldest = &server->connections[0];
    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        connection *c = &server->connections[i];
        if (c->fd < 0)
            return c;
        if (c->number < oldest->number)
            oldest = c;
    }
    end(oldest);
    return oldest;
}

static void on_connect(beam_http_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        /* Who waits stays where he is, and poll would not wait for anything else. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            server->accept_from = beam_clock_ms() + NAP_MS;
        return;
    }
    connection *c = place_for(server);
    *c = (connection){.fd = fd, .state = READING, .number = server->accepted++};
    c->until = beam_clock_ms() + PATIENCE_MS;
}

static void serve(beam_http_server *server, connection *c, short events)
{
    if (c->state == READING && (events & (POLLIN | POLLHUP | POLLERR)))
        on_readable(server, c);
    else if (c->state == WRITING && (events & (POLLOUT | POLLHUP | POLLERR)))
        on_writable(c);
    else if (c->state == DRAINING && (events & (POLLIN | POLLHUP | POLLERR)))
        on_drained(c);
}

/* Ends what has taken too long; returns milliseconds until the next has, or all are let in again.
 */
static int end_late(beam_http_server *server)
{
    int64_t now = beam_clock_ms(), wait = PATIENCE_MS;
    if (server->accept_from > now)
        wait = server->accept_from - now;
    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        connection *c = &server->connections[i];
        if (c->fd < 0)
            continue;
        if (c->until <= now && c->state == READING && c->len)
            respond(server, c, &(request){0}, 408);
        else if (c->until <= now)
            end(c);
        else if (c->until - now < wait)
            wait = c->until - now;
    }
    return (int)wait;
}

static bool is_writing(const beam_http_server *server)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (server->connections[i].fd >= 0 && server->connections[i].state == WRITING)
            return true;
    return false;
}

static void *serve_all(void *self)
{
    beam_http_server *server = self;
    struct pollfd polled[MOST_CONNECTIONS + 2];
    int64_t stop = INT64_MAX;
    while (stop == INT64_MAX || (is_writing(server) && beam_clock_ms() < stop)) {
        int wait = end_late(server);
        bool stopping = stop != INT64_MAX;
        bool closed = stopping || beam_clock_ms() < server->accept_from;
        polled[0] = (struct pollfd){stopping ? -1 : server->wake[0], POLLIN, 0};
        polled[1] = (struct pollfd){closed ? -1 : server->listener, POLLIN, 0};
        for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
            const connection *c = &server->connections[i];
            polled[i + 2] =
                (struct pollfd){c->fd, (short)(c->state == WRITING ? POLLOUT : POLLIN), 0};
        }
        if (poll(polled, MOST_CONNECTIONS + 2, stopping ? FAREWELL_MS / 10 : wait) < 0)
            continue; /* interrupted, or without memory for a moment */
        if (polled[0].revents)
            stop = beam_clock_ms() + FAREWELL_MS;
        for (size_t i = 0; i < MOST_CONNECTIONS; i++)
            if (polled[i + 2].revents)
                serve(server, &server->connections[i], polled[i + 2].revents);
        if (polled[1].revents)
            on_connect(server);
    }
    return NULL;
}

/* ---- The server ------------------------------------------------------------------------- */

static beam_status listen_on(beam_http_server *server, uint16_t port, beam_error *err)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int on = 1;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(server->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, MOST_CONNECTIONS) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0)
        return beam_error_set(err, BEAM_UNAVAILABLE, "cannot listen on 127.0.0.1:%u: %s", port,
                              strerror(errno));
    server->port = ntohs(address.sin_port);
    return BEAM_OK;
}

static void close_all(beam_http_server *server)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (server->connections[i].fd >= 0)
            end(&server->connections[i]);
    const int others[] = {server->listener, server->wake[0], server->wake[1]};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i] >= 0)
            (void)close(others[i]);
    beam_free(server);
}

beam_status beam_http_server_start(uint16_t port, beam_http_answer *answer, void *user,
                                   beam_http_server **out, beam_error *err)
{
    beam_http_server *server = beam_calloc(1, sizeof *server);
    *out = NULL;
    if (!server)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a server");
    server->answer = answer;
    server->user = user;
    server->listener = server->wake[0] = server->wake[1] = -1;
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        server->connections[i].fd = -1;
    beam_status status = listen_on(server, port, err);
    if (status == BEAM_OK && (pipe2(server->wake, O_CLOEXEC) != 0 ||
                              beam_thread_start(&server->thread, serve_all, server) != 0))
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "cannot start a server's thread");
    if (status != BEAM_OK) {
        close_all(server);
        return status;
    }
    *out = server;
    return BEAM_OK;
}

uint16_t beam_http_server_port(const beam_http_server *server)
{
    return server->port;
}

void beam_http_server_stop(beam_http_server *server)
{
    if (!server)
        return;
    while (write(server->wake[1], "", 1) < 0 && errno == EINTR) {
    }
    (void)pthread_join(server->thread, NULL);
    close_all(server);
}
