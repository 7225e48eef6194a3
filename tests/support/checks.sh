# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What tests that are scripts begin with: where the programs ($bin) and the sources ($root) are, and a
# folder $place that goes at the end.
#
# The words of a test: skip, need, complain, and ends, which is its last line.
set -u
bin=${BEAM_BIN:?}
root=${BEAM_SOURCE_DIR:?}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failures=0

skip() { # why
    echo "$*: nothing to test"
    exit 77 # ctest: skipped
}

need() { # programs
    local program
    for program; do
        [ -x "$bin/$program" ] || skip "$bin/$program is not built"
    done
}

complain() { # of what: the test goes on, and fails
    echo "FAILED: $*"
    failures=$((failures + 1))
}

ends() {
    [ "$failures" = 0 ] && echo "all good"
    exit "$((failures > 0))"
}
