#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The whole default sweep of 18 configurations on some images, killed ten times at random moments.
# Takes minutes, so it runs where BEAM_LONG is 1. BEAM_SWEEP_DATA are options that name other images
# than the digits, such as "--dataset=FOLDER --image_size=32".
if [ "${BEAM_LONG:-}" != 1 ]; then
    echo "BEAM_LONG is not 1: skipped"
    exit 77
fi
. "$(dirname "$0")/training.sh"

read -ra data <<<"${BEAM_SWEEP_DATA:---dataset=digits}"
sweep() { # FOLDER: a program in the background, in $pid
    "$bin/parallel_training" "${data[@]}" --num_images="${BEAM_SWEEP_IMAGES:-256}" \
        --epochs="${BEAM_SWEEP_EPOCHS:-2}" --checkpoint_dir="$1/runs" --output="$1/out" \
        --serving_dir="$1/serving" --result_json="$1/result.json" >"$place/out" 2>"$place/err" &
    pid=$!
}

mkdir "$place/whole" "$place/killed"
start=$(date +%s%N)
sweep "$place/whole"
wait $pid || complain "the sweep ended with $?: $(cat "$place/err")"
took=$((($(date +%s%N) - start) / 1000000))
[ "$(grep -c '"status": "ok"' "$place"/whole/out-*)" = 18 ] || complain "not 18 models"

RANDOM=${BEAM_SEED:-1}
for kill in 1 2 3 4 5 6 7 8 9 10; do
    after=$((RANDOM * (took / 5) / 32768 + 50))
    sweep "$place/killed"
    sleep "$((after / 1000)).$(printf %03d $((after % 1000)))"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    echo "kill $kill after $after ms: $(find "$place/killed/runs" -name result.json | wc -l) done"
done
sweep "$place/killed"
wait $pid || complain "the last run ended with $?: $(cat "$place/err")"
[ "$(results "$place"/whole/out-*)" = "$(results "$place"/killed/out-*)" ] ||
    complain "killed ten times, it ended with other results"
cmp "$place/whole/serving/model.safetensors" "$place/killed/serving/model.safetensors" ||
    complain "killed ten times, it deployed another model"

succeeds cpu_inference "${data[@]}" --weights="$place/whole/serving/model.safetensors" \
    --result_json="$place/served.json"
same_accuracy "$place/whole/result.json" "$place/served.json"

ends
