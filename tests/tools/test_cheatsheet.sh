#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The cheat sheet of docs/ is what the tool makes of the results beside it; what it computes; what it
# says of wrong input.
set -u
bin=${BEAM_BIN:?}
if [ ! -x "$bin/beam" ]; then
    echo "$bin/beam is not built: nothing to test"
    exit 77
fi
export BEAM_SHARE_DIR=${BEAM_SOURCE_DIR:?}/share
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failures=0

complain() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

told() { # status, words, arguments...
    local status=$1 words=$2
    shift 2
    "$bin/beam" cheatsheet --output="$place/none" "$@" >"$place/out" 2>"$place/err"
    local got=$?
    [ $got = "$status" ] || complain "$*: status $got instead of $status"
    grep -q -- "$words" "$place/err" || complain "$*: no '$words' in: $(cat "$place/err")"
    [ ! -e "$place/none" ] || complain "$*: a page was written"
}

(cd "$BEAM_SOURCE_DIR/docs" && "$bin/beam" cheatsheet --output="$place/sheet.md" results/*.json) ||
    complain "docs/results: no page"
cmp "$place/sheet.md" "$BEAM_SOURCE_DIR/docs/cheatsheet.md" ||
    complain "docs/cheatsheet.md: (cd docs && beam cheatsheet --output=cheatsheet.md results/*.json)"

# 1,000,000 images at 1,000 a second on a T4 at 0.42 and a worker of two vCPUs and 8 GB: 1000 s of
# 0.560456 dollars an hour are 0.1557 dollars; twice as fast as the other.
echo '{"device": "cpu", "model": "m", "images_per_second": 500}' >"$place/cpu.json"
echo '{"device": "gpu", "model": "m", "images_per_second": 1000}' >"$place/gpu.json"
"$bin/beam" cheatsheet "$place/cpu.json" "t4=$place/gpu.json" >"$place/out" || complain "no page"
grep -qF '| 1000 | 16.7 | | 0.560 | 0.1557 | 2.00 |' "$place/out" || complain "the T4's row"
"$bin/beam" cheatsheet --price=h100:10 "$place/cpu.json" >"$place/out" || complain "no page"
grep -q '^| NVIDIA H100 | 10.140 | 72.2 |' "$place/out" || complain "the price given for an H100"

told 1 't4' "$place/gpu.json"
told 1 'no images_per_second' <(echo '{"device": "cpu"}')
told 1 'unexpected token' <(echo '{"device": ')
told 1 'no object' <(echo '[]')
told 1 'absent.json' "$place/absent.json"
told 1 'dollars an hour' --price=v5e:cheap "$place/cpu.json"
told 1 'dollars an hour' --price=abacus:1 "$place/cpu.json"
told 2 'what is --prize' --prize=v5e:1 "$place/cpu.json"
told 2 'usage' --price=v5e:1
[ $failures = 0 ]
