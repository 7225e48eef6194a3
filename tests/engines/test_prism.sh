#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Programs on Prism in each environment, with the results that they have elsewhere; and what a user
# is told when things go wrong.
set -u
bin=${BEAM_BIN:?}
if [ ! -x "$bin/wordcount" ] || [ ! -x "$bin/beam" ]; then
    echo "$bin/wordcount or $bin/beam is not built: nothing to test"
    exit 0
fi
export BEAM_PRISM=${BEAM_PRISM:-$(ls "${BEAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libbeam}"/prism-*/prism \
    2>/dev/null | tail -n 1)}
if [ ! -x "$BEAM_PRISM" ]; then
    echo "there is no Prism (scripts/deps go prism): nothing to test"
    exit 0
fi
export LC_ALL=C BEAM_SHARE_DIR=${BEAM_SOURCE_DIR:?}/share
place=$(mktemp -d)
export TMPDIR=$place/tmp # where workers keep what they are sent
mkdir "$TMPDIR"
pool=
clean_up() {
    [ -z "$pool" ] || { kill "$pool" && wait "$pool"; } 2>/dev/null
    rm -rf "$place"
}
trap clean_up EXIT
failures=0

complain() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# on NAME OPTIONS...: wordcount on Prism gives the expected counts.
on() {
    local name=$1
    shift
    timeout 50 "$bin/wordcount" --runner=prism --input="$place/text" --output="$place/$name/x" "$@" \
        >"$place/out" 2>"$place/err" || complain "$name: $(tail -n 3 "$place/err")"
    cat "$place/$name"/x-* 2>/dev/null | sort | cmp - "$place/expected" || complain "$name: differs"
    [ -z "$(find "$place/$name" -name '.beam-temp*')" ] || complain "$name: temporary files are left"
}

# told NAME STATUS WORDS OPTIONS...: the run ends with the status and says the words.
told() {
    local name=$1 status=$2 words=$3
    shift 3
    timeout 50 "$bin/wordcount" --input="$place/text" --output="$place/$name/x" "$@" \
        >"$place/out" 2>"$place/err"
    local got=$?
    [ $got = "$status" ] || complain "$name: status $got instead of $status"
    grep -q -- "$words" "$place/err" || complain "$name: no '$words' in: $(cat "$place/err")"
    [ -z "$(ls "$place/$name"/x-* 2>/dev/null)" ] || complain "$name: something was written"
}

awk 'BEGIN { for (i = 0; i < 20000; i++) printf "w%d%s", (i * 7919) % 997, i % 9 ? " " : "\n" }' \
    >"$place/text"
tr -s ' ' '\n' <"$place/text" | sort | uniq -c | awk '{ print $2 ": " $1 }' | sort >"$place/expected"

on loopback
on process --environment_type=PROCESS
on command --environment_type=PROCESS --environment_config="$bin/beam"
"$bin/beam" worker-pool --port=0 >"$place/pool" 2>"$place/pool.log" &
pool=$!
for _ in $(seq 100); do
    [ -s "$place/pool" ] && break
    sleep 0.1
done
on external --environment_type=EXTERNAL --environment_config="localhost:$(sed 's/.*://' "$place/pool")"

if [ -x "$bin/cpu_inference" ]; then
    # Where workers find neither the shipped data nor the weights but among what they were sent.
    for runner in direct prism; do
        timeout 50 "$bin/cpu_inference" --dataset=digits --runner=$runner \
            --result_json="$place/$runner.json" >/dev/null 2>"$place/err" ||
            complain "cpu_inference on $runner: $(tail -n 3 "$place/err")"
    done
    python3 - "$place" <<'EOF' || complain "cpu_inference: Prism gives other results"
import json, sys
direct, prism = (json.load(open("%s/%s.json" % (sys.argv[1], r))) for r in ("direct", "prism"))
keys = ("images", "accuracy", "model", "dataset")
assert all(direct[k] == prism[k] for k in keys), (direct, prism)
EOF
fi

told no_server 1 "cannot be reached to prepare the job" --runner=portable --job_endpoint=localhost:1
told no_endpoint 1 "needs the --job_endpoint" --runner=flink
told no_pool 1 "Prism, which this program had started" --runner=prism \
    --environment_type=EXTERNAL --environment_config=localhost:1
told no_type 1 "LOOPBACK, EXTERNAL, PROCESS or DOCKER" --runner=prism --environment_type=THREAD \
    --environment_config=x
told no_input 1 "no file matches" --runner=prism --input="$place/nothing"
BEAM_PRISM=$place/no told no_prism 1 "BEAM_PRISM=$place/no" --runner=prism

[ "$failures" = 0 ] && echo "all good"
[ "$failures" = 0 ]
