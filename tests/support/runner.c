/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "support/runner.h"

#include <stdlib.h>

bool test_on_engine(void)
{
    return getenv("BEAM_TEST_RUNNER") != NULL;
}

beam_run_options test_runner(void)
{
    return (beam_run_options){.struct_size = sizeof(beam_run_options),
                              .runner = getenv("BEAM_TEST_RUNNER"),
                              .job_endpoint = getenv("BEAM_JOB_ENDPOINT")};
}
