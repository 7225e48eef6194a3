# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What the tests of faults share: sums of numbers, made by tests/engines/test_naps.c.
naps=$bin/../tests/test_engines_naps
[ -x "$naps" ] || skip "$naps is not built"

# starts NAME OPTIONS...: adds up 60 numbers in the background, in $client.
starts() {
    name=$1
    "$naps" --numbers=60 --nap=5 --output="$place/$name/x" "${@:2}" >"$place/out" 2>"$place/err" &
    client=$!
    running+=($client)
}

# begins NAME OPTIONS...: the same, until a number is at work which is not done before goes_on.
begins() {
    rm -f "$place/marker" "$place/marker.go"
    starts "$@" --marker="$place/marker" --held
    waits_for "$place/marker to appear" test -e "$place/marker"
}
goes_on() { : >"$place/marker.go"; }

# waits_for WHAT COMMAND...: until the command succeeds.
waits_for() {
    local what=$1 i
    shift
    for i in $(seq $((patience * 10))); do
        "$@" && return
        sleep 0.1
    done
    complain "$name: waited $patience s for $what"
    return 1
}

# gone PID: it ended, whether or not somebody has asked for its status since.
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

# child PID WORD: the first process that it began whose command line has the word.
child() {
    local pid
    for pid in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -- "$2" && echo "$pid" && return
    done
    return 1
}

# worker_of ENGINE: waits for a worker that the engine's process began, and sets $worker.
worker_of() {
    waits_for "a worker" eval "worker=\$(child $1 --id=)"
}

# ended STATUS WORDS...: the run ends in time, with the status, and says the words.
ended() {
    local status=$1 words got
    shift
    waits_for "the end of the run" gone "$client" || kill -9 "$client"
    wait "$client"
    got=$?
    [ $got = "$status" ] || complain "$name: status $got instead of $status"
    for words; do
        grep -q -- "$words" "$place/err" || complain "$name: no '$words' in: $(cat "$place/err")"
    done
    [ -z "$(find "$place/$name" -name '.beam-temp*' 2>/dev/null)" ] || [ "$status" != 0 ] ||
        complain "$name: temporary files are left"
}

# sums: those of the run, all of them, once.
sums() {
    awk 'BEGIN { for (i = 0; i < 60; i++) s[i % 10] += i; for (k in s) print k ": " s[k] }' | sort \
        >"$place/expected"
    cat "$place/$name"/x-* 2>/dev/null | sort | cmp - "$place/expected" || complain "$name: differs"
}

# nothing: no file of results.
nothing() {
    [ -z "$(ls "$place/$name"/x-* 2>/dev/null)" ] || complain "$name: something was written"
}
