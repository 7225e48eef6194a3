#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Programs on a Flink cluster, with the results that they have on the direct runner.
. "$(dirname "$0")/common.sh"
need wordcount cpu_inference tpu_training parallel_training beam
need_long flink "$0"
patience=${BEAM_ENGINE_PATIENCE:-300}
makes_text 20000
makes_machine
opens_pool
flink=(--runner=flink --job_endpoint="$BEAM_JOB_ENDPOINT")
external=("${flink[@]}" --environment_type=EXTERNAL --environment_config="$pool")
process=("${flink[@]}" --environment_type=PROCESS --environment_config="$place/machine/beam")

counts loopback "${flink[@]}"
for program in counts infers trains sweeps; do
    $program process "${process[@]}"
    $program external "${external[@]}"
done

ends
