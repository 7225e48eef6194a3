#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# wordcount on Spark, in each environment, and the Beam model as test_prism_model.sh has it on Prism.
. "$(dirname "$0")/common.sh"
need wordcount beam
need_long spark "$0"
patience=${BEAM_ENGINE_PATIENCE:-300}
makes_text 20000
makes_machine
opens_pool
spark=(--runner=spark --job_endpoint="$BEAM_JOB_ENDPOINT")

counts loopback "${spark[@]}"
counts process "${spark[@]}" --environment_type=PROCESS \
    --environment_config="$place/machine/beam"
counts external "${spark[@]}" --environment_type=EXTERNAL --environment_config="$pool"

. "$root/tests/engines/model.sh"
runs_model spark
ends
