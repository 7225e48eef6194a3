# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What the tests of Dataflow begin with: a Cloud Storage, a Dataflow service of our own that holds
# requests to Google's discovery document, and options that they accept.
#
# The words of a test: control, asked, counts, dataflow, told, says.
. "${BEAM_SOURCE_DIR:?}/tests/engines/common.sh"
cache=${BEAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libbeam}
api=$(ls "$cache"/dataflow-api-*/dataflow-api.json 2>/dev/null | tail -n 1)
fake=$(ls "$cache"/fake-gcs-server-*/fake-gcs-server 2>/dev/null | tail -n 1)
[ -n "$api" ] || skip "there is no discovery document (scripts/deps mod dataflow-api)"
[ -x "$fake" ] || skip "there is no fake-gcs-server (scripts/deps go fake-gcs-server)"
command -v curl >/dev/null || skip "there is no curl"
unset GOOGLE_APPLICATION_CREDENTIALS GOOGLE_CLOUD_QUOTA_PROJECT

free_port() { # which may be taken by the time it is used
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

opens_storage() {
    local port
    for _ in 1 2 3 4 5; do
        port=$(free_port)
        "$fake" -scheme http -host 127.0.0.1 -port "$port" -backend memory -location US-CENTRAL1 \
            >"$place/storage" 2>&1 &
        running+=($!)
        export STORAGE_EMULATOR_HOST=http://127.0.0.1:$port
        for _ in $(seq 100); do
            curl -sf -o /dev/null "$STORAGE_EMULATOR_HOST/storage/v1/b" && break 2
            kill -0 "${running[-1]}" 2>/dev/null || break
            sleep 0.1
        done
    done
    curl -sf -o /dev/null -H 'Content-Type: application/json' -d '{"name": "bucket"}' \
        "$STORAGE_EMULATOR_HOST/storage/v1/b" || skip "fake-gcs-server does not start"
}

opens_dataflow() {
    mkfifo "$place/pipe"
    python3 "$root/tests/support/dataflow_fake.py" "$api" <"$place/pipe" >"$place/address" \
        2>"$place/dataflow.log" &
    running+=($!)
    exec 9>"$place/pipe"
    for _ in $(seq 200); do
        [ -s "$place/address" ] && break
        sleep 0.1
    done
    service=$(cat "$place/address")
    export CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE=$service/compute/v1/
    registry=${service#http://}
}

control() { # JSON: nothing but this is set afterwards
    curl -sf -o /dev/null -d "{\"clear\": true, ${1#\{}" "$service/_control" ||
        complain "no Dataflow service"
}
# asked EXPRESSION: of what the service saw: counts, request, jobs.
asked() {
    curl -sf "$service/_control" | python3 -c "
import json, sys
told = json.load(sys.stdin)
counts, request, jobs = told['counts'], told['request'], told['jobs']
print($1)"
}

# An image of tools/build-container, as its registry tells of it: kind, options of env.
image() {
    local backend=$1 more=${2-} labels=${3-}
    echo "{\"architecture\": \"amd64\", \"config\": {\"Entrypoint\": [\"/opt/apache/beam/boot\"],
        \"Env\": [\"PATH=/usr/bin\"${backend:+, \"BEAM_ACCELERATOR_BACKEND=$backend\"}$more],
        \"Labels\": {$labels}}}"
}

images() {
    echo "\"images\": {\"beam/cpu:1\": $(image ''), \"beam/gpu:1\": $(image gpu '' \
        '"libbeam.cuda": "12", "libbeam.cudnn": "9.10.2.21"'), \"beam/gpu13:1\": $(image gpu '' \
        '"libbeam.cuda": "13"'), \"beam/tpu:1\": $(image tpu ', "TPU_ACCELERATOR_TYPE=v5litepod-8"'),
        \"beam/other:1\": {\"architecture\": \"amd64\", \"config\": {\"Entrypoint\": [\"/bin/sh\"]}}}"
}

where=(--project=my-project --region=us-central1 --temp_location=gs://bucket/tmp)

# dataflow PROGRAM OPTIONS...: on the service here.
dataflow() {
    limited "$bin/$1" --runner=dataflow --dataflow_endpoint="$service" \
        ${auth---no_auth} "${where[@]}" "${@:2}" >"$place/out" 2>"$place/err"
}

# told STATUS WORDS PROGRAM OPTIONS...: it ends so and says so.
told() {
    local status=$1 words=$2
    shift 2
    dataflow "$@"
    local got=$?
    [ $got = "$status" ] || complain "$*: status $got instead of $status: $(cat "$place/err")"
    grep -q -- "$words" "$place/err" || complain "$*: no '$words' in: $(cat "$place/err")"
}
