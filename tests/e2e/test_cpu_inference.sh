#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# cpu_inference on the digits: what it says, what it writes, and how it refuses.
. "$(dirname "$0")/cpu_inference.sh"

# refuses STATUS WORDS ARGUMENTS...: ends with the status and says the words; writes nothing.
refuses() {
    local status=$1 words=$2
    shift 2
    "$program" "$@" --output="$place/refused/x" >"$place/out" 2>"$place/err"
    local got=$?
    [ $got = "$status" ] || complain "$* ended with $got instead of $status"
    grep -q -- "$words" "$place/err" || { complain "$* did not say \"$words\":"; cat "$place/err"; }
    ls "$place"/refused/x* >/dev/null 2>&1 && complain "$* left output"
}

# The digits, whatever the threads, batches and device.
for options in "" "--max_batch_size=7" "--max_batch_size=1 --direct_num_workers=3" \
    "--precision=bf16" "--device=reference --num_images=50"; do
    rm -rf "$place/digits"
    # shellcheck disable=SC2086
    "$program" --dataset=digits $options --output="$place/digits/x" \
        --result_json="$place/result.json" >"$place/out" 2>"$place/err" ||
        complain "digits $options: $(cat "$place/err")"
    n=359
    [[ $options == *num_images* ]] && n=50
    python3 - "$place/result.json" $n "$options" <<'END' || complain "digits $options: result_json"
import json, sys
result, n, options = json.load(open(sys.argv[1])), int(sys.argv[2]), sys.argv[3]
for key in ["example", "runner", "device", "device_requested", "model", "dataset", "precision",
            "images", "seconds", "images_per_second", "load_seconds", "accuracy",
            "peak_rss_bytes"]:
    assert key in result, key
assert result["example"] == "cpu_inference" and result["runner"] == "direct", result
assert result["images"] == n and result["model"] == "small_cnn", result
assert result["accuracy"] > 0.95, result
assert result["device"] == ("reference" if "reference" in options else "cpu"), result
assert result["peak_rss_bytes"] > 1000000, result
END
    cat "$place"/digits/x-* | sort -t, -k1n >"$place/all"
    [ "$(wc -l <"$place/all")" = $n ] || complain "digits $options: not $n lines of output"
    [ "$(cut -d, -f1 "$place/all" | uniq | wc -l)" = $n ] || complain "digits $options: ids repeat"
    ls "$place/digits" | grep -v '^x-' && complain "digits $options: left other files"
done

# Weights of eight bits: what computes in int8 says so, whatever else the processor multiplies.
"$BEAM_BIN/beam" quantize --dataset=digits --output="$place/int8.safetensors" >"$place/out" 2>"$place/err" ||
    complain "quantize: $(cat "$place/err")"
for device in cpu reference; do
    "$program" --dataset=digits --device=$device --num_images=20 --weights="$place/int8.safetensors" \
        --precision=int8 --result_json="$place/result.json" >"$place/out" 2>"$place/err" ||
        complain "int8 on $device: $(cat "$place/err")"
    grep -q '"precision": "int8"' "$place/result.json" ||
        complain "int8 on $device: $(grep precision "$place/result.json")"
done

# CIFAR-10 that cannot be had: the digits, with a message.
"$program" --result_json="$place/result.json" >"$place/out" 2>"$place/err" ||
    complain "no fall back: $(cat "$place/err")"
grep -q "CIFAR-10 cannot be had" "$place/err" || complain "the fall back was silent"
grep -q '"dataset": "digits"' "$place/result.json" || complain "the fall back was not the digits"

refuses 1 "there is no CIFAR-10 in" --data_dir="$place"
refuses 1 "No such file" --dataset=digits --weights="$place/none.pth"
refuses 1 "another network" --dataset=digits --model=resnet18 --weights=digits
refuses 1 "Give the weights" --dataset=digits --model=resnet18
refuses 2 "expected one of" --dataset=digits --device=abacus
refuses 2 "did you mean --dataset" --datset=digits
refuses 2 "whole number" --dataset=digits --num_images=many
refuses 1 "no split" --dataset=digits --split=test --data_dir="$place" --dataset="$place"
head -c 1000 "$BEAM_SHARE_DIR/models/small_cnn-digits.safetensors" >"$place/cut.safetensors"
refuses 1 "cut.safetensors" --dataset=digits --weights="$place/cut.safetensors"
echo "these are no weights" >"$place/text"
refuses 1 "text" --dataset=digits --weights="$place/text"
mkdir "$place/cifar"
head -c 100000 /dev/zero >"$place/cifar/test_batch.bin"
refuses 1 "test_batch.bin" --data_dir="$place/cifar"

# CIFAR-10 (of zeros) and a network whose weights are not to be had: it runs, but tells no accuracy
# and writes no labels.
mkdir "$place/zeros"
head -c 30730000 /dev/zero >"$place/zeros/test_batch.bin"
BEAM_DATA_DIR="$place/zeros" "$program" --model=resnet34 --num_images=70 --result_json="$place/result.json" \
    >"$place/out" 2>"$place/err" || complain "untrained: $(cat "$place/err")"
grep -q '"images": 70' "$place/result.json" || complain "untrained: not 70 images"
grep -q '"accuracy":' "$place/result.json" && complain "untrained, and yet an accuracy"
grep -q 'accuracy_withheld.*not trained' "$place/result.json" || complain "untrained without a word"
refuses 1 "Give the weights" --model=resnet34 --data_dir="$place/zeros"

# An output that cannot be written.
touch "$place/file"
"$program" --dataset=digits --output="$place/file/x" >"$place/out" 2>"$place/err" &&
    complain "wrote below a file"
grep -q "$place/file" "$place/err" || complain "an unwritable output is not named: $(cat "$place/err")"

"$program" --help | grep -q -- --max_batch_size || complain "--help lacks --max_batch_size"
"$program" --dataset=digits --dot | grep -q RunInference || complain "--dot lacks RunInference"

ends
