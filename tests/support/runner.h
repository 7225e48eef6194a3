/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* runner.h - where tests of pipelines run: on the direct runner, or on the engine that the
 * environment names. */
#ifndef SUPPORT_RUNNER_H
#define SUPPORT_RUNNER_H

#include <beam/pipeline.h>

/* BEAM_TEST_RUNNER: prism, flink, spark; unset: the direct runner.  BEAM_JOB_ENDPOINT: its job
 * service.  Workers are threads of this process (LOOPBACK). */
bool test_on_engine(void);
beam_run_options test_runner(void);

#endif
