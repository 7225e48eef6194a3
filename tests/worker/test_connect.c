/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What an engine does not answer holds up the bundle that needs it, no other instruction, and not
 * the worker's end. */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/ping_peer.h"
#include "net/wait.h"
#include "support/server.h"
#include "worker/fixture.h"

#define INT &beam_int64_type

static beam_status pass(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, beam_int64, *x);
}
BEAM_DOFN(pass_fn, beam_int64, pass, BEAM_TYPES(INT));

static int begin(void **state, fixture *f)
{
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    stage_pcoll(&f->stage, "numbers", INT, global);
    stage_pcoll(&f->stage, "passed", INT, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, INT, "", "out0=numbers");
    stage_pardo(&f->stage, "pass", &pass_fn, NULL, "in0=numbers", "out0=passed");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, INT, "in0=passed", "");
    fixture_start(f, false);
    *state = f;
    return 0;
}

/* The worker is asked to stop, and does. */
static void stop(fixture *f)
{
    __atomic_store_n(&f->stop, 1, __ATOMIC_RELAXED);
    pthread_join(f->worker, NULL);
    f->joined = true;
}

/* ---- An endpoint that takes connections and says nothing ------------------------------------- */

static int listener;

static const char *listen_silently(void)
{
    static char endpoint[32];
    uint16_t port;
    listener = test_listen(1, &port);
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%d", port);
    return endpoint;
}

static int begin_silent_data(void **state)
{
    fixture *f = fixture_new();
    f->data_endpoint = listen_silently();
    return begin(state, f);
}

static int begin_silent_log(void **state)
{
    fixture *f = fixture_new();
    f->logging_endpoint = listen_silently();
    return begin(state, f);
}

static int begin_silent_status(void **state)
{
    fixture *f = fixture_new();
    f->status_endpoint = listen_silently();
    return begin(state, f);
}

static void ask_progress(fixture *f, const char *of)
{
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__ProcessBundleProgressRequest progress = BEAM_PB__PROCESS_BUNDLE_PROGRESS_REQUEST__INIT;
    progress.instruction_id = (char *)of;
    request.instruction_id = (char *)"progress";
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_PROGRESS;
    request.process_bundle_progress = &progress;
    engine_send(f->engine, ENGINE_CONTROL, &request);
}

/* gRPC tries for 20 s; in none of these steps is that waited for. */
static void silent_data(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "stuck");
    int connection = accept(listener, NULL, NULL);
    assert_true(connection >= 0);
    ask_bundle(f, "the same");
    ask_progress(f, "stuck");
    beam_message_free(take_response(f, "progress"));
    struct pollfd given_up = {.fd = connection, .events = POLLRDHUP};
    assert_int_equal(poll(&given_up, 1, 0), 0);
    stop(f);
    assert_int_equal(f->status, BEAM_OK);
    if (!strstr(f->logged, "did not before the end") && !strstr(f->logged, "the worker ends"))
        fail_msg("the bundles failed with \"%s\"", f->logged);
    close(connection);
    close(listener);
}

static int connections;

/* Ends each connection, the first one late. */
static void *end_all(void *user)
{
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd))
        if (__atomic_add_fetch(&connections, 1, __ATOMIC_RELAXED) == 1)
            usleep(500000); /* for others to want it, too */
    return user;
}

/* Bundles that wait for the same endpoint learn together that it cannot be reached, instead of
 * trying one after another, each for as long. */
static void refused_together(void **state)
{
    enum { BUNDLES = 8 };
    fixture *f = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, end_all, NULL), 0);
    for (char id[] = "0"; *id < '0' + BUNDLES; ++*id)
        ask_bundle(f, id);
    for (int i = 0; i < BUNDLES; i++) {
        BeamPb__InstructionResponse *response =
            engine_take(f->engine, ENGINE_CONTROL, &beam_pb__instruction_response__descriptor);
        assert_non_null(response);
        if (!strstr(response->error, "cannot be reached to exchange elements"))
            fail_msg("the bundle failed with \"%s\"", response->error);
        beam_message_free(response);
    }
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    assert_in_range(connections, 1, BUNDLES - 1);
}

/* Stops the worker while it connects to the listener; ms until it has ended. */
static int64_t stop_at_once(fixture *f)
{
    int connection = accept(listener, NULL, NULL);
    assert_true(connection >= 0);
    int64_t begun = beam_clock_ns();
    stop(f);
    close(connection);
    close(listener);
    return (beam_clock_ns() - begun) / 1000000;
}

static void silent_log(void **state)
{
    fixture *f = *state;
    assert_in_range(stop_at_once(f), 0, 10000);
    assert_int_equal(f->status, BEAM_CANCELLED);
    assert_non_null(strstr(f->err.message, "asked to take log records, did not before the end"));
}

static void silent_status(void **state)
{
    fixture *f = *state;
    assert_in_range(stop_at_once(f), 0, 10000);
    assert_int_equal(f->status, BEAM_OK);
}

/* ---- An engine whose machine is gone --------------------------------------------------------- */

static beam_keepalive keepalive;
static ping_peer gone;

static int begin_gone(void **state)
{
    fixture *f = fixture_new();
    keepalive = beam_wait_keepalive;
    beam_wait_keepalive = (beam_keepalive){.quiet_ms = 100, .patience_ms = 500};
    ping_peer_start(&gone, 1);
    f->control_endpoint = gone.endpoint;
    return begin(state, f);
}

static int end_gone(void **state)
{
    int status = fixture_end(state);
    ping_peer_stop(&gone);
    beam_wait_keepalive = keepalive;
    return status;
}

/* The worker does not wait for instructions for ever: it ends, and says why. */
static void the_engine_is_gone(void **state)
{
    fixture *f = *state;
    pthread_join(f->worker, NULL);
    f->joined = true;
    assert_int_equal(f->status, BEAM_UNAVAILABLE);
    if (!strstr(f->err.message, "give instructions") || !strstr(f->err.message, "keepalive"))
        fail_msg("\"%s\"", f->err.message);
}

/* ---- A descriptor that does not come --------------------------------------------------------- */

static int begin_undescribed(void **state)
{
    fixture *f = fixture_new();
    int status = begin(state, f);
    engine_describe(f->engine, NULL);
    return status;
}

static void no_descriptor(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "stuck");
    engine_wait_until_asked(f->engine);
    stop(f);
    assert_non_null(strstr(f->logged, "asked to describe a bundle, did not before the end"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silent_data, begin_silent_data, fixture_end),
        cmocka_unit_test_setup_teardown(refused_together, begin_silent_data, fixture_end),
        cmocka_unit_test_setup_teardown(silent_log, begin_silent_log, fixture_end),
        cmocka_unit_test_setup_teardown(silent_status, begin_silent_status, fixture_end),
        cmocka_unit_test_setup_teardown(the_engine_is_gone, begin_gone, end_gone),
        cmocka_unit_test_setup_teardown(no_descriptor, begin_undescribed, fixture_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
