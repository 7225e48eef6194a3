#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The weekly job on Dataflow, on a service of our own: its request, what is refused for its cost, that
# a job without output is a failure, and what verifying finds.
. "$(dirname "$0")/common.sh"
need gpu_inference beam
opens_storage
opens_dataflow
weekly() { # options...
    "$root/tools/run-dataflow" --bin="$bin" --project=my-project --region=us-central1 \
        --temp_location=gs://bucket/tmp --image="$registry/beam/gpu:1" "$@" >"$place/out" 2>"$place/err"
}
here=(-- --dataflow_endpoint="$service" --no_auth)
wants() { # status, words
    [ $? = "$1" ] || complain "$2: another status; $(cat "$place/out" "$place/err")"
    grep -q -- "$2" "$place/out" "$place/err" || complain "no '$2' in: $(cat "$place/out" "$place/err")"
}

control "$(images)}"
weekly --dry_run "${here[@]}"
wants 0 '"maxNumWorkers": 1'
[ "$(asked "len(jobs)")" = 0 ] || complain "a dry run made a job"
weekly --max_usd=0.10 "${here[@]}"
wants 1 'more than --max_usd=0.10'
[ "$(asked "len(jobs)")" = 0 ] || complain "too dear, and a job was made"
weekly "${here[@]}" # the service classifies nothing
wants 1 'run-dataflow: '
[ "$(asked "len(jobs)")" = 1 ] || complain "not one job"
weekly --verify_what=x
wants 2 'usage\|A small job'

"$bin/gpu_inference" --device=cpu --dataset=digits --split=all --num_images=1000 \
    --output="$place/labels" >"$place/log" || complain "no labels"
cat "$place"/labels-* >"$place/all"
weekly --verify="$place/all"
wants 0 '1000 lines'
head -n 999 "$place/all" >"$place/less"
weekly --verify="$place/less"
wants 1 'should be 1000'
{ head -n 999 "$place/all"; head -n 1 "$place/all"; } >"$place/twice"
weekly --verify="$place/twice"
wants 1 'there twice'
sed 's/,[0-9]*$/,0/' "$place/all" >"$place/wrong"
weekly --verify="$place/wrong"
wants 1 '0.97 of them'
ends
