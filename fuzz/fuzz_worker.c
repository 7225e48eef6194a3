/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_worker.c - an engine that says anything to a worker: a descriptor, instructions, elements,
 * answers for side inputs; and a network of which one operation fails.
 *
 * The whole worker runs, on a network of this file's own in place of net/grpc.c and grpc_wire.c.
 * Input: two bytes, the number of the network operation that fails (0: none), then messages, each
 * of a byte (which stream, see below), two bytes of length, and as many of the message.  Whatever
 * is said, a worker that ends well has answered each instruction once. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <beam/app.h>

#include "base/alloc.h"
#include "graph/pipeline.h"
#include "model/message.h"
#include "model/proto/fn_api.pb-c.h"
#include "net/grpc.h"
#include "net/grpc_wire.h"
#include "worker/worker.h"

enum { DESCRIBE, CONTROL, DATA, STATE, LOGGING, STREAMS };

typedef struct message {
    const uint8_t *bytes;
    size_t size;
} message;

enum { MOST_MESSAGES = 64 };

static struct network {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    message messages[STREAMS][MOST_MESSAGES];
    size_t n[STREAMS], read[STREAMS];
    bool cancelled[STREAMS];
    unsigned operations, fail_at;
    size_t asked, answered; /* instructions */
} net = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct beam_grpc_channel {
    char unused;
};
struct beam_grpc_stream {
    int kind;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- In place of net/grpc.c ------------------------------------------------------------------ */

static beam_status operation(beam_error *err)
{
    pthread_mutex_lock(&net.lock);
    bool fails = ++net.operations == net.fail_at;
    pthread_mutex_unlock(&net.lock);
    return fails ? beam_error_set(err, BEAM_UNAVAILABLE, "the network fails") : BEAM_OK;
}

beam_status beam_grpc_begin(beam_error *err)
{
    return operation(err);
}

void beam_grpc_end(void)
{
}

beam_status beam_grpc_channel_open(const char *endpoint, beam_grpc_channel **channel,
                                   beam_error *err)
{
    (void)endpoint;
    *channel = NULL;
    BEAM_TRY(operation(err));
    *channel = beam_calloc(1, sizeof **channel);
    return *channel ? BEAM_OK : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory");
}

void beam_grpc_channel_close(beam_grpc_channel *channel)
{
    beam_free(channel);
}

beam_status beam_grpc_call(beam_grpc_channel *channel, const beam_grpc_options *options,
                           const void *request, size_t size, beam_buffer *answer, beam_error *err)
{
    (void)channel, (void)options, (void)request, (void)size;
    BEAM_TRY(operation(err));
    if (!net.n[DESCRIBE])
        return beam_error_set(err, BEAM_NOT_FOUND, "the engine knows no such descriptor");
    const message *m = &net.messages[DESCRIBE][0];
    return beam_buffer_append(answer, m->bytes, m->size);
}

beam_status beam_grpc_stream_open(beam_grpc_channel *channel, const beam_grpc_options *options,
                                  beam_grpc_stream **stream, beam_error *err)
{
    static const char *const names[STREAMS] = {
        [CONTROL] = "/Control", [DATA] = "/Data", [STATE] = "/State", [LOGGING] = "/Logging"};
    (void)channel;
    *stream = NULL;
    BEAM_TRY(operation(err));
    *stream = beam_calloc(1, sizeof **stream);
    if (!*stream)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory");
    for (int i = CONTROL; i < STREAMS; i++)
        if (strstr(options->method, names[i]))
            (*stream)->kind = i;
    require((*stream)->kind != 0);
    return BEAM_OK;
}

/* What the worker answers is what it should: one response for each instruction. */
static void look_at_answer(const void *data, size_t size)
{
    BeamPb__InstructionResponse *response = NULL;
    require(beam_message_unpack(&beam_pb__instruction_response__descriptor, data, size, &response,
                                NULL) == BEAM_OK);
    beam_message_free(response);
    net.answered++;
}

beam_status beam_grpc_stream_write(beam_grpc_stream *stream, const void *data, size_t size,
                                   bool last, int timeout_ms, beam_error *err)
{
    (void)last, (void)timeout_ms;
    BEAM_TRY(operation(err));
    pthread_mutex_lock(&net.lock);
    if (stream->kind == CONTROL)
        look_at_answer(data, size);
    pthread_mutex_unlock(&net.lock);
    return BEAM_OK;
}

beam_status beam_grpc_stream_done(beam_grpc_stream *stream, beam_error *err)
{
    (void)stream;
    return operation(err);
}

/* The next message; an end, where there is none.  Control and state end after their last message;
 * the data stream stays open until the worker gives it up. */
static message next_message(int kind, bool *open)
{
    message m = {NULL, 0};
    pthread_mutex_lock(&net.lock);
    while (kind == DATA && net.read[kind] == net.n[kind] && !net.cancelled[kind])
        pthread_cond_wait(&net.changed, &net.lock);
    *open = net.read[kind] < net.n[kind] && !net.cancelled[kind];
    if (*open)
        m = net.messages[kind][net.read[kind]++];
    pthread_mutex_unlock(&net.lock);
    return m;
}

beam_status beam_grpc_stream_read(beam_grpc_stream *stream, int timeout_ms, beam_buffer *bytes,
                                  bool *open, beam_error *err)
{
    (void)timeout_ms;
    BEAM_TRY(operation(err));
    message m = next_message(stream->kind, open);
    return *open ? beam_buffer_append(bytes, m.bytes, m.size) : BEAM_OK;
}

static void cancel(int kind)
{
    pthread_mutex_lock(&net.lock);
    net.cancelled[kind] = true;
    pthread_cond_broadcast(&net.changed);
    pthread_mutex_unlock(&net.lock);
}

void beam_grpc_stream_cancel(beam_grpc_stream *stream)
{
    cancel(stream->kind);
}

void beam_grpc_stream_close(beam_grpc_stream *stream)
{
    beam_free(stream);
}

/* ---- In place of net/grpc_wire.c ------------------------------------------------------------- */

struct beam_grpc_wire {
    message left;
};

beam_status beam_grpc_wire_open(const char *endpoint, const beam_grpc_options *options,
                                beam_grpc_wire **wire, beam_error *err)
{
    (void)endpoint, (void)options;
    *wire = NULL;
    BEAM_TRY(operation(err));
    *wire = beam_calloc(1, sizeof **wire);
    return *wire ? BEAM_OK : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory");
}

beam_status beam_grpc_wire_next(beam_grpc_wire *wire, size_t *size, bool *open, beam_error *err)
{
    BEAM_TRY(operation(err));
    require(wire->left.size == 0); /* whoever goes on has read the message to its end */
    wire->left = next_message(DATA, open);
    *size = wire->left.size;
    return BEAM_OK;
}

beam_status beam_grpc_wire_read(beam_grpc_wire *wire, void *to, size_t size, beam_error *err)
{
    BEAM_TRY(operation(err));
    require(size <= wire->left.size);
    if (size)
        memcpy(to, wire->left.bytes, size);
    wire->left = (message){wire->left.bytes + size, wire->left.size - size};
    return BEAM_OK;
}

/* Parts, and spans of parts, of some bytes, as a network may have them. */
beam_status beam_grpc_wire_take(beam_grpc_wire *wire, size_t most, beam_spans *part,
                                beam_error *err)
{
    BEAM_TRY(operation(err));
    require(most && most <= wire->left.size);
    size_t size = 1 + *wire->left.bytes % 61;
    size = size < most ? size : most;
    part->all = beam_calloc(2, sizeof *part->all);
    if (!part->all)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory");
    for (size_t n = size > 7 ? 7 : 0; part->size < size; n = size - n) {
        part->all[part->n] = (beam_bytes){wire->left.bytes + part->size, n ? n : size};
        part->size += part->all[part->n++].len;
    }
    wire->left = (message){wire->left.bytes + size, wire->left.size - size};
    return BEAM_OK;
}

beam_status beam_grpc_wire_write(beam_grpc_wire *wire, const beam_buffer *head,
                                 const beam_buffer *body, beam_error *err)
{
    (void)wire, (void)head, (void)body;
    return operation(err);
}

void beam_grpc_wire_cancel(beam_grpc_wire *wire)
{
    (void)wire;
    cancel(DATA);
}

void beam_grpc_wire_close(beam_grpc_wire *wire)
{
    beam_free(wire);
}

/* ---- The worker's program -------------------------------------------------------------------- */

static beam_status twice(beam_ctx *c, const beam_int64 *x)
{
    return *x == 13 ? beam_fail(c, BEAM_INVALID_ARGUMENT, "thirteen")
                    : beam_emit(c, beam_int64, (beam_int64)((uint64_t)*x * 2));
}
BEAM_DOFN(fuzz_twice_fn, beam_int64, twice, BEAM_TYPES(&beam_int64_type));

static beam_status whole(beam_ctx *c, const void *element, void *restriction)
{
    (void)c, (void)element;
    *(beam_offset_range *)restriction = (beam_offset_range){0, 10};
    return BEAM_OK;
}

static beam_status numbers(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    (void)element;
    const beam_offset_range *range = tracker->restriction;
    if (range->stop < range->start || range->stop - range->start > 1000)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "too many");
    for (int64_t at = range->start; beam_try_claim_offset(c, tracker, at); at++)
        BEAM_TRY(beam_emit(c, beam_int64, at));
    return BEAM_OK;
}

static const beam_splittable splittable = {.struct_size = sizeof(beam_splittable),
                                           .restriction = &beam_offset_range_type,
                                           .tracker = &beam_offset_range_tracker,
                                           .initial_restriction = whole,
                                           .process = numbers};
static const beam_dofn fuzz_numbers_fn = {.struct_size = sizeof(beam_dofn),
                                          .name = "fuzz_numbers_fn",
                                          .in = &beam_int64_type,
                                          BEAM_TYPES(&beam_int64_type),
                                          .splittable = &splittable};

static void ignore(void *user, const beam_log_record *record)
{
    (void)user, (void)record;
}

/* ---- The input ------------------------------------------------------------------------------- */

static void read_input(const uint8_t *data, size_t size)
{
    memset(net.n, 0, sizeof net.n);
    memset(net.read, 0, sizeof net.read);
    memset(net.cancelled, 0, sizeof net.cancelled);
    net.operations = 0;
    net.asked = net.answered = 0;
    net.fail_at = (unsigned)data[0] << 8 | data[1];
    for (size_t at = 2; at + 3 <= size;) {
        int kind = data[at] % STREAMS;
        size_t length = (size_t)data[at + 1] << 8 | data[at + 2];
        at += 3;
        if (length > size - at)
            length = size - at;
        if (net.n[kind] < MOST_MESSAGES)
            net.messages[kind][net.n[kind]++] = (message){data + at, length};
        at += length;
    }
    net.asked = net.n[CONTROL];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static beam_registry registry;
    static const beam_logger quiet = {.sink = ignore, .min_level = BEAM_LOG_DEBUG};
    const beam_functions own = {.struct_size = sizeof own,
                                BEAM_DOFNS(&fuzz_twice_fn, &fuzz_numbers_fn)};
    const beam_worker_options options = {.id = "worker",
                                         .control_endpoint = "engine:1",
                                         .logging_endpoint = "engine:2",
                                         .registry = &registry,
                                         .logger = &quiet};
    beam_error err = {0};
    if (size < 2)
        return 0;
    if (registry.n_dofns == 0) {
        require(beam_registry_add_functions(&registry, beam_transform_functions(), NULL) ==
                BEAM_OK);
        require(beam_registry_add_functions(&registry, &own, NULL) == BEAM_OK);
    }
    read_input(data, size);
    beam_status status = beam_worker_run(&options, &err);
    require(status == err.code && (status == BEAM_OK) == !*err.message);
    if (status == BEAM_OK && !net.fail_at)
        require(net.answered == net.asked);
    return 0;
}
