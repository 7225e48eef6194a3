#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Jobs on a Dataflow service of our own: their requests, byte for byte; how they end; and a whole one,
# whose staged pipeline and files run on Prism in a process that stands in for Dataflow's machines.
. "$(dirname "$0")/common.sh"
need wordcount gpu_inference tpu_training parallel_training beam
opens_storage
opens_dataflow
makes_text 2000
upload() { # file, name
    curl -sf --data-binary "@$1" -H 'Content-Type: application/octet-stream' -o /dev/null \
        "$STORAGE_EMULATOR_HOST/upload/storage/v1/b/bucket/o?uploadType=media&name=$2" ||
        complain "cannot upload $1"
}
upload "$place/text" text
words=(--input=gs://bucket/text --output=gs://bucket/out/x --sdk_container_image="$registry/beam/cpu:1")

# ---- Requests ------------------------------------------------------------------------------------

# golden NAME PROGRAM OPTIONS...: --dry_run prints what lies in golden/NAME.json, and what is then
# sent is the same.  Checksums, addresses and ids differ from build to build.
golden() {
    local name=$1
    shift
    control "$(images)}"
    dataflow "$@" --job_name="$name" --dry_run || complain "$name: $(cat "$place/err")"
    python3 - "$place/out" "$place/request" "$service" <<'END'
import json, re, sys
told = json.load(open(sys.argv[1]))
assert told["url"] == sys.argv[3] + "/v1b3/projects/my-project/locations/us-central1/jobs"
assert all(f["to"].startswith("gs://bucket/tmp/libbeam/") for f in told["files"]), told["files"]
assert [f["as"] for f in told["files"][1:]][0] == "program"
json.dump(told["request"], open(sys.argv[2], "w"))
END
    [ $? = 0 ] || complain "$name: --dry_run prints something else"
    dataflow "$@" --job_name="$name" # the service trains nothing, of which programs complain
    [ "$(asked "len(jobs)")" = 1 ] || complain "$name: no job: $(cat "$place/err")"
    asked "json.dumps(request)" >"$place/sent"
    local which
    for which in request sent; do
        sed -e "s|$registry|REGISTRY|g" -e "s|$service|SERVICE|g" -e "s|$root|ROOT|g" \
            "$place/$which" | python3 -c '
import json, re, sys
text = re.sub("[0-9a-f]{64}", "CHECKSUM", sys.stdin.read())
request = json.loads(text)
request["clientRequestId"] = "ID"
request["environment"]["sdkPipelineOptions"]["options"].pop("dry_run", None)
print(json.dumps(request, indent=1))' >"$place/$name.$which.json"
        [ -z "${BEAM_UPDATE_GOLDEN-}" ] ||
            cp "$place/$name.$which.json" "$root/tests/cloud/golden/$name.json"
        diff "$root/tests/cloud/golden/$name.json" "$place/$name.$which.json" ||
            complain "$name: another request ($which)"
    done
}
t4="type:nvidia-tesla-t4;count:1;install-nvidia-driver:5xx"
v5e="type:tpu-v5-lite-podslice;topology:2x4"
golden gpu-whole-job gpu_inference --dataset=digits --worker_accelerator="$t4" \
    --machine_type=n1-standard-4 --disk_size_gb=50 --num_workers=1 --max_num_workers=4 \
    --sdk_container_image="$registry/beam/gpu:1" --labels=team=vision --labels=stage=2 \
    --service_account_email=robot@my-project.iam.gserviceaccount.com --no_use_public_ips \
    --subnetwork=regions/us-central1/subnetworks/inner --number_of_worker_harness_threads=4
golden gpu-per-transform gpu_inference --dataset=digits --accelerator="$t4" \
    --dataflow_service_options=enable_prime --sdk_container_image="$registry/beam/gpu:1"
golden tpu tpu_training --dataset=digits --model=small_cnn --checkpoint_dir=gs://bucket/runs \
    --worker_accelerator="$v5e" --machine_type=ct5lp-hightpu-8t --num_workers=1 \
    --sdk_container_image="$registry/beam/tpu:1" --worker_zone=us-central1-a
golden sweep parallel_training --dataset=digits --model=small_cnn --trials=4 \
    --checkpoint_dir=gs://bucket/sweep/runs --output=gs://bucket/sweep/out \
    --max_num_workers=4 --sdk_container_image="$registry/beam/cpu:1" --flexrs_goal=COST_OPTIMIZED \
    --experiments=shuffle_mode=service

# What is staged, as Beam's own classes read it.
protobuf=$(ls -d "$cache"/protobuf-*/google 2>/dev/null | tail -n 1)
wheel=$(ls -d "$cache"/apache-beam-*/apache_beam 2>/dev/null | tail -n 1)
if [ -n "$protobuf" ] && [ -n "$wheel" ]; then
    url=$(asked "request['environment']['sdkPipelineOptions']['options']['pipelineUrl']")
    "$bin/beam" copy "$url" "$place/pipeline.pb" || complain "no pipeline is staged"
    PYTHONPATH=${protobuf%/google} python3 "$root/tests/cloud/read_pipeline.py" "${wheel%/apache_beam}" \
        "$place/pipeline.pb" "$registry/beam/cpu:1" gs://bucket/tmp/libbeam ||
        complain "Beam's classes read the pipeline otherwise"
else
    echo "no wheels of protobuf and apache-beam (scripts/deps get): not read by Beam's classes"
fi

# ---- How jobs end --------------------------------------------------------------------------------

control "$(images), \"messages\": [[\"JOB_MESSAGE_BASIC\", \"Worker pool started.\"],
    [\"JOB_MESSAGE_DEBUG\", \"nobody sees this\"], [\"JOB_MESSAGE_WARNING\", \"slow\"],
    [\"JOB_MESSAGE_DETAILED\", \"a detail\"]], \"page\": 1, \"workers\": 3}"
dataflow wordcount "${words[@]}" --log_level=INFO --progress || complain "done: $(cat "$place/err")"
for text in "Worker pool started" "slow" "Dataflow: RUNNING, 3 workers"; do
    [ "$(grep -c "$text" "$place/err")" -ge 1 ] || complain "not told: $text"
done
[ "$(grep -c "Worker pool started" "$place/err")" = 1 ] || complain "a message is told twice"
grep -qE "nobody sees|a detail" "$place/err" && complain "details are told"

control "$(images), \"states\": [\"JOB_STATE_RUNNING\", \"JOB_STATE_FAILED\"],
    \"messages\": [[\"JOB_MESSAGE_ERROR\", \"Workflow failed. Causes: no more T4s\"]]}"
told 1 "the job failed on Dataflow: Workflow failed. Causes: no more T4s" wordcount "${words[@]}"

control "$(images), \"states\": [\"JOB_STATE_RUNNING\", \"JOB_STATE_CANCELLED\"]}"
told 1 "the job was cancelled" wordcount "${words[@]}"

control "$(images), \"states\": [\"JOB_STATE_QUEUED\", \"JOB_STATE_RUNNING\", \"JOB_STATE_DRAINING\",
    \"JOB_STATE_DRAINED\"]}"
dataflow wordcount "${words[@]}" --streaming --job_name=stream || complain "drained: $(cat "$place/err")"
[ "$(asked "request['type'], request['environment']['version']['job_type']")" = \
    "JOB_TYPE_STREAMING FNAPI_STREAMING" ] || complain "no streaming job"

# In the middle of a job: SIGINT here, and the tool's words from elsewhere.
starts() { # states: a job in the background
    control "$(images), \"states\": [\"JOB_STATE_RUNNING\"]${1-}}"
    "$bin/wordcount" --runner=dataflow --dataflow_endpoint="$service" --no_auth "${where[@]}" \
        "${words[@]}" --job_name=long --streaming >"$place/out" 2>"$place/err" &
    launcher=$!
    running+=($launcher)
    for _ in $(seq 300); do
        [ "$(asked "counts.get('messages', 0)")" -gt 0 ] && return
        sleep 0.1
    done
    complain "the job does not start: $(cat "$place/err")"
}
ends_with() { # status, words
    wait $launcher
    local got=$?
    [ $got = "$1" ] || complain "status $got instead of $1: $(cat "$place/err")"
    grep -q -- "$2" "$place/err" || [ -z "$2" ] || complain "no '$2' in: $(cat "$place/err")"
}
tool() {
    "$bin/beam" dataflow "$@" --project=my-project --region=us-central1 \
        --dataflow_endpoint="$service" --no_auth >"$place/tool" 2>&1 ||
        complain "beam dataflow $*: $(cat "$place/tool")"
}
starts
kill -INT $launcher
ends_with 130 "the job was cancelled"
[ "$(asked "counts['asked for JOB_STATE_CANCELLED']")" = 1 ] || complain "not cancelled once"
starts
id=$(asked "list(jobs)[0]")
tool show "$id"
grep -q "RUNNING" "$place/tool" || complain "beam dataflow show: $(cat "$place/tool")"
told 1 "a job of the name long runs in us-central1 already" wordcount "${words[@]}" --job_name=long
curl -sf -o /dev/null -d '{"states": ["JOB_STATE_RUNNING", "JOB_STATE_DONE"]}' "$service/_control"
dataflow wordcount "${words[@]}" --job_name=long --streaming --update || complain "no update: $(cat "$place/err")"
ends_with 0 ""
[ "$(asked "request['replaceJobId']")" = "$id" ] || complain "another job is replaced"
starts
tool drain "$(asked "list(jobs)[0]")"
ends_with 0 ""
starts
tool cancel "$(asked "list(jobs)[0]")"
ends_with 1 "the job was cancelled"

# Services that fail, tokens that end.
control "$(images), \"fail\": 3, \"states\": [\"JOB_STATE_PENDING\", \"JOB_STATE_RUNNING\",
    \"JOB_STATE_RUNNING\", \"JOB_STATE_RUNNING\", \"JOB_STATE_DONE\"]}"
dataflow wordcount "${words[@]}" || complain "with faults: $(cat "$place/err")"
[ "$(asked "len(jobs)")" = 1 ] || complain "requests that came twice made two jobs"
[ "$(asked "counts.get('fault error', 0) + counts.get('fault reset', 0) > 0")" = True ] ||
    complain "there were no faults"
printf '{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c",
    "token_uri": "%s/token"}' "$service" >"$place/me.json"
chmod 600 "$place/me.json"
export GOOGLE_APPLICATION_CREDENTIALS=$place/me.json
control "$(images), \"token_uses\": 3, \"index\": true, \"redirect\": true}"
auth='' dataflow wordcount "${words[@]}" || complain "with tokens: $(cat "$place/err")"
[ "$(asked "counts['tokens'] > 1, counts.get('leaked tokens', 0), counts['registry blobs']")" = \
    "True 0 1" ] || complain "tokens: $(asked counts)"
unset GOOGLE_APPLICATION_CREDENTIALS

# ---- A whole job ---------------------------------------------------------------------------------

vm=$bin/../tests/test_cloud_vm
if [ -x "$vm" ] && need_prism; then
    makes_machine
    control "$(images), \"vm\": [\"$vm\", \"$place/machine/beam\"]}"
    dataflow wordcount "${words[@]}" --job_name=whole || complain "whole: $(tail -n 5 "$place/err")"
    for name in $(curl -sf "$STORAGE_EMULATOR_HOST/storage/v1/b/bucket/o?prefix=out/x" |
        grep -o '"name": *"[^"]*"' | sed 's/.*"\([^"]*\)"$/\1/'); do
        curl -sf "$STORAGE_EMULATOR_HOST/storage/v1/b/bucket/o/${name//\//%2F}?alt=media"
    done | sort | cmp - "$place/expected" || complain "another count of words"
    # Weights and data go with the job; metrics come home.
    runs gpu_inference here --device=cpu
    dataflow gpu_inference --dataset=digits --device=cpu --accelerator= --job_name=model \
        --sdk_container_image="$registry/beam/cpu:1" --result_json="$place/there.json" ||
        complain "model: $(tail -n 5 "$place/err")"
    reports here there images accuracy model dataset
fi

ends
