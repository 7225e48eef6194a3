/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_worker: a worker between the data it gets and the data it sends, over gRPC, with a scripted
 * engine in the same process: elements decoded, a ParDo, elements encoded.  How soon a worker is
 * ready after its process started.  And what libbeam's, Go's and Python's take under the same Prism
 * (bench_prism.h).
 *
 *   bench_worker [--quick] [--rounds=3] [--result_json=FILE]
 *
 * CPU time is the whole process's less that of the engine's two threads.  What comes back must have
 * as many bytes as what was sent.  The best of the rounds counts.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <beam/fn.h>

#include "base/alloc.h"
#include "common/bench_prism.h"
#include "common/bench_report.h"
#include "common/bench_run.h"
#include "model/coders.h"
#include "model/function.h"
#include "model/message.h"
#include "model/proto/fn_api.pb-c.h"
#include "model/urn.h"
#include "model/windowing.h"
#include "net/grpc.h"
#include "net/grpc_library.h"
#include "type/windowed.h"
#include "worker/worker.h"

#define FN "/org.apache.beam.model.fn_execution.v1."

static void must(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        bench_fatal("bench_worker: %s", err && *err->message ? err->message : "no memory");
}

/* ---- The worker's program -------------------------------------------------------------------- */

static beam_status flip(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, beam_int64, *x ^ 1);
}
BEAM_DOFN(bench_flip_fn, beam_int64, flip, BEAM_TYPES(&beam_int64_type));

static beam_status pass(beam_ctx *c, const beam_str *text)
{
    return beam_emit_value(c, beam_str, text);
}
BEAM_DOFN(bench_pass_fn, beam_str, pass, BEAM_TYPES(&beam_str_type));

static void ignore(void *user, const beam_log_record *record)
{
    (void)user, (void)record;
}

static void *work(void *user)
{
    static beam_registry registry;
    static const beam_logger quiet = {.sink = ignore};
    const beam_worker_options options = {.id = "worker",
                                         .control_endpoint = user,
                                         .logging_endpoint = "",
                                         .registry = &registry,
                                         .logger = &quiet};
    beam_error err = {0};
    must(beam_registry_add_dofn(&registry, &bench_flip_fn, &err), &err);
    must(beam_registry_add_dofn(&registry, &bench_pass_fn, &err), &err);
    (void)beam_worker_run(&options, &err); /* the engine breaks off at the end */
    return NULL;
}

/* ---- The engine: calls ----------------------------------------------------------------------- */

typedef struct call {
    grpc_call *call;
    grpc_completion_queue *queue;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *question;
    void *method;
} call;

enum { CONTROL, DESCRIBE, DATA, CALLS };

typedef struct engine {
    grpc_server *server;
    grpc_completion_queue *queue;
    char endpoint[32];
    call calls[CALLS];
    const beam_buffer *piece; /* an Elements message, to be sent `pieces` times, then `end` */
    const beam_buffer *end;
    size_t pieces;
    double cpu; /* of its threads */
} engine;

static void do_ops(call *c, const grpc_op *ops, size_t n)
{
    if (grpc_call_start_batch(c->call, ops, n, (void *)ops, NULL) != GRPC_CALL_OK ||
        !grpc_completion_queue_pluck(c->queue, (void *)ops, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                     NULL)
             .success)
        bench_fatal("bench_worker: the worker ended a call");
}

static void write_bytes(call *c, const beam_buffer *bytes)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes->data, bytes->len);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    do_ops(c, &op, 1);
    grpc_byte_buffer_destroy(message);
    grpc_slice_unref(slice);
}

static void read_message(call *c, const ProtobufCMessageDescriptor *type, void *result)
{
    grpc_byte_buffer *message = NULL;
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    beam_buffer bytes = {0};
    beam_error err = {0};
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &message;
    do_ops(c, &op, 1);
    if (!message || !grpc_byte_buffer_reader_init(&reader, message))
        bench_fatal("bench_worker: the worker ended a call");
    while (grpc_byte_buffer_reader_next(&reader, &slice)) {
        must(beam_buffer_append(&bytes, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)),
             NULL);
        grpc_slice_unref(slice);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(message);
    must(beam_message_unpack(type, bytes.data, bytes.len, result, &err), &err);
    beam_buffer_free(&bytes);
}

/* The worker's next call. */
static void accept_call(engine *e, int which)
{
    grpc_event event =
        grpc_completion_queue_next(e->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    if (event.tag != &e->calls[which] || !event.success)
        bench_fatal("bench_worker: the worker makes another call than it should");
}

static void begin_stream(call *c)
{
    const grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    do_ops(c, &op, 1);
}

static void answer_question(call *c, const beam_buffer *bytes)
{
    int cancelled;
    const grpc_op metadata = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    grpc_op end[2] = {{.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
                      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER}};
    end[1].data.recv_close_on_server.cancelled = &cancelled;
    do_ops(c, &metadata, 1);
    write_bytes(c, bytes);
    do_ops(c, end, 2);
}

static void engine_start(engine *e)
{
    static const char *const methods[CALLS] = {FN "BeamFnControl/Control",
                                               FN "BeamFnControl/GetProcessBundleDescriptor",
                                               FN "BeamFnData/Data"};
    beam_error err = {0};
    must(beam_grpc_begin(&err), &err);
    grpc_arg unlimited = {.type = GRPC_ARG_INTEGER,
                          .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                          .value = {.integer = -1}};
    const grpc_channel_args args = {1, &unlimited};
    e->server = grpc_server_create(&args, NULL);
    e->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(e->server, e->queue, NULL);
    for (int i = 0; i < CALLS; i++)
        e->calls[i].method = grpc_server_register_method(
            e->server, methods[i], NULL,
            i == DESCRIBE ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER : GRPC_SRM_PAYLOAD_NONE, 0);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(e->server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    if (port <= 0)
        bench_fatal("bench_worker: no port to listen on");
    snprintf(e->endpoint, sizeof e->endpoint, "127.0.0.1:%d", port);
    grpc_server_start(e->server);
    for (int i = 0; i < CALLS; i++) {
        call *c = &e->calls[i];
        grpc_metadata_array_init(&c->metadata);
        c->queue = grpc_completion_queue_create_for_pluck(NULL);
        if (grpc_server_request_registered_call(e->server, c->method, &c->call, &c->deadline,
                                                &c->metadata, i == DESCRIBE ? &c->question : NULL,
                                                c->queue, e->queue, c) != GRPC_CALL_OK)
            bench_fatal("bench_worker: gRPC takes no calls");
    }
}

/* What is open breaks off; the process ends soon, and frees the rest. */
static void engine_break(engine *e)
{
    grpc_server_shutdown_and_notify(e->server, e->queue, e);
    grpc_server_cancel_all_calls(e->server);
    while (grpc_completion_queue_next(e->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).tag != e)
        ;
}

/* ---- The engine: a stage --------------------------------------------------------------------- */

typedef struct stage {
    beam_arena arena;
    beam_coder_set coders;
    const beam_type *type;
    const char *endpoint;
    BeamPb__ProcessBundleDescriptor descriptor;
    BeamPb__TransformEntry *transforms[3];
    BeamPb__PCollectionEntry *pcollections[2];
    BeamPb__WindowingStrategyEntry *strategy;
} stage;

static void *checked(void *memory)
{
    if (!memory)
        bench_fatal("bench_worker: no memory");
    return memory;
}

static void *message(stage *s, const ProtobufCMessageDescriptor *type)
{
    return checked(beam_message_new(type, &s->arena));
}

static BeamPb__StringEntry **one_name(stage *s, const char *key, const char *value)
{
    BeamPb__StringEntry **all = checked(beam_arena_alloc(&s->arena, sizeof *all));
    *all = message(s, &beam_pb__string_entry__descriptor);
    (*all)->key = (char *)key;
    (*all)->value = (char *)value;
    return all;
}

static void add_transform(stage *s, const char *id, const char *urn, const void *payload,
                          const char *in, const char *out)
{
    BeamPb__PTransform *t = message(s, &beam_pb__ptransform__descriptor);
    BeamPb__TransformEntry *entry = message(s, &beam_pb__transform_entry__descriptor);
    t->unique_name = entry->key = (char *)id;
    entry->value = t;
    t->spec = message(s, &beam_pb__function_spec__descriptor);
    t->spec->urn = (char *)urn;
    must(beam_message_pack_arena(payload, &s->arena, &t->spec->payload), NULL);
    if (in) {
        t->inputs = one_name(s, "in0", in);
        t->n_inputs = 1;
    }
    if (out) {
        t->outputs = one_name(s, "out0", out);
        t->n_outputs = 1;
    }
    s->descriptor.transforms[s->descriptor.n_transforms++] = entry;
}

static void add_port(stage *s, const char *id, const char *urn, const char *in, const char *out)
{
    const char *parts[2], *coder;
    beam_error err = {0};
    must(beam_coder_set_type(&s->coders, s->type, &parts[0], &err), &err);
    must(beam_coder_set_add(&s->coders, BEAM_URN_CODER_GLOBAL_WINDOW, NULL, 0, NULL, 0, &parts[1],
                            &err),
         &err);
    must(beam_coder_set_add(&s->coders, BEAM_URN_CODER_WINDOWED_VALUE, NULL, 0, parts, 2, &coder,
                            &err),
         &err);
    BeamPb__RemoteGrpcPort port = BEAM_PB__REMOTE_GRPC_PORT__INIT;
    BeamPb__ApiServiceDescriptor service = BEAM_PB__API_SERVICE_DESCRIPTOR__INIT;
    service.url = (char *)s->endpoint;
    port.api_service_descriptor = &service;
    port.coder_id = (char *)coder;
    add_transform(s, id, urn, &port, in, out);
}

static void add_pcollection(stage *s, const char *id)
{
    const char *coder;
    beam_error err = {0};
    must(beam_coder_set_type(&s->coders, s->type, &coder, &err), &err);
    BeamPb__PCollectionEntry *entry = message(s, &beam_pb__pcollection_entry__descriptor);
    entry->key = (char *)id;
    entry->value = message(s, &beam_pb__pcollection__descriptor);
    entry->value->coder_id = (char *)coder;
    entry->value->windowing_strategy_id = s->strategy->key;
    s->descriptor.pcollections[s->descriptor.n_pcollections++] = entry;
}

/* source -> fn -> sink */
static void describe(const char *endpoint, const beam_dofn *fn, beam_buffer *bytes)
{
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    stage s = {.endpoint = endpoint, .type = fn->in};
    beam_error err = {0};
    s.coders.arena = &s.arena;
    beam_pb__process_bundle_descriptor__init(&s.descriptor);
    s.descriptor.id = (char *)"stage";
    s.descriptor.transforms = s.transforms;
    s.descriptor.pcollections = s.pcollections;
    s.descriptor.windowing_strategies = &s.strategy;
    s.descriptor.n_windowing_strategies = 1;
    s.strategy = message(&s, &beam_pb__windowing_strategy_entry__descriptor);
    s.strategy->key = (char *)"global";
    must(beam_windowing_to_proto(&global, "", "", &s.arena, &s.strategy->value, &err), &err);
    add_pcollection(&s, "in");
    add_pcollection(&s, "out");
    BeamPb__ParDoPayload pardo = BEAM_PB__PAR_DO_PAYLOAD__INIT;
    must(beam_dofn_to_proto(fn, NULL, &s.arena, &pardo.do_fn, &err), &err);
    add_port(&s, "source", BEAM_URN_DATA_SOURCE, NULL, "in");
    add_transform(&s, "fn", BEAM_URN_PARDO, &pardo, "in", "out");
    add_port(&s, "sink", BEAM_URN_DATA_SINK, "out", NULL);
    s.descriptor.coders = s.coders.entries;
    s.descriptor.n_coders = s.coders.n;
    must(beam_message_pack(&s.descriptor, bytes), NULL);
    beam_coder_set_free(&s.coders);
    beam_arena_free(&s.arena);
}

/* ---- The engine: a bundle -------------------------------------------------------------------- */

static void pack_elements(const beam_buffer *payload, bool last, beam_buffer *bytes)
{
    BeamPb__Elements elements = BEAM_PB__ELEMENTS__INIT;
    BeamPb__Elements__Data data = BEAM_PB__ELEMENTS__DATA__INIT, *all = &data;
    data.instruction_id = (char *)"bundle";
    data.transform_id = (char *)"source";
    data.data = (ProtobufCBinaryData){payload->len, payload->data};
    data.is_last = last;
    elements.data = &all;
    elements.n_data = 1;
    must(beam_message_pack(&elements, bytes), NULL);
}

static void ask_bundle(engine *e)
{
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__ProcessBundleRequest bundle = BEAM_PB__PROCESS_BUNDLE_REQUEST__INIT;
    beam_buffer bytes = {0};
    bundle.process_bundle_descriptor_id = (char *)"stage";
    request.instruction_id = (char *)"bundle";
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE;
    request.process_bundle = &bundle;
    must(beam_message_pack(&request, &bytes), NULL);
    write_bytes(&e->calls[CONTROL], &bytes);
    beam_buffer_free(&bytes);
}

static void *send_all(void *user)
{
    engine *e = user;
    for (size_t i = 0; i < e->pieces; i++)
        write_bytes(&e->calls[DATA], e->piece);
    write_bytes(&e->calls[DATA], e->end);
    e->cpu = bench_clock(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

/* How many bytes came back. */
static size_t take_all(engine *e)
{
    size_t bytes = 0;
    for (bool last = false; !last;) {
        BeamPb__Elements *elements = NULL;
        read_message(&e->calls[DATA], &beam_pb__elements__descriptor, &elements);
        for (size_t i = 0; i < elements->n_data; i++) {
            bytes += elements->data[i]->data.len;
            last = last || elements->data[i]->is_last;
        }
        beam_message_free(elements);
    }
    BeamPb__InstructionResponse *response = NULL;
    read_message(&e->calls[CONTROL], &beam_pb__instruction_response__descriptor, &response);
    if (*response->error)
        bench_fatal("bench_worker: %s", response->error);
    beam_message_free(response);
    return bytes;
}

/* ---- Measurements ---------------------------------------------------------------------------- */

typedef struct figure {
    double seconds, cpu; /* the worker's */
} figure;

/* One bundle of `pieces` times the payload. */
static figure run_bundle(const beam_dofn *fn, const beam_buffer *payload, size_t pieces)
{
    static const beam_buffer nothing;
    beam_buffer descriptor = {0}, piece = {0}, end = {0};
    engine e = {.piece = &piece, .end = &end, .pieces = pieces};
    pthread_t worker, sender;
    engine_start(&e);
    describe(e.endpoint, fn, &descriptor);
    pack_elements(payload, false, &piece);
    pack_elements(&nothing, true, &end);
    if (pthread_create(&worker, NULL, work, e.endpoint) != 0)
        bench_fatal("bench_worker: no thread");
    accept_call(&e, CONTROL);
    begin_stream(&e.calls[CONTROL]);
    ask_bundle(&e);
    accept_call(&e, DESCRIBE);
    answer_question(&e.calls[DESCRIBE], &descriptor);
    accept_call(&e, DATA);
    begin_stream(&e.calls[DATA]);
    double start = bench_now(), all = bench_clock(CLOCK_PROCESS_CPUTIME_ID),
           own = bench_clock(CLOCK_THREAD_CPUTIME_ID);
    if (pthread_create(&sender, NULL, send_all, &e) != 0)
        bench_fatal("bench_worker: no thread");
    size_t bytes = take_all(&e);
    (void)pthread_join(sender, NULL);
    figure f = {.seconds = bench_now() - start,
                .cpu = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - all - e.cpu -
                       (bench_clock(CLOCK_THREAD_CPUTIME_ID) - own)};
    if (bytes != payload->len * pieces)
        bench_fatal("bench_worker: %zu bytes came back for %zu", bytes, payload->len * pieces);
    engine_break(&e);
    (void)pthread_join(worker, NULL);
    beam_buffer_free(&descriptor);
    beam_buffer_free(&piece);
    beam_buffer_free(&end);
    return f;
}

static void measure(bench_report *report, const char *name, const beam_dofn *fn,
                    const void *element, int rounds, size_t bytes)
{
    enum { PIECE = 1 << 20 };
    const beam_element_info info = beam_info_global(5);
    beam_buffer payload = {0};
    size_t n = 0;
    figure best = {0};
    for (; payload.len < PIECE; n++)
        must(beam_encode_windowed(fn->in, &beam_global_window_type, BEAM_NESTED, &info, element,
                                  &payload, NULL),
             NULL);
    size_t pieces = bytes / payload.len + 1;
    for (int i = 0; i < rounds; i++) {
        figure f = run_bundle(fn, &payload, pieces);
        if (i == 0 || f.seconds < best.seconds)
            best.seconds = f.seconds;
        if (i == 0 || f.cpu < best.cpu)
            best.cpu = f.cpu;
    }
    double elements = (double)(n * pieces), mega = (double)(payload.len * pieces) / 1e6;
    char *words[4] = {bench_format("%s: elements/s", name), bench_format("%s: bytes in/s", name),
                      bench_format("%s: worker's CPU time an element", name),
                      bench_format("%s: elements a second of CPU time", name)};
    bench_report_add(report, words[0], elements / best.seconds / 1e6, "M/s", NULL, BENCH_NO_RATIO);
    bench_report_add(report, words[1], mega / best.seconds, "MB/s", NULL, BENCH_NO_RATIO);
    bench_report_add(report, words[2], best.cpu / elements * 1e9, "ns", NULL, BENCH_NO_RATIO);
    bench_report_add(report, words[3], elements / best.cpu / 1e6, "M/s", NULL, BENCH_NO_RATIO);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        free(words[i]);
    beam_buffer_free(&payload);
}

/* From the start of a process to its call for instructions. */
static double seconds_to_ready(void)
{
    engine e = {.pieces = 0};
    engine_start(&e);
    char *option = bench_format("--worker=%s", e.endpoint);
    double start = bench_now();
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "bench_worker", option, (char *)NULL);
        _exit(127);
    }
    if (child < 0)
        bench_fatal("bench_worker: no process");
    accept_call(&e, CONTROL);
    double seconds = bench_now() - start;
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    engine_break(&e);
    free(option);
    return seconds;
}

static const beam_option options[] = {
    {"quick", NULL, NULL, "a short look", false},
    {"rounds", "N>0", "3", "the best of so many counts", false},
    BENCH_COMMON_OPTIONS,
};

int main(int argc, char **argv)
{
    beam_worker_keep_memory(); /* as a worker's program does */
    const char *endpoint = bench_option(argc, argv, "worker");
    if (endpoint) { /* seconds_to_ready's child */
        (void)work((void *)endpoint);
        return 0;
    }
    int status = bench_prism_child(argc, argv);
    if (status >= 0)
        return status;
    bench_begin(argc, argv, "bench_worker",
                "a worker of an engine, between what it gets and what it sends", options,
                sizeof options / sizeof *options);
    const char *rounds_given = bench_option(argc, argv, "rounds");
    int rounds = rounds_given ? atoi(rounds_given) : 3;
    bool quick = false;
    for (int i = 1; i < argc; i++)
        quick = quick || strcmp(argv[i], "--quick") == 0;
    if (rounds < 1)
        bench_fatal("bench_worker: --rounds=%s is no positive number", rounds_given);
    bench_report *report = bench_report_new("a worker, with an engine in the same process");
    const beam_int64 number = 12345;
    char text[1000];
    memset(text, 'x', sizeof text);
    const beam_str kilobyte = {text, sizeof text};
    measure(report, "numbers", &bench_flip_fn, &number, rounds, (size_t)(quick ? 20 : 300) << 20);
    measure(report, "texts of 1 KB", &bench_pass_fn, &kilobyte, rounds,
            (size_t)(quick ? 50 : 1000) << 20);
    double ready = seconds_to_ready();
    for (int i = 1; i < rounds; i++)
        ready = fmin(ready, seconds_to_ready());
    bench_report_add(report, "process start to ready", ready * 1e3, "ms", NULL, BENCH_NO_RATIO);
    if (!quick)
        bench_prism_measure(report, rounds);
    return bench_report_finish(report, bench_option(argc, argv, "result_json"));
}
