# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# runs_model ENGINE NAMES...: pipelines of tests/pipeline, which check themselves, on an engine; those
# of NAMES besides.
runs_once() { # engine, program
    BEAM_TEST_RUNNER=$1 timeout "$patience" "$2" 2>&1 | tee "$place/said"
    return "${PIPESTATUS[0]}"
}

# Prism's own nil pointer on a machine that is busy: docs/engines.md.
prism_broke() {
    grep -q 'nil pointer dereference' "$place/said" && grep -qF '(*W).NextInst' "$place/said"
}

runs_model() {
    local name program engine=$1
    shift
    for name in keys sides basic transforms windows "$@"; do
        program=$bin/../tests/test_pipeline_$name
        [ -x "$program" ] || continue
        runs_once "$engine" "$program" && continue
        if prism_broke; then
            echo "Prism panicked, and test_pipeline_$name runs once more"
            runs_once "$engine" "$program" && continue
        fi
        complain "test_pipeline_$name"
    done
}
