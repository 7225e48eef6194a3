#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The tool beam, where a test of one verb is not elsewhere: what it refuses, and how it ends.
. "$(dirname "$0")/../support/checks.sh"
need beam

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

# What has no effect is refused, so that nobody reads the figures of another program than the one meant.
refuses 2 '--optimizer is of --train' aot --target=h100 --model=resnet18 --optimizer=adam
for own in --image_size=64 --num_classes=2 --cifar_stem --optimizer=muon; do
    refuses 2 'that of --stablehlo is made' aot --target=h100 --stablehlo=step.mlir --train $own
done

# The sample is of the training images where there are such, else of all.
export BEAM_SHARE_DIR=${BEAM_SOURCE_DIR:?}/share
for folder in flat split/train split/test; do
    python3 "$BEAM_SOURCE_DIR/tests/support/pictures.py" "$place/$folder" 3 || complain "no pictures"
done
rm "$place"/split/test/*/2.png
for sample in "flat 6" "split 6" "split 4 --split=test" "split 10 --split=all" "flat 6 --split=all"; do
    read -r folder count split <<<"$sample"
    # shellcheck disable=SC2086
    "$bin/beam" quantize --dataset="$place/$folder" --weights=fastnet-cifar10 --output="$place/int8" $split \
        >"$place/out" 2>"$place/err" || complain "$sample: $(cat "$place/err")"
    grep -q "calibrated with $count images" "$place/out" || complain "$sample: $(cat "$place/out")"
done
refuses 1 'has no split "train"' quantize --dataset="$place/flat" --split=train --output="$place/none"

# Standard output that takes nothing is a failure, whoever prints there.
for command in "beam --help" "beam completion bash" "beam devices reference" "beam copy --help=man" \
    "wordcount --help=bash"; do
    # shellcheck disable=SC2086
    "$bin"/$command >/dev/full 2>"$place/err"
    got=$?
    [ $got = 1 ] || complain "$command, to a full disk, ended with $got instead of 1"
    grep -q 'cannot write to standard output' "$place/err" || complain "$command: $(cat "$place/err")"
done

ends
