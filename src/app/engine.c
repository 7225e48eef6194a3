/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/engine.h"

#include <stdio.h>
#include <string.h>

#include "app/dataflow.h"
#include "app/loopback.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/staged.h"
#include "device/onednn_library.h"
#include "graph/pipeline.h"
#include "model/urn.h"
#include "net/crypto_library.h"
#include "net/curl_library.h"
#include "net/grpc_library.h"
#include "net/nghttp2_library.h"
#include "submit/prism.h"
#include "submit/submit.h"

/* What a run needs besides its options. */
typedef struct engine_run {
    const beam_run_options *options;
    beam_prism prism; /* started, or zeroed */
    beam_loopback *loopback;
    beam_artifacts artifacts;
    beam_arena arena;
    int64_t began; /* beam_clock_ns */
    char gone[128];
} engine_run;

static const char *const capabilities[] = {BEAM_URN_PROTOCOL_PROGRESS,
                                           BEAM_URN_PROTOCOL_MULTI_CORE,
                                           BEAM_URN_PROTOCOL_STATE_CACHING,
                                           BEAM_URN_PROTOCOL_DATA_SAMPLING,
                                           BEAM_URN_PROTOCOL_HARNESS_METRICS,
                                           BEAM_URN_PROTOCOL_WORKER_STATUS,
                                           BEAM_URN_SDF_TRUNCATE};

const char *const *beam_engine_capabilities(size_t *n)
{
    *n = sizeof capabilities / sizeof *capabilities;
    return capabilities;
}

bool beam_is_engine(const char *runner)
{
    static const char *const engines[] = {"prism", "flink", "spark", "portable", "dataflow"};
    for (size_t i = 0; runner && i < sizeof engines / sizeof *engines; i++)
        if (strcmp(runner, engines[i]) == 0)
            return true;
    return false;
}

/* ---- The engine -------------------------------------------------------------------------- */

static beam_status find_engine(engine_run *run, const char **endpoint, beam_error *err)
{
    const beam_run_options *o = run->options;
    *endpoint = o->job_endpoint;
    if (*endpoint)
        return BEAM_OK;
    if (strcmp(o->runner, "prism") != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--runner=%s needs the --job_endpoint=HOST:PORT of its job service",
                              o->runner);
    BEAM_TRY(beam_prism_start(o->logger, &run->prism, err));
    *endpoint = run->prism.endpoint;
    BEAM_LOG(o->logger, BEAM_LOG_INFO, "Prism serves on %s", *endpoint);
    return BEAM_OK;
}

static const char *gone(void *user)
{
    engine_run *run = user;
    if (!*run->prism.endpoint)
        return NULL;
    if (beam_prism_alive(&run->prism))
        return beam_prism_lost_worker(&run->prism)
                   ? "lost a worker, and has not said what becomes of its work,"
                   : NULL;
    (void)snprintf(run->gone, sizeof run->gone, "%s (Prism, which this program had started)",
                   run->prism.end);
    return run->gone;
}

void beam_engine_tell(const beam_run_options *options, int64_t began, const char *what)
{
    if (!options->on_progress)
        return;
    const beam_progress progress = {
        .seconds = 1e-9 * (double)(beam_clock_ns() - began), .transform = what, .fraction = -1};
    options->on_progress(options->progress_user, &progress);
}

static void on_tick(void *user)
{
    const engine_run *run = user;
    beam_engine_tell(run->options, run->began, run->options->runner);
}

/* ---- The environment --------------------------------------------------------------------- */

beam_status beam_engine_add_files(beam_artifacts *artifacts, const beam_pipeline *pipeline,
                                  beam_error *err)
{
    for (const beam_graph_file *f = beam_pipeline_files(pipeline); f; f = f->older) {
        char *path = NULL, folder[BEAM_STAGED_NAME];
        BEAM_TRY(f->locate(f->name, &path, err));
        const char *slash = strrchr(path, '/');
        beam_staged_name(f->kind, f->name, folder);
        char *name = beam_asprintf("%s/%s", folder, slash && slash[1] ? slash + 1 : "it");
        beam_status status =
            name ? beam_artifacts_add(artifacts, path, name, err)
                 : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a file to stage");
        beam_free(name);
        beam_release(path);
        BEAM_TRY(status);
    }
    return BEAM_OK;
}

/* The program goes with the libraries it has loaded, and its workers may open these.  One that is
 * not here is not sent: whoever needs it is told. */
beam_status beam_engine_add_program(beam_artifacts *artifacts, beam_error *err)
{
    beam_library *const libraries[] = {&beam_onednn_library, &beam_crypto_library,
                                       &beam_curl_library, &beam_grpc_library,
                                       &beam_nghttp2_library};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        (void)beam_library_open(libraries[i], NULL);
    return beam_artifacts_add_program(artifacts, err);
}

static beam_status make_environment(engine_run *run, const beam_pipeline *pipeline,
                                    const beam_registry *registry, beam_environment *environment,
                                    beam_error *err)
{
    const beam_run_options *o = run->options;
    const char *type = o->environment_type ? o->environment_type : "LOOPBACK";
    const char *config = o->environment_config;
    if (strcmp(type, "LOOPBACK") == 0) {
        BEAM_TRY(beam_loopback_start(registry, o->logger, &run->loopback, err));
        config = beam_loopback_endpoint(run->loopback);
    }
    BEAM_TRY(beam_environment_make(type, config, &run->arena, environment, err));
    if (!environment->own_program)
        BEAM_TRY(beam_engine_add_program(&run->artifacts, err));
    return environment->own_disk ? BEAM_OK : beam_engine_add_files(&run->artifacts, pipeline, err);
}

/* ---- The run ----------------------------------------------------------------------------- */

static beam_status submit(engine_run *run, beam_pipeline *pipeline, const beam_registry *registry,
                          beam_arena *arena, beam_job_metrics *metrics, beam_error *err)
{
    const beam_run_options *o = run->options;
    beam_environment environment;
    const char *endpoint;
    void *proto = NULL;
    size_t size = 0;
    BEAM_TRY(make_environment(run, pipeline, registry, &environment, err));
    BEAM_TRY(find_engine(run, &endpoint, err));
    BEAM_TRY(beam_pipeline_to_proto(pipeline, &proto, &size, err));
    const beam_submission submission = {
        .endpoint = endpoint,
        .artifact_endpoint = o->artifact_endpoint,
        .job = {.pipeline = proto,
                .pipeline_size = size,
                .name = o->job_name ? o->job_name : pipeline->name,
                .environment = &environment,
                .artifacts = &run->artifacts,
                .capabilities = capabilities,
                .n_capabilities = sizeof capabilities / sizeof *capabilities,
                .options = o->pipeline_options,
                .n_options = o->n_pipeline_options},
        .logger = o->logger,
        .cancel = o->cancel,
        .gone = gone,
        .on_tick = on_tick,
        .user = run};
    beam_status status = beam_submit(&submission, arena, metrics, err);
    beam_release(proto);
    return status;
}

beam_status beam_engine_run(beam_pipeline *pipeline, const beam_run_options *options,
                            const beam_registry *registry, beam_arena *arena,
                            beam_job_metrics *metrics, beam_error *err)
{
    if (strcmp(options->runner, "dataflow") == 0)
        return beam_app_dataflow_run(pipeline, options, arena, metrics, err);
    engine_run run = {.options = options, .began = beam_clock_ns()};
    beam_status status = submit(&run, pipeline, registry, arena, metrics, err);
    beam_loopback_stop(run.loopback);
    beam_prism_stop(&run.prism);
    beam_artifacts_free(&run.artifacts);
    beam_arena_free(&run.arena);
    return status;
}
