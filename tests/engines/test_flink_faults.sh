#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What goes wrong on a Flink cluster that tries again what failed: results are right, there once,
# and whole.
. "$(dirname "$0")/common.sh"
. "$root/tests/engines/faults.sh"
need beam
export BEAM_FLINK_RESTARTS=3
need_long flink "$0"
patience=${BEAM_ENGINE_PATIENCE:-300}
flink=(--runner=flink --job_endpoint="$BEAM_JOB_ENDPOINT" --environment_type=PROCESS --parallelism=1)
pid_of() { cat "$BEAM_ENGINE_DIR/$1.pid"; }

# napping: waits for the worker at work, and sets $worker and $manager, the TaskManager's name.
napping() {
    for manager in taskmanager1 taskmanager2; do
        worker=$(child "$(pid_of $manager)" --id=) && return
    done
    return 1
}

begins worker_killed "${flink[@]}"
waits_for "a worker" napping && kill -9 "$worker"
goes_on
ended 0
sums

# The worker sleeps while its TaskManager dies and all is done again elsewhere; then it goes on.
begins worker_revived "${flink[@]}"
waits_for "a worker" napping && kill -STOP "$worker" && kill -9 "$(pid_of $manager)"
running+=("$worker")
goes_on
ended 0
sums
kill -CONT "$worker"
waits_for "the revived worker's end" gone "$worker"
sums
[ -z "$(find "$place/$name" -name '.beam-temp*')" ] || complain "$name: temporary files are left"

starts bad_number "${flink[@]}" --bad=41
ended 1 "the job failed on the engine" "Nap (nap_fn): 41 is a bad number" "element .*: 41"
nothing

begins interrupted "${flink[@]}"
kill -INT "$client"
ended 130 "cancelled"
nothing

begins engine_killed "${flink[@]}"
kill -9 "$(pid_of jobserver)"
ended 1 "cannot be reached"

ends
