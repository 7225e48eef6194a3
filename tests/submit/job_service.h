/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* job_service.h - for tests: an engine's side of submitting a job, and of starting a worker, on a
 * port of this process.  It asks for the job's one file and runs nothing; workers may have the file
 * back. */
#ifndef TESTS_SUBMIT_JOB_SERVICE_H
#define TESTS_SUBMIT_JOB_SERVICE_H

#include "base/buffer.h"
#include "model/proto/pipeline.pb-c.h"

typedef struct job_service job_service;

/* How its jobs go, once it has said that they run. */
typedef enum job_kind {
    JOB_ENDS,  /* well, which the stream of messages says */
    JOB_QUIET, /* the stream ends; the job has ended well for who asks */
    JOB_LASTS  /* until it is cancelled */
} job_kind;

/* Of a job with that file, whose bytes are those; both borrowed.  Fails the test when it cannot. */
job_service *job_service_start(const BeamPb__ArtifactInformation *file, const void *bytes,
                               size_t size, job_kind kind);
const char *job_service_endpoint(const job_service *s); /* of all its services */
/* Whether the file has come, whole. */
bool job_service_has_file(job_service *s);
void job_service_stop(job_service *s);

#endif
