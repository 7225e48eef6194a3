# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What the tests of the training programs begin with: the programs, a folder $place that goes at the
# end, the shipped data, and no way to download anything.
. "$(dirname "${BASH_SOURCE[0]}")/../support/checks.sh"
need tpu_training parallel_training per_key_training cpu_inference
export BEAM_SHARE_DIR=$root/share
export BEAM_CACHE=$place/cache http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9
unset BEAM_DATA_DIR

# succeeds PROGRAM ARGUMENTS...: ends with 0; its output is in $place/out and $place/err.
succeeds() {
    local program=$1
    shift
    "$bin/$program" "$@" >"$place/out" 2>"$place/err" ||
        complain "$program $* ended with $?: $(cat "$place/err")"
}

# refuses STATUS WORDS PROGRAM ARGUMENTS...: ends with the status and says the words.
refuses() {
    local status=$1 words=$2 program=$3
    shift 3
    "$bin/$program" "$@" >"$place/out" 2>"$place/err"
    local got=$?
    [ $got = "$status" ] || complain "$program $* ended with $got instead of $status: $(cat "$place/err")"
    grep -q -- "$words" "$place/err" ||
        complain "$program $* did not say \"$words\": $(cat "$place/err")"
}

# results FILES...: the results in them, sorted, without what differs from run to run.
results() {
    python3 -c '
import json, sys
for line in sorted(line for name in sys.argv[1:] for line in open(name)):
    result = json.loads(line)
    del result["seconds"], result["model_path"]
    print(json.dumps(result))' "$@"
}

# field FILE NAME: a member of a JSON object.
field() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"
}

# same_accuracy FILE FILE: two reports tell the same.
same_accuracy() {
    python3 -c '
import json, sys
a, b = (json.load(open(name))["accuracy"] for name in sys.argv[1:])
assert abs(a - b) < 1e-6, (a, b)' "$1" "$2" || complain "what is served has another accuracy"
}
