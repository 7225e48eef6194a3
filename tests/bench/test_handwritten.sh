#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The hand-written program computes what it should: its sums are awk's, whatever the algorithm and
# the number of threads, and its word counts are sort's.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$BEAM_BIN/handwritten
failures=0

# expect CHECKSUM ARGUMENT...
expect() {
    local want=$1 got
    shift
    got=$("$program" "$@" | sed 's/.*"checksum": "\([^"]*\)".*/\1/')
    if [ "$got" != "$want" ]; then
        echo "handwritten $*: $got, not $want"
        failures=1
    fi
}

# Sums of 0..29999 by key; awk's doubles are exact up to 2^53.
sums() {
    awk -v keys="$1" 'BEGIN {
        for (x = 0; x < 30000; x++)
            sum[keys == 1000 ? x % 1000 : x * 2654435761 % 1000000] += x
        for (k in sum) { n++; s += sum[k]; w += sum[k] * (k % 97) }
        printf "%.0f/%.0f/%.0f\n", n, s, w
    }'
}

for keys in 1000 1000000; do
    want=$(sums $keys)
    for threads in 1 2 5; do
        expect "$want" --threads=$threads group 30000 $keys
        expect "$want" --threads=$threads combine 30000 $keys
    done
    expect 0/0/0 group 0 $keys
done
# Enough for more than one chunk a key and part, and for tables to grow.
expect "$("$program" combine 3000000 1000000 | sed 's/.*"checksum": "\([^"]*\)".*/\1/')" \
    --threads=3 group 3000000 1000000
for style in fused batch call; do
    expect 899807/0/0 map $style 1000000
done

# Words of all lengths, also longer than what is read at once; no newline at the end.
awk 'BEGIN {
    for (i = 0; i < 100000; i++)
        printf "%s%s", substr("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", i * 7 % 26 + 1,
            i * i % 23 + 1), i % 9 ? " " : i % 4 ? "\n" : "  \n\n"
    for (i = 0; i < 400000; i++) printf "y"
    printf " %c\tend", 255
}' >"$work/text"
"$program" --threads=3 wordcount "$work/text" "$work/out" >"$work/json"
tr -s ' ' '\n' <"$work/text" | LC_ALL=C sort | uniq -c |
    LC_ALL=C sed 's/^ *\([0-9]*\) \(.*\)$/\2: \1/' | LC_ALL=C sort >"$work/want"
if ! LC_ALL=C sort "$work/out" | cmp - "$work/want"; then
    echo "handwritten wordcount: not what sort and uniq count"
    failures=1
fi

for wrong in "group x 1000" "group 5 7" "map slow 5" "wordcount $work/none $work/out" "group 5"; do
    if "$program" $wrong >/dev/null 2>"$work/message" || [ ! -s "$work/message" ]; then
        echo "handwritten $wrong: accepted, or refused without a word"
        failures=1
    fi
done
exit $failures
