#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The tool beam, where a test of one verb is not elsewhere: what it refuses, and how it ends.
set -u
bin=${BEAM_BIN:?}
[ -x "$bin/beam" ] || { echo "$bin/beam is not built: nothing to test"; exit 77; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failures=0

complain() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# refuses STATUS WORDS ARGUMENTS...: beam ends with the status and says the words.
refuses() {
    local status=$1 words=$2
    shift 2
    timeout 20 "$bin/beam" "$@" >"$place/out" 2>"$place/err"
    local got=$?
    [ $got = "$status" ] || complain "beam $* ended with $got instead of $status"
    grep -q -- "$words" "$place/err" || complain "beam $*: no '$words' in: $(cat "$place/err")"
}

# A port that there is not; one that is left when the bits above are cut off must not be taken for it.
refuses 2 '--port=65536: at most 65535' worker-pool --port=65536
refuses 2 '--port=4295017296' worker-pool --port=4295017296

# Standard output that takes nothing is a failure, whoever prints there.
for command in "beam --help" "beam completion bash" "beam devices reference" "beam copy --help=man" \
    "wordcount --help=bash"; do
    # shellcheck disable=SC2086
    "$bin"/$command >/dev/full 2>"$place/err"
    got=$?
    [ $got = 1 ] || complain "$command, to a full disk, ended with $got instead of 1"
    grep -q 'cannot write to standard output' "$place/err" || complain "$command: $(cat "$place/err")"
done

[ $failures = 0 ]
