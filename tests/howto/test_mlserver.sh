#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# docs/howto/remote-model.md with a real server, MLServer: right answers, rows that fail, and a server
# that is killed while a pipeline runs and comes back.  Takes minutes to install, so it runs where
# BEAM_LONG is 1.
. "$(dirname "$0")/../support/checks.sh"
program=$bin/remote_inference
[ "${BEAM_LONG:-}" = 1 ] || skip "BEAM_LONG is not 1"
need remote_inference
venv=$("$root/scripts/deps" venv mlserver) || exit 1

server=
clean_up() {
    [ -n "$server" ] && kill -KILL "$server" 2>/dev/null && wait "$server" 2>/dev/null
    rm -rf "$place"
}
trap clean_up EXIT
cp "$BEAM_SOURCE_DIR"/tests/howto/mlserver/* "$place"

# Three ports that are free now.
read -r http grpc metrics < <(python3 -c '
import socket
all = [socket.socket() for i in range(3)]
for s in all: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in all))')
cat >"$place/settings.json" <<JSON
{"host": "127.0.0.1", "http_port": $http, "grpc_port": $grpc, "metrics_port": $metrics,
 "parallel_workers": 0}
JSON
model=http://127.0.0.1:$http/v2/models/affine

start() {
    (cd "$place" && PYTHONPATH=. exec "$venv/bin/mlserver" start . >"$place/server" 2>&1) &
    server=$!
}
wait_for_it() {
    for _ in $(seq 600); do
        curl -sf -o /dev/null "$model/ready" && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    cat "$place/server"
    echo "MLServer does not start"
    exit 1
}
# What the model makes of rows, computed here.
expected() {
    awk -F, '{ printf "%s -> %.9g %.9g %.9g\n", $0, $1 + $2 + $3 + $4, $1 - $2, 2 * $4 }' "$1" | sort
}
metric() { # of the last run
    grep -o "\"$1\": *[0-9]*" "$place/result.json" | head -n 1 | grep -o '[0-9]*$'
}

start
wait_for_it

# Halves and quarters, which are what they are in every form.
awk 'BEGIN { for (i = 0; i < 20000; i++)
    printf "%.9g,%.9g,%.9g,%.9g\n", i, i / 4, -i / 2, i % 7 }' >"$place/rows"
"$program" --model="$model/versions/1" --input="$place/rows" --output="$place/good/x" \
    --failed="$place/bad/x" >"$place/out" 2>&1 || complain "$(tail -n 3 "$place/out")"
cat "$place"/good/x* | sort | cmp - <(expected "$place/rows") || complain "other results"
[ -z "$(cat "$place"/bad/x*)" ] || complain "some failed: $(cat "$place"/bad/x* | head -n 3)"

# A poison row fails alone; one that is no row never gets there.
head -n 40 "$place/rows" >"$place/few"
printf '1,2,3,-777.25\n1,2,3\n' >>"$place/few"
"$program" --model="$model" --input="$place/few" --output="$place/few.good/x" \
    --failed="$place/few.bad/x" >"$place/out" 2>&1 || complain "$(tail -n 3 "$place/out")"
[ "$(cat "$place"/few.good/x* | wc -l)" -lt 41 ] || complain "a poison row has a result"
cat "$place"/few.bad/x* | grep -q '^1,2,3: .*are not 4 numbers' || complain "no word of a short row"
cat "$place"/few.bad/x* | grep -q '^1,2,3,-777.25: .*/v2/models/affine/infer answers 500' ||
    complain "no word of a poison row: $(cat "$place"/few.bad/x*)"
[ "$(cat "$place"/few.good/x* "$place"/few.bad/x* | wc -l)" = 42 ] || complain "some are lost"

"$program" --model="${model}x" --input="$place/few" --output="$place/none/x" \
    --failed="$place/none/y" >"$place/out" 2>&1 && complain "there is no such model"
grep -q 'answers 404: Model affinex not found' "$place/out" || complain "$(tail -n 3 "$place/out")"

# Killed in the middle, and started again.
"$program" --model="$model" --input="$place/rows" --output="$place/again/x" --max_batch_size=4 \
    --failed="$place/again.bad/x" --num_retries=20 --result_json="$place/result.json" \
    >"$place/out" 2>&1 &
running=$!
sleep 1
kill -KILL "$server"
wait "$server" 2>/dev/null
start
wait "$running" || complain "$(tail -n 3 "$place/out")"
cat "$place"/again/x* | sort | cmp - <(expected "$place/rows") || complain "other results, the second time"
[ -z "$(cat "$place"/again.bad/x*)" ] || complain "some failed: $(cat "$place"/again.bad/x* | head -n 3)"
[ "$(metric remote_retries)" -gt 0 ] 2>/dev/null || complain "the server was not missed"

ends
