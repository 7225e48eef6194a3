/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* remote.h - what the tests of the device remote share: tests/support/infer_fault.py, a server that
 * does as it is told, the device, and runs of its models.  What fails fails the test. */
#ifndef TESTS_DEVICE_REMOTE_H
#define TESTS_DEVICE_REMOTE_H

#include <beam/device.h>

#include "support/infer_server.h"

extern test_server remote_server;
extern beam_device *remote_device;

/* Set-up and teardown of a group of tests: start both, and stop them. */
int remote_start(void **state);
int remote_stop(void **state);

/* Tries that do not wait long. */
extern const beam_remote_options remote_quick;

/* A model of the server at `address`; of remote_server, for up to 64 rows. */
beam_status remote_load_at(const char *address, const char *model, int64_t max_batch,
                           const beam_remote_options *remote, beam_model **loaded, beam_error *err);
beam_model *remote_load(const char *model, const beam_remote_options *remote);
beam_model_context *remote_context(beam_model *model);

/* Runs one input; *out points into the context. */
beam_status remote_run(beam_model_context *context, const beam_model *model, const float *in,
                       int64_t rows, const float **out, beam_error *err);
/* What a run of one row comes to, and its words. */
beam_status remote_run_once(beam_model *model, beam_error *err);

enum { REMOTE_MOST_ROWS = 64 };
/* Runs the model "affine" on rows of reproducible numbers, and checks what comes. */
void remote_run_affine(beam_model_context *context, const beam_model *model, int64_t rows);
void remote_fill(float *values, size_t n, uint32_t seed);

/* That the message holds `words`. */
void remote_says(const beam_error *err, const char *words);

/* What the context's runs took so far. */
beam_remote_effort remote_effort(const beam_model_context *context);

#endif
