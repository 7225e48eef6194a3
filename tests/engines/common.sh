# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What the tests on engines begin with: a folder $place that goes at the end together with all that
# is still running, the shipped data, and a machine that sees nothing else of this one.
#
# The words of a test: limited, need, need_prism, need_long, complain, told, makes_text, makes_machine,
# opens_pool, counts, infers, trains, sweeps, ends.
. "$(dirname "${BASH_SOURCE[0]}")/../support/checks.sh"
export LC_ALL=C BEAM_SHARE_DIR=$root/share
unset BEAM_DATA_DIR
export TMPDIR=$place/tmp # where workers keep what they are sent
mkdir "$TMPDIR"
running=() # ids of processes that end with the test
patience=${BEAM_ENGINE_PATIENCE:-240} # seconds that one run may take

clean_up() {
    local pid
    for pid in "${running[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$place"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

limited() { # COMMAND...: a run, which says so when it is ended for taking too long
    timeout "$patience" "$@"
    local got=$?
    [ $got != 124 ] || echo "it took more than $patience s and was ended" >&2
    return $got
}

need_prism() {
    local cache=${BEAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libbeam}
    export BEAM_PRISM=${BEAM_PRISM:-$(ls "$cache"/prism-*/prism 2>/dev/null | tail -n 1)}
    [ -x "$BEAM_PRISM" ] || skip "there is no Prism (scripts/deps go prism)"
}

# The rest of the script runs while an engine does, in a second process.
need_long() { # engine, the script, its arguments
    [ "${BEAM_LONG:-}" = 1 ] || skip "BEAM_LONG is not 1, and this takes minutes"
    [ -n "${BEAM_JOB_ENDPOINT:-}" ] && return
    local engine=$1
    shift
    "$root/tests/engines/with-engine" "$engine" bash "$@"
    exit $?
}

# ---- Text ----------------------------------------------------------------------------------------

makes_text() { # words; the counts that are expected go beside it
    awk -v n="$1" 'BEGIN {
        for (i = 0; i < n; i++) printf "w%d%s", (i * 7919) % 997, i % 9 ? " " : "\n" }' \
        >"$place/text"
    tr -s ' ' '\n' <"$place/text" | sort | uniq -c | awk '{ print $2 ": " $1 }' | sort \
        >"$place/expected"
}

# right NAME: what wordcount wrote there is right, whole, and all there is.
right() {
    cat "$place/$1"/x-* 2>/dev/null | sort | cmp - "$place/expected" || complain "$1: differs"
    [ -z "$(find "$place/$1" -name '.beam-temp*')" ] || complain "$1: temporary files are left"
}

# counts NAME OPTIONS...: wordcount gives the expected counts.
counts() {
    local name=$1
    shift
    limited "$bin/wordcount" --input="$place/text" --output="$place/$name/x" "$@" \
        >"$place/out" 2>"$place/err" || complain "$name: status $?: $(tail -n 3 "$place/err")"
    right "$name"
}

# told NAME STATUS WORDS OPTIONS...: wordcount ends with the status, says the words, writes nothing.
told() {
    local name=$1 status=$2 words=$3
    shift 3
    limited "$bin/wordcount" --input="$place/text" --output="$place/$name/x" "$@" \
        >"$place/out" 2>"$place/err"
    local got=$?
    [ $got = "$status" ] || complain "$name: status $got instead of $status"
    grep -q -- "$words" "$place/err" || complain "$name: no '$words' in: $(cat "$place/err")"
    [ -z "$(ls "$place/$name"/x-* 2>/dev/null)" ] || complain "$name: something was written"
}

# ---- Another machine ------------------------------------------------------------------------------

# $place/machine/beam is the program `beam` with the libraries that it needs, which sees neither the
# sources, nor what was built, nor any data: what a worker of a cluster would have.
makes_machine() {
    local hidden=() unshare folder library
    mkdir "$place/machine"
    cp "$bin/beam" "$place/machine/beam.there"
    ldd "$bin/beam" | awk '$3 ~ "^/" && $3 !~ "^/(usr/)?lib" { print $3 }' |
        while read -r library; do cp "$library" "$place/machine/"; done
    for folder in "$root" "$(cd "$bin/.." && pwd)" "${BEAM_TEST_DATA:-$root/../shared}" \
        "${HOME:-/root}"; do
        [[ ! -d $folder || $place/ = "$folder"/* ]] || hidden+=("$folder")
    done
    for unshare in "unshare -m" "unshare -rm"; do
        $unshare mount -t tmpfs none /mnt 2>/dev/null && break
        unshare=
    done
    [ -n "$unshare" ] || echo "no mount namespaces here: workers see this machine's disk"
    cat >"$place/machine/beam" <<END
#!/bin/sh
export LD_LIBRARY_PATH='$place/machine'
unset BEAM_SHARE_DIR BEAM_CACHE
[ -z '$unshare' ] && exec '$place/machine/beam.there' "\$@"
[ -n "\${BEAM_MACHINE-}" ] || exec env BEAM_MACHINE=1 $unshare '$place/machine/beam' "\$@"
for folder in $(printf "'%s' " "${hidden[@]}"); do
    [ ! -d "\$folder" ] || mount -t tmpfs none "\$folder" || exit 1 # it may lie in a hidden one
done
cd / && exec '$place/machine/beam.there' "\$@"
END
    chmod +x "$place/machine/beam"
}

# A worker pool on that machine: its address in $pool.
opens_pool() {
    "$place/machine/beam" worker-pool --port=0 >"$place/pool" 2>"$place/pool.log" &
    running+=($!)
    for _ in $(seq 300); do
        [ -s "$place/pool" ] && break
        sleep 0.1
    done
    pool=localhost:$(sed 's/.*://' "$place/pool")
}

# ---- Models ---------------------------------------------------------------------------------------

# runs PROGRAM NAME OPTIONS...: with its report in NAME.json.
runs() {
    local program=$1 name=$2
    shift 2
    limited "$bin/$program" --dataset=digits --result_json="$place/$name.json" "$@" \
        >"$place/out" 2>"$place/err" ||
        complain "$program, $name: status $?: $(tail -n 3 "$place/err")"
}

# reports NAME NAME KEYS...: two reports tell the same.
reports() {
    [ -f "$place/$1.json" ] && [ -f "$place/$2.json" ] || { complain "$1 or $2: no report"; return; }
    python3 -c '
import json, sys
a, b = (json.load(open(name)) for name in sys.argv[1:3])
for key in sys.argv[3:]:
    assert a[key] == b[key], (key, a[key], b[key])' "$place/$1.json" "$place/$2.json" "${@:3}" ||
        complain "$1 and $2 report different things"
}

# infers NAME OPTIONS...: cpu_inference finds what it finds on the direct runner.
infers() {
    [ -f "$place/infers.json" ] || runs cpu_inference infers
    runs cpu_inference "infers-$1" "${@:2}"
    reports infers "infers-$1" images accuracy model dataset
}

# trains NAME OPTIONS...: tpu_training makes the model that it makes on the direct runner.
training=(--model=small_cnn --device=cpu --epochs=2)
trains() {
    [ -f "$place/trains.json" ] ||
        runs tpu_training trains "${training[@]}" --checkpoint_dir="$place/trains"
    runs tpu_training "trains-$1" "${training[@]}" --checkpoint_dir="$place/trains-$1" "${@:2}"
    reports trains "trains-$1" images accuracy epochs_run configs configs_failed
    cmp "$place/trains/model.safetensors" "$place/trains-$1/model.safetensors" ||
        complain "tpu_training, $1: another model"
}

# results FILES...: those of a sweep, without what differs from run to run.
results() {
    python3 -c '
import json, sys
for line in sorted(line for name in sys.argv[1:] for line in open(name)):
    result = json.loads(line)
    del result["seconds"], result["model_path"]
    print(json.dumps(result))' "$@"
}

# sweeps NAME OPTIONS...: parallel_training has the results, and deploys the model, that it has on
# the direct runner.
sweep() {
    runs parallel_training "$1" --model=small_cnn --device=cpu --epochs=2 --batch_size=32 \
        --configs="$place/configs.json" --checkpoint_dir="$place/$1/runs" \
        --output="$place/$1/out" --serving_dir="$place/$1/serving" "${@:2}"
}
sweeps() {
    if [ ! -f "$place/sweeps.json" ]; then
        cat >"$place/configs.json" <<'END'
[{"experiment_id": "good", "learning_rate": 0.1},
 {"experiment_id": "slow", "learning_rate": 0.001},
 {"experiment_id": "invalid", "learning_rate": -1}]
END
        sweep sweeps
    fi
    sweep "sweeps-$1" "${@:2}"
    reports sweeps "sweeps-$1" accuracy configs configs_failed
    [ "$(results "$place"/sweeps/out-*)" = "$(results "$place/sweeps-$1"/out-*)" ] ||
        complain "parallel_training, $1: other results"
    cmp "$place/sweeps/serving/model.safetensors" "$place/sweeps-$1/serving/model.safetensors" ||
        complain "parallel_training, $1: another model is deployed"
}
