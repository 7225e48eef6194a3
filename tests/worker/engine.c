/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/engine.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "model/message.h"
#include "net/grpc.h"
#include "net/grpc_library.h"

#define FN "/org.apache.beam.model.fn_execution.v1."
static const char *const methods[ENGINE_STREAMS] = {
    FN "BeamFnControl/Control", FN "BeamFnData/Data", FN "BeamFnState/State",
    FN "BeamFnLogging/Logging", FN "BeamFnWorkerStatus/WorkerStatus"};
static const char DESCRIBE[] = FN "BeamFnControl/GetProcessBundleDescriptor";
enum { PATIENCE = 60 /* s; nothing takes that long */ };

typedef struct message {
    struct message *next;
    beam_buffer bytes;
} message;

typedef struct stream {
    engine *engine;
    void *registered;
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *incoming;
    bool open, sending, over, ignored;
    int cancelled;
    message *first, **end;
} stream;

/* What the queue tells is done, by the address of one of these. */
typedef struct step {
    void (*done)(stream *s, bool well);
    stream *stream;
} step;

struct engine {
    grpc_server *server;
    grpc_completion_queue *queue;
    char endpoint[32];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    stream streams[ENGINE_STREAMS], describe;
    step accepted[ENGINE_STREAMS], received[ENGINE_STREAMS], sent[ENGINE_STREAMS];
    step asked, answered, ended;
    unsigned pending;       /* that the queue will tell of, but for `ended` */
    beam_buffer descriptor; /* empty: questions get no answer */
    bool was_asked;
    bool broken; /* by engine_break */
    bool faults, gone;
};

static void begin(stream *s, const grpc_op *ops, size_t n, step *then)
{
    s->engine->pending++;
    assert_int_equal(grpc_call_start_batch(s->call, ops, n, then, NULL), GRPC_CALL_OK);
}

static void read_bytes(grpc_byte_buffer *from, beam_buffer *to)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    assert_true(grpc_byte_buffer_reader_init(&reader, from));
    while (grpc_byte_buffer_reader_next(&reader, &slice)) {
        assert_int_equal(
            beam_buffer_append(to, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)), BEAM_OK);
        grpc_slice_unref(slice);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(from);
}

/* ---- Streams ----------------------------------------------------------------------------- */

static void receive(stream *s)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &s->incoming;
    begin(s, &op, 1, &s->engine->received[s - s->engine->streams]);
}

static void on_accepted(stream *s, bool well)
{
    if (!well)
        return;
    const grpc_op ops[] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}};
    s->sending = true;
    begin(s, ops, 1, &s->engine->sent[s - s->engine->streams]);
    s->open = true;
    if (!s->ignored)
        receive(s);
}

static void end_stream(stream *s, int status)
{
    grpc_op op = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    op.data.send_status_from_server.status = (grpc_status_code)status;
    s->sending = true;
    begin(s, &op, 1, &s->engine->sent[s - s->engine->streams]);
}

static void on_received(stream *s, bool well)
{
    s->over = !well || !s->incoming; /* by the worker */
    if (s->over && s == &s->engine->streams[ENGINE_LOGGING])
        end_stream(s, GRPC_STATUS_OK); /* all of it was read */
    if (s->over)
        return;
    message *m = beam_calloc(1, sizeof *m);
    assert_non_null(m);
    read_bytes(s->incoming, &m->bytes);
    s->incoming = NULL;
    *s->end = m;
    s->end = &m->next;
    receive(s);
}

static void on_sent(stream *s, bool well)
{
    (void)well; /* a worker that is gone has no use for it */
    s->sending = false;
}

/* ---- Descriptors ------------------------------------------------------------------------- */

static void wait_for_question(engine *e)
{
    stream *s = &e->describe;
    s->call = NULL;
    s->incoming = NULL;
    grpc_metadata_array_init(&s->metadata);
    if (grpc_server_request_registered_call(e->server, s->registered, &s->call, &s->deadline,
                                            &s->metadata, &s->incoming, e->queue, e->queue,
                                            &e->asked) == GRPC_CALL_OK)
        e->pending++;
}

/* Waits for the worker to give the question up. */
static void leave_open(stream *s)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &s->cancelled;
    begin(s, &op, 1, &s->engine->answered);
}

static void describe(stream *s)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((char *)s->engine->descriptor.data,
                                                     s->engine->descriptor.len);
    grpc_byte_buffer *answer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
                      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER}};
    ops[1].data.send_message.send_message = answer;
    ops[2].data.send_status_from_server.status = GRPC_STATUS_OK;
    ops[3].data.recv_close_on_server.cancelled = &s->cancelled;
    begin(s, ops, 4, &s->engine->answered);
    grpc_byte_buffer_destroy(answer);
    grpc_slice_unref(slice);
}

static void on_asked(stream *s, bool well)
{
    if (!well)
        return;
    beam_buffer question = {0};
    if (s->incoming)
        read_bytes(s->incoming, &question);
    beam_buffer_free(&question);
    s->engine->was_asked = true;
    if (s->engine->descriptor.len)
        describe(s);
    else
        leave_open(s);
}

static void on_answered(stream *s, bool well)
{
    (void)well;
    grpc_call_unref(s->call);
    grpc_metadata_array_destroy(&s->metadata);
    wait_for_question(s->engine);
}

/* ---- The engine -------------------------------------------------------------------------- */

static void on_ended(stream *s, bool well)
{
    (void)well;
    s->engine->ended.done = NULL;
}

static void *run(void *user)
{
    engine *e = user;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(e->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        step *s = event.tag;
        pthread_mutex_lock(&e->lock);
        e->pending -= s != &e->ended;
        s->done(s->stream, event.success);
        pthread_cond_broadcast(&e->changed);
        pthread_mutex_unlock(&e->lock);
    }
}

static void listen(engine *e)
{
    for (size_t i = 0; i < ENGINE_STREAMS; i++)
        e->streams[i].registered =
            grpc_server_register_method(e->server, methods[i], NULL, GRPC_SRM_PAYLOAD_NONE, 0);
    e->describe.registered = grpc_server_register_method(
        e->server, DESCRIBE, NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    grpc_server_register_completion_queue(e->server, e->queue, NULL);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(e->server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    assert_true(port > 0);
    snprintf(e->endpoint, sizeof e->endpoint, "127.0.0.1:%d", port);
    grpc_server_start(e->server);
}

static void accept_stream(stream *s)
{
    engine *e = s->engine;
    grpc_metadata_array_init(&s->metadata);
    assert_int_equal(grpc_server_request_registered_call(e->server, s->registered, &s->call,
                                                         &s->deadline, &s->metadata, NULL, e->queue,
                                                         e->queue, &e->accepted[s - e->streams]),
                     GRPC_CALL_OK);
    e->pending++;
}

engine *engine_start(void)
{
    engine *e = beam_calloc(1, sizeof *e);
    assert_non_null(e);
    assert_int_equal(beam_grpc_begin(NULL), BEAM_OK);
    grpc_arg args[] = {
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_MAX_SEND_MESSAGE_LENGTH}};
    args[0].value.integer = args[1].value.integer = -1;
    const grpc_channel_args all = {sizeof args / sizeof *args, args};
    e->server = grpc_server_create(&all, NULL);
    e->queue = grpc_completion_queue_create_for_next(NULL);
    assert_int_equal(pthread_mutex_init(&e->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&e->changed, NULL), 0);
    listen(e);
    for (size_t i = 0; i < ENGINE_STREAMS; i++) {
        stream *s = &e->streams[i];
        s->engine = e;
        s->end = &s->first;
        e->accepted[i] = (step){on_accepted, s};
        e->received[i] = (step){on_received, s};
        e->sent[i] = (step){on_sent, s};
        accept_stream(s);
    }
    e->describe.engine = e;
    e->asked = (step){on_asked, &e->describe};
    e->answered = (step){on_answered, &e->describe};
    e->ended = (step){on_ended, &e->describe};
    wait_for_question(e);
    assert_int_equal(pthread_create(&e->thread, NULL, run, e), 0);
    return e;
}

const char *engine_endpoint(const engine *e)
{
    return e->endpoint;
}

void engine_describe(engine *e, const BeamPb__ProcessBundleDescriptor *descriptor)
{
    pthread_mutex_lock(&e->lock);
    e->descriptor.len = 0;
    if (descriptor)
        assert_int_equal(beam_message_pack(descriptor, &e->descriptor), BEAM_OK);
    pthread_mutex_unlock(&e->lock);
}

/* With the lock held: waits for a change; false when none comes. */
static bool wait_on(engine *e)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    return pthread_cond_timedwait(&e->changed, &e->lock, &until) == 0;
}

/* With the lock held: there may be nothing to wait for. */
static bool is_given_up(const stream *s)
{
    const engine *e = s->engine;
    const stream *control = &e->streams[ENGINE_CONTROL];
    return e->faults && (e->gone || s->over || (s != control && control->first));
}

static bool wait_writable(stream *s)
{
    while (!s->open || s->sending) {
        if (is_given_up(s) && !s->sending)
            return false;
        if (!wait_on(s->engine))
            fail_msg("the worker does not take part in %s", methods[s - s->engine->streams]);
    }
    return !is_given_up(s);
}

void engine_wait_until_asked(engine *e)
{
    pthread_mutex_lock(&e->lock);
    while (!e->was_asked)
        assert_true(wait_on(e));
    pthread_mutex_unlock(&e->lock);
}

bool engine_send(engine *e, engine_stream which, const void *what)
{
    stream *s = &e->streams[which];
    beam_buffer bytes = {0};
    assert_int_equal(beam_message_pack(what, &bytes), BEAM_OK);
    grpc_slice slice = grpc_slice_from_copied_buffer((char *)bytes.data, bytes.len);
    grpc_byte_buffer *payload = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = payload;
    pthread_mutex_lock(&e->lock);
    bool sent = wait_writable(s);
    if (sent) {
        s->sending = true;
        begin(s, &op, 1, &e->sent[which]);
        (void)wait_writable(s);
    }
    pthread_mutex_unlock(&e->lock);
    grpc_byte_buffer_destroy(payload);
    grpc_slice_unref(slice);
    beam_buffer_free(&bytes);
    return sent;
}

void *engine_take(engine *e, engine_stream which, const ProtobufCMessageDescriptor *type)
{
    stream *s = &e->streams[which];
    void *result = NULL;
    beam_error err = {0};
    bool more = true;
    pthread_mutex_lock(&e->lock);
    while (!s->first && more)
        more = !is_given_up(s) && wait_on(e);
    message *m = s->first;
    if (m && !(s->first = m->next))
        s->end = &s->first;
    pthread_mutex_unlock(&e->lock);
    if (!m)
        return NULL;
    if (beam_message_unpack(type, m->bytes.data, m->bytes.len, &result, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    beam_buffer_free(&m->bytes);
    beam_free(m);
    return result;
}

void engine_ignore(engine *e, engine_stream which)
{
    pthread_mutex_lock(&e->lock);
    e->streams[which].ignored = true;
    pthread_mutex_unlock(&e->lock);
}

void engine_end_with(engine *e, engine_stream which, int status)
{
    stream *s = &e->streams[which];
    pthread_mutex_lock(&e->lock);
    if (wait_writable(s)) {
        end_stream(s, status);
        (void)wait_writable(s);
    }
    pthread_mutex_unlock(&e->lock);
}

void engine_end(engine *e, engine_stream which)
{
    engine_end_with(e, which, GRPC_STATUS_OK);
}

void engine_accept_again(engine *e, engine_stream which)
{
    stream *s = &e->streams[which];
    pthread_mutex_lock(&e->lock);
    while (!s->over || s->sending)
        assert_true(wait_on(e));
    grpc_call_unref(s->call);
    grpc_metadata_array_destroy(&s->metadata);
    s->call = NULL;
    s->open = s->over = false;
    accept_stream(s);
    pthread_mutex_unlock(&e->lock);
}

void engine_expect_faults(engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->faults = true;
    pthread_mutex_unlock(&e->lock);
}

void engine_worker_gone(engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->gone = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

bool engine_is_open(engine *e, engine_stream which)
{
    pthread_mutex_lock(&e->lock);
    bool open = e->streams[which].open && !e->streams[which].over;
    pthread_mutex_unlock(&e->lock);
    return open;
}

void engine_break(engine *e)
{
    e->broken = true;
    grpc_server_shutdown_and_notify(e->server, e->queue, &e->ended);
    grpc_server_cancel_all_calls(e->server);
    pthread_mutex_lock(&e->lock);
    while (e->ended.done)
        assert_true(wait_on(e));
    pthread_mutex_unlock(&e->lock);
}

void engine_stop(engine *e)
{
    if (!e->broken)
        engine_break(e);
    /* What was pending may begin more, on calls and a queue that have to be there for it. */
    pthread_mutex_lock(&e->lock);
    while (e->pending)
        assert_true(wait_on(e));
    pthread_mutex_unlock(&e->lock);
    for (size_t i = 0; i < ENGINE_STREAMS; i++) {
        stream *s = &e->streams[i];
        if (s->call)
            grpc_call_unref(s->call);
        grpc_metadata_array_destroy(&s->metadata);
        for (message *m = s->first, *next; m; m = next) {
            next = m->next;
            beam_buffer_free(&m->bytes);
            beam_free(m);
        }
    }
    grpc_metadata_array_destroy(&e->describe.metadata);
    grpc_completion_queue_shutdown(e->queue);
    pthread_join(e->thread, NULL);
    grpc_completion_queue_destroy(e->queue);
    grpc_server_destroy(e->server);
    beam_grpc_end();
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    beam_buffer_free(&e->descriptor);
    beam_free(e);
}
