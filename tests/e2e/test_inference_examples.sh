#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The examples of models a key and of newer weights, on the digits.
. "$(dirname "$0")/../support/checks.sh"
need keyed_inference model_refresh
keyed=$bin/keyed_inference
refresh=$bin/model_refresh
weights=$root/models/small_cnn-digits.safetensors

"$keyed" --output="$place/keyed" --report="$place/page.html" >"$place/out" 2>"$place/err" ||
    complain "$(cat "$place/err")"
grep -q '"a-_num_inferences"' "$place/page.html" || complain "the page has no metrics of each model"
cat "$place"/keyed-*.txt | sort >"$place/keyed"
[ "$(cut -d: -f1 "$place/keyed" | tr '\n' ' ')" = "a b " ] || complain "$(cat "$place/keyed")"
awk '{ if ($NF < 0.97) exit 1 }' "$place/keyed" || complain "accuracies: $(cat "$place/keyed")"
"$keyed" --output="$place/small" --memory_budget_mb=2 >"$place/out" 2>"$place/err" ||
    complain "$(cat "$place/err")"
cat "$place"/small-*.txt | sort | cmp - "$place/keyed" || complain "a budget changes results"
for megabytes in 18446744073710 9223372036854775807; do # more bytes than 63 bits count
    "$keyed" --output="$place/large" --memory_budget_mb=$megabytes >"$place/out" 2>"$place/err" ||
        complain "a budget of $megabytes MB: $(cat "$place/err")"
done

# The newest of two; then one that is none, beside weights to fall back on.
mkdir "$place/watched"
cp "$weights" "$place/watched/first.safetensors"
touch -d '1 hour ago' "$place/watched/first.safetensors"
cp "$weights" "$place/watched/second.safetensors"
"$refresh" --watch="$place/watched/*.safetensors" --output="$place/newest" >"$place/out" \
    2>"$place/err" || complain "$(cat "$place/err")"
grep -q "second.safetensors: 359 images" "$place"/newest-*.txt || complain "$(cat "$place"/newest*)"
mkdir "$place/broken"
echo "no weights" >"$place/broken/x.safetensors"
"$refresh" --watch="$place/broken/*" --weights=digits --output="$place/kept" >"$place/out" \
    2>"$place/err" || complain "$(cat "$place/err")"
grep -q "^digits: 359 images" "$place"/kept-*.txt || complain "$(cat "$place"/kept*)"
grep -q "x.safetensors are refused" "$place/err" || complain "no word of what was refused"

ends
