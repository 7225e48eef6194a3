#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The Beam model on Prism: pipelines of tests/pipeline, whose checks are in the pipelines
# themselves, run there instead of on the direct runner.
set -u
tests=${BEAM_BIN:?}/../tests
export BEAM_PRISM=${BEAM_PRISM:-$(ls "${BEAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libbeam}"/prism-*/prism \
    2>/dev/null | tail -n 1)}
if [ ! -x "$BEAM_PRISM" ]; then
    echo "there is no Prism (scripts/deps go prism): nothing to test"
    exit 0
fi
export BEAM_TEST_RUNNER=prism
failures=0
for name in keys sides transforms windows; do
    [ -x "$tests/test_pipeline_$name" ] || continue
    timeout 50 "$tests/test_pipeline_$name" || failures=$((failures + 1))
done
[ "$failures" = 0 ]
