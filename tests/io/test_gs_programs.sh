#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Programs whose files are all in Cloud Storage: on fake-gcs-server, and on one that fails one request
# in ten; word counts, pictures to classes, a sweep that is killed and started again, and copies.
. "$(dirname "$0")/../support/checks.sh"
export LC_ALL=C BEAM_SHARE_DIR=$root/share
servers=()
clean_up() {
    exec 9>&-
    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$place"
}
trap clean_up EXIT

runs() { # program, its options
    "$bin/$1" "${@:2}" >"$place/out" 2>"$place/err" || complain "$*: $(tail -n 3 "$place/err")"
}
upload() { # file, name
    curl -sf --data-binary "@$1" -H 'Content-Type: application/octet-stream' -o /dev/null \
        "$STORAGE_EMULATOR_HOST/upload/storage/v1/b/bucket/o?uploadType=media&name=$2" ||
        complain "cannot upload $1"
}
names() { # prefix: the objects that begin with it
    curl -sf "$STORAGE_EMULATOR_HOST/storage/v1/b/bucket/o?prefix=$1" |
        grep -o '"name": *"[^"]*"' | sed 's/.*"\([^"]*\)"$/\1/' | sort
}
# all PREFIX: the lines of all objects that begin with it, sorted.
all() {
    local name
    for name in $(names "$1"); do
        curl -sf "$STORAGE_EMULATOR_HOST/storage/v1/b/bucket/o/${name//\//%2F}?alt=media" ||
            complain "cannot read $name"
    done | sort
}

for program in wordcount parallel_training model_refresh beam; do
    [ -x "$bin/$program" ] || skip "$bin/$program is not built"
done
cache=${BEAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libbeam}
fake=$(ls "$cache"/fake-gcs-server-*/fake-gcs-server 2>/dev/null | tail -n 1)
[ -x "$fake" ] || skip "there is no fake-gcs-server (scripts/deps go fake-gcs-server)"
command -v curl >/dev/null || skip "there is no curl"

free_port() { # which may be taken by the time it is used
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
start_fake() {
    local port=0
    for _ in 1 2 3 4 5; do
        port=$(free_port)
        "$fake" -scheme http -host 127.0.0.1 -port "$port" -backend memory >"$place/fake" 2>&1 &
        servers+=($!)
        export STORAGE_EMULATOR_HOST=http://127.0.0.1:$port
        for _ in $(seq 100); do
            curl -sf -o /dev/null "$STORAGE_EMULATOR_HOST/storage/v1/b" && return
            kill -0 "${servers[-1]}" 2>/dev/null || break
            sleep 0.1
        done
    done
    skip "fake-gcs-server does not start: $(tail -n 1 "$place/fake")"
}

# ---- Real programs on fake-gcs-server ---------------------------------------------------------

start_fake
curl -sf -o /dev/null -H 'Content-Type: application/json' -d '{"name": "bucket"}' \
    "$STORAGE_EMULATOR_HOST/storage/v1/b" || complain "no bucket"

cat "$root"/docs/*.md >"$place/a.txt"
gzip -c "$root/README.md" >"$place/b.txt.gz"
upload "$place/a.txt" in%2Fa.txt
upload "$place/b.txt.gz" in%2Fb.txt.gz
runs wordcount --input="$place/?.txt*" --output="$place/counts"
# One thread, so that the second run makes as many files, of the same names.
runs wordcount --input='gs://bucket/in/?.txt*' --output=gs://bucket/out/counts --direct_num_workers=1
[ "$(sort "$place"/counts-*)" = "$(all out/counts)" ] || complain "other counts from gs:// to gs://"
[ -n "$(all out/counts)" ] || complain "no counts"
[ -z "$(names out/.beam)" ] || complain "temporary objects are left: $(names out/.beam)"
runs wordcount --input='gs://bucket/in/?.txt*' --output=gs://bucket/out/counts --direct_num_workers=1
[ "$(sort "$place"/counts-*)" = "$(all out/counts)" ] || complain "other counts the second time"

archive=${BEAM_TEST_DATA:-$root/../shared/data}/cifar10-jpeg.tar.xz
if [ -f "$archive" ] && [ -x "$bin/image_folder_inference" ]; then
    tar -C "$place" -xf "$archive" --wildcards 'test/cat/000*' 'test/ship/000*'
    for picture in "$place"/test/*/*.jpg; do
        upload "$picture" "photos%2F$(basename "$(dirname "$picture")")%2F$(basename "$picture")"
    done
    runs image_folder_inference --input="$place/test/*/*.jpg" --weights=resnet18-cifar10 \
        --output="$place/seen"
    runs image_folder_inference --input='gs://bucket/photos/*/*.jpg' --weights=resnet18-cifar10 \
        --output=gs://bucket/out/seen
    [ "$(sed "s,$place/test/,," "$place"/seen-*.csv | sort)" = \
        "$(all out/seen | sed 's,gs://bucket/photos/,,')" ] || complain "other classes from gs://"
    [ "$(all out/seen | wc -l)" = "$(ls "$place"/test/*/*.jpg | wc -l)" ] || complain "too few pictures"
fi

sweep=(--dataset=digits --model=small_cnn --trials=2 --batch_size=32 --epochs=3 --device=cpu)
swept() { # place
    runs parallel_training "${sweep[@]}" --checkpoint_dir="$1/runs" --output="$1/out" \
        --serving_dir="$1/serving" --result_json="$1/result.json"
}
results() { # of a sweep, without what differs from run to run
    python3 -c '
import json, sys
for line in sorted(sys.stdin):
    result = json.loads(line)
    del result["seconds"], result["model_path"]
    print(json.dumps(result))'
}
mkdir "$place/a"
swept "$place/a"
undisturbed=$(cat "$place"/a/out-* | results)
for after in 0.3 0.6 0.9; do
    "$bin/parallel_training" "${sweep[@]}" --checkpoint_dir=gs://bucket/b/runs \
        --output=gs://bucket/b/out >"$place/out" 2>"$place/err" &
    pid=$!
    sleep $after
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
done
swept gs://bucket/b
[ "$(all b/out- | results)" = "$undisturbed" ] || complain "a killed sweep on gs:// has other results"
curl -sf -o "$place/served" \
    "$STORAGE_EMULATOR_HOST/storage/v1/b/bucket/o/b%2Fserving%2Fmodel.safetensors?alt=media"
cmp "$place/a/serving/model.safetensors" "$place/served" || complain "another model is served"
[ "$(names b/result.json)" = b/result.json ] || complain "no report"
swept gs://bucket/b
all b/result.json | grep -q '"epochs_run": 0' || complain "a finished sweep trained again"

# Weights that a pipeline watches for.
upload "$root/models/small_cnn-digits.safetensors" models%2Fnew.safetensors
runs model_refresh --watch='gs://bucket/models/*.safetensors' --output="$place/refreshed"
grep -q '^gs://bucket/models/new.safetensors: 359 images' "$place"/refreshed-*.txt ||
    complain "other weights than those in gs://: $(cat "$place"/refreshed-*)"

# ---- The same where one request in ten fails --------------------------------------------------

mkfifo "$place/pipe"
python3 "$root/tests/support/gcs_fault.py" "$root/src/base/crc32c.c" <"$place/pipe" \
    >"$place/address" &
servers+=($!)
exec 9>"$place/pipe"
for _ in $(seq 200); do
    [ -s "$place/address" ] && break
    sleep 0.1
done
STORAGE_EMULATOR_HOST=$(cat "$place/address")
control() {
    curl -sf -o /dev/null -d "$1" "$STORAGE_EMULATOR_HOST/_control" || complain "no server with faults"
}
upload "$place/a.txt" in%2Fa.txt
upload "$place/b.txt.gz" in%2Fb.txt.gz
control '{"rate": 0.1, "page": 2, "faults": ["error", "after", "reset", "truncate", "slow"]}'
runs wordcount --input='gs://bucket/in/?.txt*' --output=gs://bucket/out/counts --direct_num_workers=1
swept gs://bucket/c
head -c 40000000 /dev/urandom >"$place/large"
export BEAM_CACHE=$place/cache
runs beam copy "$place/large" gs://bucket/large/
runs beam copy gs://bucket/large/large gs://bucket/again
runs beam copy gs://bucket/again "$place/back"
cmp "$place/large" "$place/back" || complain "beam copy changes bytes"
control '{"rate": 0, "page": 1000}'
[ "$(sort "$place"/counts-*)" = "$(all out/counts)" ] || complain "other counts where requests fail"
[ "$(all c/out- | results)" = "$undisturbed" ] || complain "other results where requests fail"

# ---- Somebody who cannot show that it is Cloud Storage ----------------------------------------

if command -v openssl >/dev/null; then
    printf '{"type": "authorized_user", "client_id": "a", "client_secret": "b",
             "refresh_token": "c", "token_uri": "%s/token"}' "$STORAGE_EMULATOR_HOST" >"$place/me.json"
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost \
        -keyout "$place/key" -out "$place/certificate" 2>/dev/null
    port=$(free_port)
    openssl s_server -accept "127.0.0.1:$port" -key "$place/key" -cert "$place/certificate" \
        -www >"$place/impostor" 2>&1 &
    servers+=($!)
    for _ in $(seq 100); do
        grep -q ACCEPT "$place/impostor" && break
        sleep 0.1
    done
    env -u STORAGE_EMULATOR_HOST GOOGLE_APPLICATION_CREDENTIALS="$place/me.json" \
        CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE="https://localhost:$port" \
        "$bin/beam" copy gs://bucket/again "$place/none" 2>"$place/err" &&
        complain "an impostor is believed"
    grep -q "cannot show that it is who it says" "$place/err" ||
        complain "an impostor: $(cat "$place/err")"
    [ ! -e "$place/none" ] || complain "an impostor's file is kept"
fi

ends
