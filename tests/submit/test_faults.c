/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Each gRPC operation fails in turn, of who submits a job, of a worker that fetches its files, of a
 * worker pool: none hangs or leaves a half behind, and each says what went wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/grpc_faults.h"
#include "support/files.h"

#include "base/alloc.h"
#include "model/message.h"
#include "model/proto/worker_pool.pb-c.h"
#include "submit/job_service.h"
#include "submit/pool.h"
#include "submit/retrieve.h"
#include "submit/rpc.h"
#include "submit/submit.h"

enum { TOO_MANY = 1000, LONG = 20 /* s; what ends at all ends within one or two */, WORDS = 12 };

static void ignore(void *user, const beam_log_record *record)
{
    (void)user, (void)record;
}
static const beam_logger quiet = {.sink = ignore};

/* Fails one operation after the other of `run`, behind the first `before`, until there is none
 * left. */
static void fail_each_after(unsigned before, grpc_side side,
                            beam_status (*run)(void *user, beam_error *err), void *user,
                            unsigned at_least)
{
    const char *failed = "";
    unsigned n = before;
    while (failed) {
        beam_error err = {0};
        time_t begun = time(NULL);
        assert_true(++n < TOO_MANY);
        grpc_faults_at(side, n);
        beam_status status = run(user, &err);
        failed = grpc_faults_failed();
        grpc_faults_at(side, 0);
        if (status != BEAM_OK && (!failed || strlen(err.message) < WORDS))
            fail_msg("operation %u, %s: %d, \"%s\"", n, failed ? failed : "none", status,
                     err.message);
        if (time(NULL) - begun > LONG)
            fail_msg("operation %u, %s: %d s", n, failed, (int)(time(NULL) - begun));
    }
    print_message("%u operations failed in turn\n", n - before - 1);
    assert_in_range(n - before, at_least, TOO_MANY);
}

static void fail_each(grpc_side side, beam_status (*run)(void *user, beam_error *err), void *user,
                      unsigned at_least)
{
    fail_each_after(0, side, run, user, at_least);
}

/* ---- A job with a file ------------------------------------------------------------------- */

static const char text[] = "what the job's one file holds";

typedef struct material {
    char *folder; /* of the file, and of what workers keep */
    beam_artifacts artifacts;
    beam_arena arena;
    BeamPb__ArtifactInformation *proto;
    beam_buffer pipeline;
    beam_environment environment;
} material;

static int make(void **state)
{
    static material m;
    BeamPb__Pipeline pipeline = BEAM_PB__PIPELINE__INIT;
    BeamPb__Components components = BEAM_PB__COMPONENTS__INIT;
    beam_error err = {0};
    m = (material){.folder = test_folder()};
    const char *path = test_path(m.folder, "data");
    test_write_file(path, text, sizeof text);
    assert_ok(beam_artifacts_add(&m.artifacts, path, "files/data", &err), err);
    m.proto = beam_artifact_to_proto(&m.artifacts.items[0], NULL, &m.arena);
    assert_non_null(m.proto);
    pipeline.components = &components;
    assert_int_equal(beam_message_pack(&pipeline, &m.pipeline), BEAM_OK);
    assert_ok(beam_environment_make("DOCKER", "image", &m.arena, &m.environment, &err), err);
    *state = &m;
    return 0;
}

static int clear(void **state)
{
    material *m = *state;
    beam_artifacts_free(&m->artifacts);
    beam_buffer_free(&m->pipeline);
    beam_arena_free(&m->arena);
    test_remove_folder(m->folder);
    return 0;
}

/* Gives the status, and whether the file has come. */
static beam_status submit(const beam_submission *how, const material *m, job_kind kind,
                          bool *has_file, beam_error *err)
{
    job_service *service = job_service_start(m->proto, text, sizeof text, kind);
    beam_submission s = *how;
    s.endpoint = job_service_endpoint(service);
    s.job = (beam_job_description){.pipeline = m->pipeline.data,
                                   .pipeline_size = m->pipeline.len,
                                   .name = "job",
                                   .environment = &m->environment,
                                   .artifacts = &m->artifacts};
    beam_arena arena = {0};
    beam_job_metrics metrics;
    beam_status status = beam_submit(&s, &arena, &metrics, err);
    *has_file = job_service_has_file(service);
    beam_job_metrics_free(&metrics);
    beam_arena_free(&arena);
    job_service_stop(service);
    return status;
}

static beam_status submit_job(void *user, beam_error *err)
{
    const beam_submission how = {.logger = &quiet};
    bool has_file;
    beam_status status = submit(&how, user, JOB_ENDS, &has_file, err);
    if (status == BEAM_OK)
        assert_true(has_file);
    return status;
}

static void submitting(void **state)
{
    fail_each(GRPC_CLIENT, submit_job, *state, 60);
}

/* ---- A job that runs --------------------------------------------------------------------- */

/* The client's operations until it heard that the job runs. */
static unsigned before_it_runs;
/* Of the user, who then has had enough; or soon after, where no message comes. */
static int ticks, had_enough;

static void hear(void *user, const beam_log_record *record)
{
    (void)user;
    if (strcmp(record->message, "it runs") == 0) {
        before_it_runs = grpc_faults_count();
        had_enough = 1;
    }
}
static const beam_logger listener = {.min_level = BEAM_LOG_INFO, .sink = hear};

static void tire(void *user)
{
    (void)user;
    had_enough |= ++ticks > 10;
}

static beam_status cancel_job(void *user, beam_error *err)
{
    const beam_submission how = {.logger = &listener, .cancel = &had_enough, .on_tick = tire};
    bool has_file;
    had_enough = ticks = 0;
    beam_status status = submit(&how, user, JOB_LASTS, &has_file, err);
    assert_int_not_equal(status, BEAM_OK);
    return status == BEAM_CANCELLED && had_enough ? BEAM_OK : status;
}

static void cancelling(void **state)
{
    beam_error err = {0};
    grpc_faults_at(GRPC_CLIENT, 0);
    assert_ok(cancel_job(*state, &err), err);
    fail_each_after(before_it_runs, GRPC_CLIENT, cancel_job, *state, 12);
}

static beam_status ask_for_state(void *user, beam_error *err)
{
    const beam_submission how = {.logger = &listener};
    bool has_file;
    return submit(&how, user, JOB_QUIET, &has_file, err);
}

static void asking(void **state)
{
    beam_error err = {0};
    grpc_faults_at(GRPC_CLIENT, 0);
    assert_ok(ask_for_state(*state, &err), err);
    fail_each_after(before_it_runs, GRPC_CLIENT, ask_for_state, *state, 12);
}

/* ---- A worker's files -------------------------------------------------------------------- */

/* A worker's folder is there whole or not at all. */
static beam_status fetch_file(void *user, beam_error *err)
{
    const material *m = user;
    job_service *service = job_service_start(m->proto, text, sizeof text, JOB_ENDS);
    const beam_retrieval r = {.worker_id = "worker",
                              .provision_endpoint = job_service_endpoint(service)};
    beam_retrieved got;
    beam_status status = beam_retrieve(&r, &got, err);
    job_service_stop(service);
    char *home = beam_asprintf("%s/libbeam-%u", m->folder, (unsigned)getuid());
    assert_non_null(home);
    if (status == BEAM_OK) {
        size_t size;
        char *bytes = test_read_file(test_path(got.folder, "files/data"), &size);
        assert_int_equal(size, sizeof text);
        assert_memory_equal(bytes, text, size);
        free(bytes);
        assert_int_equal(rename(got.folder, test_path(m->folder, "used")), 0);
    }
    if (access(home, F_OK) == 0)
        assert_int_equal(test_count_files(home), 0);
    if (status == BEAM_OK)
        test_remove_folder(strdup(test_path(m->folder, "used")));
    beam_free(home);
    beam_retrieved_free(&got);
    return status;
}

static void fetching(void **state)
{
    const material *m = *state;
    const char *before = getenv("TMPDIR");
    char *kept = before ? strdup(before) : NULL;
    assert_int_equal(setenv("TMPDIR", m->folder, 1), 0);
    fail_each(GRPC_CLIENT, fetch_file, *state, 30);
    assert_int_equal(kept ? setenv("TMPDIR", kept, 1) : unsetenv("TMPDIR"), 0);
    free(kept);
}

/* ---- A pool ------------------------------------------------------------------------------ */

static beam_status start_worker(void *user, const beam_worker_request *request, beam_error *err)
{
    (void)request, (void)err;
    ++*(int *)user;
    return BEAM_OK;
}

static beam_status stop_worker(void *user, const char *id, beam_error *err)
{
    (void)user, (void)id, (void)err;
    return BEAM_OK;
}

/* Whoever asks a pool learns of a failure, too, in words or by the call's end; asked again, and as
 * often as it waits for calls at once, the pool starts what it should. */
static beam_status serve_pool(void *user, beam_error *err)
{
    (void)user;
    int starts = 0;
    const beam_pool_callbacks callbacks = {start_worker, stop_worker, &starts};
    beam_pool *pool;
    beam_grpc_channel *channel;
    char endpoint[32];
    BEAM_TRY(beam_pool_open("localhost:0", &callbacks, &pool, err));
    (void)snprintf(endpoint, sizeof endpoint, "localhost:%d", beam_pool_port(pool));
    assert_int_equal(beam_grpc_channel_open(endpoint, &channel, NULL), BEAM_OK);
    int failures = 0, refused = 0;
    for (int i = 0; i < 12; i++) {
        const beam_grpc_options call = {
            .method = "/org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool/StartWorker",
            .what = "start a worker",
            .timeout_ms = 10000};
        BeamPb__StartWorkerRequest request = BEAM_PB__START_WORKER_REQUEST__INIT;
        BeamPb__StartWorkerResponse *answer = NULL;
        beam_error why = {0};
        request.worker_id = (char *)"worker";
        if (beam_rpc_call_message(channel, &call, &request,
                                  &beam_pb__start_worker_response__descriptor, &answer,
                                  &why) != BEAM_OK) {
            failures++;
            assert_true(strlen(why.message) >= WORDS);
        } else if (*answer->error) {
            refused++;
        }
        beam_message_free(answer);
    }
    beam_grpc_channel_close(channel);
    beam_pool_close(pool);
    assert_in_range(failures + refused, 0, 1);
    assert_in_range(starts, 11, 12);
    return BEAM_OK;
}

static void pool(void **state)
{
    (void)state;
    fail_each(GRPC_SERVER, serve_pool, NULL, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(submitting, make, clear),
                                       cmocka_unit_test_setup_teardown(cancelling, make, clear),
                                       cmocka_unit_test_setup_teardown(asking, make, clear),
                                       cmocka_unit_test_setup_teardown(fetching, make, clear),
                                       cmocka_unit_test(pool)};
    grpc_faults_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
