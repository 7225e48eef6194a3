/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* environment.h - where an engine runs a pipeline's functions, and what it is told of the job. */
#ifndef SUBMIT_ENVIRONMENT_H
#define SUBMIT_ENVIRONMENT_H

#include <beam/pipeline.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "model/proto/struct.pb-c.h"
#include "submit/artifacts.h"

typedef struct beam_environment {
    const char *urn;
    ProtobufCBinaryData payload;
    bool own_program; /* workers see this program's file: it need not be sent */
    bool own_disk;    /* and all others that this process sees */
} beam_environment;

/* By Beam's --environment_type and --environment_config; all of it lives in the arena.
 *
 *     EXTERNAL   host:port of a worker pool, or {"url": "host:port", "params": {...}}
 *     LOOPBACK   the same; the pool is this process
 *     PROCESS    a command that is given --id and --provision_endpoint, or {"command": ...,
 *                "os": ..., "arch": ..., "env": {...}}; NULL: this very program
 *     DOCKER     an image */
beam_status beam_environment_make(const char *type, const char *config, beam_arena *arena,
                                  beam_environment *environment, beam_error *err);

/* What goes into one PrepareJobRequest. */
typedef struct beam_job_description {
    const void *pipeline; /* serialized, with environments that have hints and nothing else */
    size_t pipeline_size;
    const char *name;
    const beam_environment *environment;
    const beam_artifacts *artifacts; /* of every environment */
    const char *const *capabilities; /* URNs of what workers can do */
    size_t n_capabilities;
    const beam_named_value *options; /* the pipeline options, by Beam's names */
    size_t n_options;
    /* gs://...: artifacts lie there, each named by its checksum; NULL: they are handed over. */
    const char *artifact_folder;
} beam_job_description;

/* Appends the serialized request. */
beam_status beam_job_describe(const beam_job_description *job, beam_buffer *out, beam_error *err);

/* The pipeline alone, as the request holds it; it lives in the arena and in `parsed`, which
 * job->pipeline was made into. */
beam_status beam_pipeline_complete(const beam_job_description *job, const BeamPb__Pipeline *parsed,
                                   beam_arena *arena, BeamPb__Pipeline **pipeline, beam_error *err);

/* "true" and "false" become booleans, numbers numbers, and a name that occurs more than once, or is
 * of a list (experiments), a list; names get the form beam:option:NAME:v1.  NULL when memory is
 * out. */
BeamPb__Struct *beam_options_to_proto(const beam_named_value *options, size_t n, beam_arena *arena);

#endif
