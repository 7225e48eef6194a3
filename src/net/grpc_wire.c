/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/blocks.h"
#include "net/connect.h"
#include "net/grpc_error.h"
#include "net/nghttp2_library.h"
#include "net/wait.h"

enum {
    PATIENCE_MS = 20000,   /* with a server that does not begin to talk */
    WINDOW = 4 << 20,      /* bytes that may come before they are wanted */
    LEAST_ROOM = 16 << 10, /* in a block that is read into */
    FRAMES = 32,           /* that are sent at once */
    CONTROL = 4096,        /* bytes of other frames and of frames' heads that are */
    PARTS = 3,             /* of a message: its prefix, its head, its body */
    PREFIX = 5
};

static const char GRPC_TYPE[] = "application/grpc", NO_HTTP2[] = "it does not speak HTTP/2";

/* Bytes that came, and were not wanted yet. */
typedef struct arrival {
    const uint8_t *at;
    size_t len;
    beam_block *block;
} arrival;

typedef struct arrivals {
    arrival *all;
    size_t first, end, capacity;
} arrivals;

/* What the system is to be given, and has not taken. */
typedef struct outgoing {
    struct iovec all[FRAMES * (PARTS + 1)];
    size_t first, end;
    uint8_t control[CONTROL];
    size_t n_control;
} outgoing;

struct beam_grpc_wire {
    char *endpoint;
    const char *what;
    const int *stop;
    int fd;
    pthread_mutex_t lock; /* of all that follows but `block`, which is of who reads the socket */
    pthread_cond_t changed;
    bool reading; /* a thread waits at the socket, or reads it */
    beam_blocks *blocks;
    beam_block *block;
    size_t used;
    nghttp2_session *session;
    int32_t stream;
    arrivals arrived;
    size_t left; /* of the message that is read */
    outgoing out;
    beam_bytes parts[PARTS]; /* of the message that is written, what nghttp2 has not sent of it */
    int64_t heard_at;        /* ms; when bytes came the last time */
    int64_t asked_at;        /* for a sign of life, since then; 0: it was not */
    bool greeted;            /* by the server's settings */
    bool ended;
    unsigned http;      /* status; 0: none came */
    long grpc;          /* status; -1: none came */
    char words[400];    /* that came with it */
    const char *broken; /* why the connection is of no use; NULL: it is not broken, or cancelled */
    bool cancelled;
};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a stream");
}

/* ---- How it ends ------------------------------------------------------------------------- */

static void end_by(beam_grpc_wire *w, const char *why)
{
    if (!w->ended)
        w->broken = why;
    w->ended = true;
}

static beam_status unreachable(const beam_grpc_wire *w, const char *why, beam_error *err)
{
    return beam_grpc_failed(w->endpoint, w->what, BEAM_UNAVAILABLE, why, err);
}

/* What an ended stream ended with. */
static beam_status end_status(const beam_grpc_wire *w, beam_error *err)
{
    char refused[64];
    if (w->cancelled)
        return beam_grpc_stopped(w->endpoint, w->what, err);
    if (w->grpc == 0)
        return BEAM_OK;
    if (w->grpc > 0)
        return beam_grpc_failed(w->endpoint, w->what, w->grpc, w->words, err);
    if (w->http && w->http != 200) {
        (void)snprintf(refused, sizeof refused, "it answers with HTTP status %u", w->http);
        return unreachable(w, refused, err);
    }
    return unreachable(w, w->broken ? w->broken : "it ended the stream without a status", err);
}

/* ---- What nghttp2 calls ------------------------------------------------------------------ */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *user)
{
    beam_grpc_wire *w = user;
    arrivals *a = &w->arrived;
    void *all = a->all;
    (void)session, (void)flags, (void)stream;
    if (a->first && a->end == a->capacity) {
        memmove(a->all, a->all + a->first, (a->end - a->first) * sizeof *a->all);
        a->end -= a->first;
        a->first = 0;
    }
    int grown = beam_grow(&all, &a->capacity, a->end + 1, sizeof *a->all);
    a->all = all;
    if (grown != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    beam_block_keep(w->block);
    a->all[a->end++] = (arrival){data, len, w->block};
    return 0;
}

/* Percent-decoded, as far as there is room. */
static void set_words(beam_grpc_wire *w, const uint8_t *value, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < sizeof w->words; i++) {
        char hex[3] = {0};
        char *end = hex;
        if (value[i] == '%' && len - i > 2) {
            memcpy(hex, value + i + 1, 2);
            w->words[n] = (char)strtol(hex, &end, 16);
        }
        if (end == hex + 2)
            i += 2;
        else
            w->words[n] = (char)value[i];
        n++;
    }
    w->words[n] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    beam_grpc_wire *w = user; /* names and values end in a NUL */
    (void)session, (void)frame, (void)name_len, (void)flags;
    if (strcmp((const char *)name, ":status") == 0)
        w->http = (unsigned)strtoul((const char *)value, NULL, 10);
    else if (strcmp((const char *)name, "grpc-status") == 0)
        w->grpc = strtol((const char *)value, NULL, 10);
    else if (strcmp((const char *)name, "grpc-message") == 0)
        set_words(w, value, value_len);
    else if (strcmp((const char *)name, "content-type") == 0 && w->http == 200 &&
             strncmp((const char *)value, GRPC_TYPE, strlen(GRPC_TYPE)) != 0)
        end_by(w, "it does not speak gRPC");
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    beam_grpc_wire *w = user;
    (void)session;
    w->greeted = w->greeted || frame->hd.type == NGHTTP2_SETTINGS;
    if (frame->hd.stream_id == w->stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
        (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
        w->ended = true;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    beam_grpc_wire *w = user;
    (void)session;
    if (stream == w->stream)
        end_by(w, code ? nghttp2_http2_strerror(code) : NULL);
    return 0;
}

static void add_outgoing(outgoing *o, const void *at, size_t len)
{
    o->all[o->end++] = (struct iovec){(void *)at, len};
}

/* A frame that is no message's; copied. */
static ssize_t send_control(nghttp2_session *session, const uint8_t *data, size_t len, int flags,
                            void *user)
{
    outgoing *o = &((beam_grpc_wire *)user)->out;
    size_t room = CONTROL - o->n_control;
    (void)session, (void)flags;
    if (room == 0 || o->end + PARTS + 1 > sizeof o->all / sizeof *o->all)
        return NGHTTP2_ERR_WOULDBLOCK;
    if (len > room)
        len = room;
    memcpy(o->control + o->n_control, data, len);
    add_outgoing(o, o->control + o->n_control, len);
    o->n_control += len;
    return (ssize_t)len;
}

static ssize_t offer_message(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t most,
                             uint32_t *flags, nghttp2_data_source *source, void *user)
{
    const beam_grpc_wire *w = user;
    size_t left = 0;
    (void)session, (void)stream, (void)buffer, (void)source;
    for (size_t i = 0; i < PARTS; i++)
        left += w->parts[i].len;
    if (left == 0)
        return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return (ssize_t)(left < most ? left : most);
}

/* A frame of the message's next bytes; they stay where they are. */
static int send_message(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t len, nghttp2_data_source *source, void *user)
{
    enum { HEAD = 9 };
    beam_grpc_wire *w = user;
    outgoing *o = &w->out;
    (void)session, (void)frame, (void)source;
    if (CONTROL - o->n_control < HEAD || o->end + PARTS + 1 > sizeof o->all / sizeof *o->all)
        return NGHTTP2_ERR_WOULDBLOCK;
    memcpy(o->control + o->n_control, head, HEAD);
    add_outgoing(o, o->control + o->n_control, HEAD);
    o->n_control += HEAD;
    for (size_t i = 0; i < PARTS && len; i++) {
        beam_bytes *part = &w->parts[i];
        size_t n = part->len < len ? part->len : len;
        if (n)
            add_outgoing(o, part->at, n);
        *part = (beam_bytes){(const char *)part->at + n, part->len - n};
        len -= n;
    }
    return 0;
}

/* ---- Out --------------------------------------------------------------------------------- */

/* Gives the system what it takes. */
static void flush(beam_grpc_wire *w)
{
    outgoing *o = &w->out;
    while (o->first < o->end) {
        const struct msghdr message = {.msg_iov = o->all + o->first,
                                       .msg_iovlen = o->end - o->first};
        ssize_t sent = sendmsg(w->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            end_by(w, strerror(errno));
        if (sent < 0)
            return;
        for (size_t n = (size_t)sent; n;) {
            struct iovec *at = &o->all[o->first];
            size_t part = at->iov_len < n ? at->iov_len : n;
            *at = (struct iovec){(char *)at->iov_base + part, at->iov_len - part};
            n -= part;
            o->first += at->iov_len == 0;
        }
    }
    o->first = o->end = o->n_control = 0;
}

/* With the lock held: sends all that may be sent now. */
static void send_all(beam_grpc_wire *w)
{
    do {
        int number = w->ended ? 0 : nghttp2_session_send(w->session);
        if (number != 0)
            end_by(w, nghttp2_strerror(number));
        flush(w);
    } while (!w->ended && w->out.end == 0 && nghttp2_session_want_write(w->session));
}

static bool is_sent(const beam_grpc_wire *w)
{
    return w->parts[PARTS - 1].len == 0 && w->parts[0].len == 0 && w->parts[1].len == 0 &&
           w->out.end == 0;
}

/* ---- In ---------------------------------------------------------------------------------- */

/* Who reads the socket: a block with room. */
static bool have_room(beam_grpc_wire *w)
{
    if (w->block && BEAM_BLOCK_BYTES - w->used >= LEAST_ROOM)
        return true;
    beam_block_release(w->block);
    w->block = beam_block_get(w->blocks);
    w->used = 0;
    return w->block != NULL;
}

/* Nothing came for now.  It is looked at after the socket: whoever reads may have been long at
 * something else, and the answer be there. */
static void look_for_life(beam_grpc_wire *w)
{
    int64_t now = beam_clock_ms();
    if (w->asked_at && now - w->asked_at >= beam_wait_keepalive.patience_ms) {
        end_by(w, "it gives no sign of life");
    } else if (!w->asked_at && now - w->heard_at >= beam_wait_keepalive.quiet_ms) {
        int number = nghttp2_submit_ping(w->session, NGHTTP2_FLAG_NONE, NULL);
        if (number != 0)
            end_by(w, nghttp2_strerror(number));
        w->asked_at = now;
    }
}

static void receive(beam_grpc_wire *w, ssize_t n, int number)
{
    if (n > 0) {
        const uint8_t *at = w->block->bytes + w->used;
        w->used += (size_t)n;
        w->heard_at = beam_clock_ms();
        w->asked_at = 0;
        ssize_t taken = nghttp2_session_mem_recv(w->session, at, (size_t)n);
        if (taken < 0)
            end_by(w, taken == NGHTTP2_ERR_NOMEM || taken == NGHTTP2_ERR_CALLBACK_FAILURE
                          ? "no memory"
                          : NO_HTTP2);
    } else if (n == 0) {
        end_by(w, "it closed the connection");
    } else if (number != EAGAIN && number != EINTR) {
        end_by(w, strerror(number));
    } else if (!w->ended) {
        look_for_life(w);
    }
}

/* With the lock held, which it gives up meanwhile: waits until something has changed, as one of
 * those who wait reads what comes for all. */
static void wait_for_change(beam_grpc_wire *w)
{
    if (w->reading) {
        pthread_cond_wait(&w->changed, &w->lock);
        return;
    }
    struct pollfd at = {.fd = w->fd, .events = POLLIN};
    if (w->out.end)
        at.events |= POLLOUT;
    ssize_t n = -1;
    int number = EAGAIN;
    w->reading = true;
    pthread_mutex_unlock(&w->lock);
    bool room = have_room(w);
    if (room && poll(&at, 1, BEAM_WAIT_TICK_MS) > 0 && at.revents & ~POLLOUT) {
        n = recv(w->fd, w->block->bytes + w->used, BEAM_BLOCK_BYTES - w->used, MSG_DONTWAIT);
        number = errno;
    }
    pthread_mutex_lock(&w->lock);
    w->reading = false;
    if (!room)
        end_by(w, "no memory");
    else
        receive(w, n, number);
    if (beam_wait_stopped(w->stop))
        w->cancelled = w->ended = true;
    send_all(w);
    if (!w->ended && !nghttp2_session_want_read(w->session)) /* nghttp2 has taken its leave */
        end_by(w, NO_HTTP2);
    pthread_cond_broadcast(&w->changed);
}

/* With the lock held: bytes are there.  Else the stream has ended. */
static bool wait_for_bytes(beam_grpc_wire *w)
{
    while (w->arrived.first == w->arrived.end && !w->ended)
        wait_for_change(w);
    return w->arrived.first < w->arrived.end && !w->cancelled;
}

/* The next arrival, or as many of its bytes as are wanted; the block has another keeper then. */
static beam_bytes take_arrival(beam_grpc_wire *w, size_t most)
{
    arrival *a = &w->arrived.all[w->arrived.first];
    size_t n = a->len < most ? a->len : most;
    const beam_bytes taken = {a->at, n};
    a->at += n;
    a->len -= n;
    if (a->len == 0) {
        beam_block_release(a->block);
        w->arrived.first++;
    }
    return taken;
}

/* Bytes that are wanted no more give others their place. */
static void make_way(beam_grpc_wire *w, size_t n)
{
    if (w->ended)
        return;
    int number = nghttp2_session_consume(w->session, w->stream, n);
    if (number != 0)
        end_by(w, nghttp2_strerror(number));
    else if (nghttp2_session_want_write(w->session))
        send_all(w);
}

static beam_status early_end(const beam_grpc_wire *w, beam_error *err)
{
    beam_status status = end_status(w, err);
    return status != BEAM_OK
               ? status
               : beam_error_set(err, BEAM_DATA_LOSS, "%s, asked to %s, ended within a message",
                                w->endpoint, w->what);
}

/* With the lock held; *n becomes how many were there, which is all, or the stream has ended. */
static void copy_bytes(beam_grpc_wire *w, uint8_t *to, size_t size, size_t *n)
{
    for (*n = 0; *n < size && wait_for_bytes(w);) {
        beam_block *block = w->arrived.all[w->arrived.first].block;
        beam_block_keep(block);
        const beam_bytes part = take_arrival(w, size - *n);
        memcpy(to + *n, part.at, part.len);
        beam_block_release(block);
        *n += part.len;
    }
    make_way(w, *n);
}

beam_status beam_grpc_wire_next(beam_grpc_wire *w, size_t *size, bool *open, beam_error *err)
{
    uint8_t prefix[PREFIX];
    size_t n;
    pthread_mutex_lock(&w->lock);
    copy_bytes(w, prefix, PREFIX, &n);
    beam_status status = n == PREFIX ? BEAM_OK : n ? early_end(w, err) : end_status(w, err);
    *open = n == PREFIX;
    if (*open && prefix[0] != 0)
        status = beam_error_set(err, BEAM_UNIMPLEMENTED,
                                "%s, asked to %s, sends what is compressed, unasked", w->endpoint,
                                w->what);
    if (*open)
        *size = w->left =
            (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
    pthread_mutex_unlock(&w->lock);
    return status;
}

static beam_status too_many(beam_error *err)
{
    return beam_error_set(err, BEAM_OUT_OF_RANGE, "a message has no such bytes");
}

beam_status beam_grpc_wire_read(beam_grpc_wire *w, void *to, size_t size, beam_error *err)
{
    size_t n;
    if (size > w->left)
        return too_many(err);
    pthread_mutex_lock(&w->lock);
    copy_bytes(w, to, size, &n);
    beam_status status = n == size ? BEAM_OK : early_end(w, err);
    pthread_mutex_unlock(&w->lock);
    w->left -= n;
    return status;
}

/* How many of the next `most` bytes are there, in the first one's block, in *n arrivals. */
static size_t find_part(const beam_grpc_wire *w, size_t most, size_t *n)
{
    const arrivals *a = &w->arrived;
    size_t size = 0;
    *n = 0;
    for (size_t i = a->first;
         i < a->end && size < most && a->all[i].block == a->all[a->first].block; i++, ++*n)
        size += a->all[i].len;
    return size < most ? size : most;
}

beam_status beam_grpc_wire_take(beam_grpc_wire *w, size_t most, beam_spans *part, beam_error *err)
{
    size_t n;
    if (most == 0 || most > w->left)
        return too_many(err);
    pthread_mutex_lock(&w->lock);
    beam_status status = wait_for_bytes(w) ? BEAM_OK : early_end(w, err);
    size_t size = status == BEAM_OK ? find_part(w, most, &n) : 0;
    if (size && !(part->all = beam_malloc(n * sizeof *part->all)))
        status = no_memory(err);
    if (status == BEAM_OK) {
        part->memory = w->arrived.all[w->arrived.first].block;
        part->free = beam_block_release;
        beam_block_keep(part->memory);
        for (; part->size < size; part->n++) {
            part->all[part->n] = take_arrival(w, size - part->size);
            part->size += part->all[part->n].len;
        }
        make_way(w, size);
        w->left -= size;
    }
    pthread_mutex_unlock(&w->lock);
    return status;
}

/* ---- Written ----------------------------------------------------------------------------- */

/* With the lock held, which it gives up meanwhile. */
static void wait_to_send(beam_grpc_wire *w)
{
    struct pollfd at = {.fd = w->fd, .events = POLLOUT};
    if (w->out.end == 0 || !w->reading) {
        wait_for_change(w);
        return;
    }
    pthread_mutex_unlock(&w->lock); /* who reads the socket does not wait for it to take more */
    (void)poll(&at, 1, BEAM_WAIT_TICK_MS);
    pthread_mutex_lock(&w->lock);
    send_all(w);
}

beam_status beam_grpc_wire_write(beam_grpc_wire *w, const beam_buffer *head,
                                 const beam_buffer *body, beam_error *err)
{
    size_t size = head->len + body->len;
    if (size > UINT32_MAX)
        return beam_error_set(err, BEAM_OUT_OF_RANGE, "a message of %zu bytes, of at most 4 GiB",
                              size);
    const uint8_t prefix[PREFIX] = {0, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
                                    (uint8_t)(size >> 8), (uint8_t)size};
    pthread_mutex_lock(&w->lock);
    w->parts[0] = (beam_bytes){prefix, PREFIX};
    w->parts[1] = (beam_bytes){head->data, head->len};
    w->parts[2] = (beam_bytes){body->data, body->len};
    if (!w->ended) /* it fails where sending has not been put off */
        (void)nghttp2_session_resume_data(w->session, w->stream);
    send_all(w);
    while (!is_sent(w) && !w->ended)
        wait_to_send(w);
    beam_status status = BEAM_OK;
    if (!is_sent(w)) {
        status = end_status(w, err);
        if (status == BEAM_OK)
            status = beam_grpc_ended_early(w->endpoint, w->what, err);
        w->out.first = w->out.end = 0; /* it may point to what is the caller's */
    }
    memset(w->parts, 0, sizeof w->parts);
    pthread_mutex_unlock(&w->lock);
    return status;
}

/* ---- Opened and closed ------------------------------------------------------------------- */

static void *session_malloc(size_t size, void *user)
{
    (void)user;
    return beam_malloc(size);
}

static void session_free(void *memory, void *user)
{
    (void)user;
    beam_free(memory);
}

static void *session_calloc(size_t n, size_t size, void *user)
{
    (void)user;
    return beam_calloc(n, size);
}

static void *session_realloc(void *memory, size_t size, void *user)
{
    (void)user;
    return beam_realloc(memory, size);
}

static int open_session(beam_grpc_wire *w)
{
    nghttp2_mem memory = {NULL, session_malloc, session_free, session_calloc, session_realloc};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int number = nghttp2_session_callbacks_new(&callbacks);
    if (number == 0)
        number = nghttp2_option_new(&option);
    if (number == 0) {
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_session_callbacks_set_send_callback(callbacks, send_control);
        nghttp2_session_callbacks_set_send_data_callback(callbacks, send_message);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        number = nghttp2_session_client_new3(&w->session, callbacks, w, option, &memory);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return number;
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static int begin_call(beam_grpc_wire *w, const beam_grpc_options *options)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    const nghttp2_data_provider provider = {.read_callback = offer_message};
    nghttp2_nv headers[] = {header(":method", "POST"),
                            header(":scheme", "http"),
                            header(":path", options->method),
                            header(":authority", w->endpoint),
                            header("te", "trailers"),
                            header("content-type", GRPC_TYPE),
                            header("user-agent", "libbeam"),
                            header("worker_id", options->worker_id ? options->worker_id : "")};
    size_t n = sizeof headers / sizeof *headers - (options->worker_id == NULL);
    int number = nghttp2_submit_settings(w->session, NGHTTP2_FLAG_NONE, settings,
                                         sizeof settings / sizeof *settings);
    if (number == 0)
        number = nghttp2_session_set_local_window_size(w->session, NGHTTP2_FLAG_NONE, 0, WINDOW);
    if (number == 0)
        w->stream = nghttp2_submit_request(w->session, NULL, headers, n, &provider, NULL);
    return number != 0 ? number : w->stream < 0 ? w->stream : 0;
}

/* A server says something as soon as it is connected to. */
static beam_status greet(beam_grpc_wire *w, beam_error *err)
{
    int64_t until = beam_clock_ms() + PATIENCE_MS;
    pthread_mutex_lock(&w->lock);
    w->heard_at = beam_clock_ms();
    send_all(w);
    while (!w->greeted && !w->ended && beam_clock_ms() < until)
        wait_for_change(w);
    beam_status status = BEAM_OK;
    if (!w->greeted && !w->ended) /* or else whoever reads sees how it ended */
        status = unreachable(w, "it does not answer", err);
    else if (!w->greeted)
        status = end_status(w, err);
    pthread_mutex_unlock(&w->lock);
    return status;
}

static beam_status start(beam_grpc_wire *w, const beam_grpc_options *options, beam_error *err)
{
    beam_error why = {0};
    beam_status status = beam_connect(w->endpoint, w->stop, &w->fd, &why);
    if (status == BEAM_CANCELLED) {
        w->cancelled = true;
        return end_status(w, err);
    }
    if (status != BEAM_OK)
        return unreachable(w, why.message, err);
    int number = open_session(w);
    if (number == 0)
        number = begin_call(w, options);
    if (number != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s cannot be asked to %s: %s",
                              w->endpoint, w->what, nghttp2_strerror(number));
    return greet(w, err);
}

static beam_grpc_wire *new_wire(const char *endpoint, const beam_grpc_options *options)
{
    beam_grpc_wire *w = beam_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    if (pthread_mutex_init(&w->lock, NULL) != 0) {
        beam_free(w);
        return NULL;
    }
    if (pthread_cond_init(&w->changed, NULL) != 0) {
        pthread_mutex_destroy(&w->lock);
        beam_free(w);
        return NULL;
    }
    w->what = options->what;
    w->stop = options->stop;
    w->fd = -1;
    w->grpc = -1;
    w->endpoint = beam_strdup(endpoint);
    w->blocks = beam_blocks_open();
    if (w->endpoint && w->blocks)
        return w;
    beam_grpc_wire_close(w);
    return NULL;
}

beam_status beam_grpc_wire_open(const char *endpoint, const beam_grpc_options *options,
                                beam_grpc_wire **wire, beam_error *err)
{
    *wire = NULL;
    BEAM_TRY(beam_library_open(&beam_nghttp2_library, err));
    beam_grpc_wire *w = new_wire(endpoint, options);
    if (!w)
        return no_memory(err);
    beam_status status = start(w, options, err);
    if (status == BEAM_OK)
        *wire = w;
    else
        beam_grpc_wire_close(w);
    return status;
}

void beam_grpc_wire_cancel(beam_grpc_wire *w)
{
    pthread_mutex_lock(&w->lock);
    if (!w->ended) { /* the other side is told, if that can be done at once */
        (void)nghttp2_submit_rst_stream(w->session, NGHTTP2_FLAG_NONE, w->stream, NGHTTP2_CANCEL);
        send_all(w);
    }
    w->cancelled = w->ended = true;
    (void)shutdown(w->fd, SHUT_RDWR); /* wakes who waits at it */
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void beam_grpc_wire_close(beam_grpc_wire *w)
{
    if (!w)
        return;
    if (w->session)
        nghttp2_session_del(w->session);
    if (w->fd >= 0)
        (void)close(w->fd);
    for (arrivals *a = &w->arrived; a->first < a->end; a->first++)
        beam_block_release(a->all[a->first].block);
    beam_free(w->arrived.all);
    beam_block_release(w->block);
    beam_blocks_close(w->blocks);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    beam_free(w->endpoint);
    beam_free(w);
}
