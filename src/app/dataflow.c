/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/dataflow.h"

#include "app/engine.h"
#include "app/estimate.h"
#include "base/clock.h"
#include "graph/pipeline.h"
#include "submit/dataflow.h"

typedef struct dataflow_run {
    const beam_run_options *options;
    beam_dataflow_options read;
    beam_environment environment;
    beam_artifacts artifacts;
    void *proto;
    size_t size;
    beam_arena arena;
    int64_t began; /* beam_clock_ns */
} dataflow_run;

static void on_tick(void *user, const char *state)
{
    const dataflow_run *run = user;
    beam_engine_tell(run->options, run->began, state);
}

/* Options first: a wrong one, and what a job costs, are told before files are read for their
 * checksums. */
static beam_status prepare(dataflow_run *run, beam_pipeline *pipeline, beam_error *err)
{
    const beam_run_options *o = run->options;
    BEAM_TRY(beam_dataflow_options_read(o->pipeline_options, o->n_pipeline_options, o->job_name,
                                        pipeline->name, &run->arena, &run->read, err));
    BEAM_TRY(beam_environment_make("DOCKER", run->read.image, &run->arena, &run->environment, err));
    BEAM_TRY(beam_estimate_tell(pipeline, &run->read, o->logger, &run->arena, err));
    BEAM_TRY(beam_pipeline_to_proto(pipeline, &run->proto, &run->size, err));
    BEAM_TRY(beam_engine_add_program(&run->artifacts, err));
    return beam_engine_add_files(&run->artifacts, pipeline, err);
}

static beam_dataflow_submission submission_of(dataflow_run *run, const beam_pipeline *pipeline)
{
    beam_dataflow_submission submission = {.options = &run->read,
                                           .job = {.pipeline = run->proto,
                                                   .pipeline_size = run->size,
                                                   .name = pipeline->name,
                                                   .environment = &run->environment,
                                                   .artifacts = &run->artifacts},
                                           .watch = {.logger = run->options->logger,
                                                     .cancel = run->options->cancel,
                                                     .on_tick = on_tick,
                                                     .user = run}};
    submission.job.capabilities = beam_engine_capabilities(&submission.job.n_capabilities);
    return submission;
}

static void end(dataflow_run *run)
{
    beam_release(run->proto);
    beam_artifacts_free(&run->artifacts);
    beam_arena_free(&run->arena);
}

beam_status beam_app_dataflow_run(beam_pipeline *pipeline, const beam_run_options *options,
                                  beam_arena *arena, beam_job_metrics *metrics, beam_error *err)
{
    dataflow_run run = {.options = options, .began = beam_clock_ns()};
    beam_status status = prepare(&run, pipeline, err);
    if (status == BEAM_OK) {
        const beam_dataflow_submission submission = submission_of(&run, pipeline);
        status = beam_dataflow_run(&submission, arena, metrics, err);
    }
    end(&run);
    return status;
}

beam_status beam_app_dataflow_describe(beam_pipeline *pipeline, const beam_run_options *options,
                                       char **text, beam_error *err)
{
    dataflow_run run = {.options = options};
    *text = NULL;
    beam_status status = prepare(&run, pipeline, err);
    if (status == BEAM_OK) {
        const beam_dataflow_submission submission = submission_of(&run, pipeline);
        status = beam_dataflow_describe(&submission, text, err);
    }
    end(&run);
    return status;
}
