# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# runs_model ENGINE: pipelines of tests/pipeline, which check themselves, on an engine.
runs_model() {
    local name
    for name in keys sides basic transforms windows; do
        [ -x "$bin/../tests/test_pipeline_$name" ] || continue
        BEAM_TEST_RUNNER=$1 timeout "$patience" "$bin/../tests/test_pipeline_$name" ||
            complain "test_pipeline_$name"
    done
}
