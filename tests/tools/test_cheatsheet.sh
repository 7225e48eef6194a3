#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The cheat sheet of docs/ is what the tool makes of the results beside it; what it computes; what it
# says of wrong input.
. "$(dirname "$0")/../support/checks.sh"
need beam
export BEAM_SHARE_DIR=$root/share

told() { # status, words, arguments...
    local status=$1 words=$2
    shift 2
    "$bin/beam" cheatsheet --output="$place/none" "$@" >"$place/out" 2>"$place/err"
    local got=$?
    [ $got = "$status" ] || complain "$*: status $got instead of $status"
    grep -q -- "$words" "$place/err" || complain "$*: no '$words' in: $(cat "$place/err")"
    [ ! -e "$place/none" ] || complain "$*: a page was written"
}

(cd "$BEAM_SOURCE_DIR/docs" && "$bin/beam" cheatsheet --output="$place/sheet.md" results/*.json results/aot/*.json) ||
    complain "docs/results: no page"
cmp "$place/sheet.md" "$BEAM_SOURCE_DIR/docs/cheatsheet.md" ||
    complain "docs/cheatsheet.md: (cd docs && beam cheatsheet --output=cheatsheet.md results/*.json results/aot/*.json)"

# 1,000,000 images at 1,000 a second on a T4 at 0.42 and a worker of two vCPUs and 8 GB: 1000 s of
# 0.560456 dollars an hour are 0.1557 dollars; twice as fast as the other.
echo '{"device": "cpu", "model": "m", "images_per_second": 500}' >"$place/cpu.json"
echo '{"device": "gpu", "model": "m", "images_per_second": 1000}' >"$place/gpu.json"
"$bin/beam" cheatsheet "$place/cpu.json" "t4=$place/gpu.json" >"$place/out" || complain "no page"
grep -qF '| 1000 | 16.7 | | 0.560 | 0.1557 | 2.00 |' "$place/out" || complain "the T4's row"
# It is twice as fast and four times as dear: no.  Ten times as fast: yes.
grep -qF -- '- NVIDIA T4, inference of m: **no**. It is 2.00 times as fast and costs 3.99 times as much an hour: $0.1557 a job instead of $0.0780.' \
    "$place/out" || complain "the verdict on a slow T4"
grep -qF '| inference, images/s | 500 m | 1000 m |' "$place/out" || complain "the T4 at a glance"
echo '{"device": "gpu", "model": "m", "images_per_second": 5000}' >"$place/fast.json"
"$bin/beam" cheatsheet "$place/cpu.json" "t4=$place/fast.json" >"$place/out" || complain "no page"
grep -qF 'T4, inference of m: **yes**. It is 10.00 times' "$place/out" || complain "the verdict on a fast T4"
"$bin/beam" cheatsheet "$place/cpu.json" "h100=$place/fast.json" >"$place/out" || complain "no page"
grep -qF -- '--price=h100:USD' "$place/out" || complain "no verdict without a price"
echo '{"worker": {"vcpus": 1, "vcpu_hour": 1, "from": "me"}, "devices": [{"name": "cpu", "title": "C", "price_hour": 0}, {"name": "t4", "title": "T", "price_hour": 1}]}' >"$place/prices.json"
"$bin/beam" cheatsheet --prices="$place/prices.json" "$place/cpu.json" "t4=$place/fast.json" >"$place/out" ||
    complain "no page"
grep -qF 'T, inference of m: **yes**. It is 10.00 times as fast and costs 2.00 times' "$place/out" ||
    complain "a price file of one's own"

"$bin/beam" cheatsheet --price=h100:10 "$place/cpu.json" >"$place/out" || complain "no page"
grep -q '^| NVIDIA H100 | 10.140 | 72.2 |' "$place/out" || complain "the price given for an H100"

# 128 images of 197 GFLOP and 8.19 GB: 0.128 s of arithmetic at 197 TFLOP/s, 1.28 s of memory at 819 GB/s.
compiled() { # NAME, values of flops and bytes_accessed, precision
    echo "{\"example\": \"beam aot\", \"target\": \"v5e:1x1\", \"chip\": \"${5:-v5e}\", \"model\": \"m\", \"training\": false, \"precision\": \"$4\", \"batch_size\": 128, \"flops\": $2, \"bytes_accessed\": $3}" >"$place/$1.json"
}
compiled memory 25.216e12 1048.32e9 bf16
compiled arithmetic 252.16e12 104.832e9 bf16
for bound in memory arithmetic; do
    "$bin/beam" cheatsheet "$place/cpu.json" "$place/$bound.json" >"$place/out" || complain "no page"
    grep -q "^| inference | m | TPU v5e, a chip | bf16 | 128 | .* | $bound | 100 | 166.67 |" "$place/out" ||
        complain "bound by $bound: $(grep 'bound by' -A 3 "$place/out")"
    grep -q '^| inference, images/s at most | .* 100 c |' "$place/out" || complain "$bound at a glance"
done
compiled silent null null bf16
told 1 'told neither arithmetic' "$place/silent.json"
compiled other 1e9 1e9 f32
told 1 'peak_tflops in f32' "$place/other.json"
compiled unknown 1e9 1e9 bf16 h100
told 1 'bandwidth_gb_s of h100' "$place/unknown.json"

told 1 't4' "$place/gpu.json"
told 1 'no images_per_second' <(echo '{"device": "cpu"}')
told 1 'unexpected token' <(echo '{"device": ')
told 1 'no object' <(echo '[]')
told 1 "^beam cheatsheet: unable to open $place/absent.json: No such file" "$place/absent.json"
told 1 'dollars an hour' --price=v5e:cheap "$place/cpu.json"
told 1 'dollars an hour' --price=v5e:inf "$place/cpu.json"
told 1 'dollars an hour' --price=abacus:1 "$place/cpu.json"
told 2 'did you mean --price' --prize=v5e:1 "$place/cpu.json"
told 2 'expected RESULT' --price=v5e:1
ends
