#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What becomes of options in a request to Dataflow, as --dry_run prints it: each way to say a thing says
# the same, and what there is not is refused.
. "$(dirname "$0")/../support/checks.sh"
need wordcount
export BEAM_SHARE_DIR=$root/share

dry() { # options...
    "$bin/wordcount" --input=gs://bucket/x --output=gs://bucket/y --runner=dataflow --dry_run \
        --project=my-project --region=us-central1 --temp_location=gs://bucket/tmp \
        --sdk_container_image=registry.example/x:1 "$@" >"$place/out" 2>"$place/err"
}
# asks MEMBER VALUE OPTIONS...: a member of the worker pool; "None" where it has none.
asks() {
    local member=$1 value=$2 got
    shift 2
    dry "$@" || complain "$*: $(cat "$place/err")"
    got=$(python3 -c '
import json, sys
pool = json.load(open(sys.argv[1]))["request"]["environment"]["workerPools"][0]
for name in sys.argv[2].split("."):
    pool = (pool or {}).get(name)
print(pool)' "$place/out" "$member")
    [ "$got" = "$value" ] || complain "$*: $member is $got instead of $value"
}
refuses() { # WORDS OPTIONS...
    local words=$1
    shift
    dry "$@" && complain "$*: taken"
    grep -q -- "$words" "$place/err" || complain "$*: no '$words' in: $(cat "$place/err")"
}

asks ipConfiguration None
asks ipConfiguration WORKER_IP_PUBLIC --use_public_ips
for none in --no_use_public_ips --no-use_public_ips --use_public_ips=false --no_use_public_ips=true; do
    asks ipConfiguration WORKER_IP_PRIVATE $none
done
refuses "exclude one another" --use_public_ips --no_use_public_ips

asks autoscalingSettings.algorithm None --max_num_workers=3
asks autoscalingSettings.algorithm AUTOSCALING_ALGORITHM_BASIC --autoscaling_algorithm=THROUGHPUT_BASED
asks autoscalingSettings.algorithm AUTOSCALING_ALGORITHM_NONE --autoscaling_algorithm=NONE --num_workers=1
for wrong in none '' FASTEST; do
    refuses "--autoscaling_algorithm=$wrong: expected NONE or THROUGHPUT_BASED" \
        --autoscaling_algorithm=$wrong --num_workers=1
done

ends
