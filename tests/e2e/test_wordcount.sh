#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# wordcount against tr, sort and uniq.
. "$(dirname "$0")/../support/checks.sh"
need wordcount
program=$bin/wordcount
export LC_ALL=C

# same NAME FILE OPTIONS...: the counts of FILE's words are those that uniq gives.
same() {
    local name=$1 file=$2
    shift 2
    tr -s ' ' '\n' <"$file" | sort | uniq -c |
        awk '{ c = $1; sub(/^ *[0-9]+ /, ""); if (length($0)) print $0 ": " c }' | sort >"$place/expected"
    rm -rf "$place/counts"
    "$program" --input="$file" --output="$place/counts/x" "$@" >"$place/out" 2>"$place/err" ||
        complain "$name: $(cat "$place/err")"
    cat "$place"/counts/x-* 2>/dev/null | sort >"$place/got"
    cmp "$place/expected" "$place/got" || complain "$name: counts differ"
}

printf '' >"$place/empty"
printf ' ' >"$place/blank"
printf 'one' >"$place/one"
printf 'a b  a\n\n  b\ta \xc3\xa4 \xff\n a\r\nlast' >"$place/odd"
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "w%d%s", (i * 7919) % 9973, i % 9 ? " " : "\n" }' \
    >"$place/many"
awk 'BEGIN { for (i = 0; i < 300; i++) { for (j = 0; j < i; j++) printf "x"; printf " %s", i % 7 ? "" : "\n" } }' \
    >"$place/long"
for file in empty blank one odd many long; do
    same $file "$place/$file"
    same "$file on one thread" "$place/$file" --direct_num_workers=1
done
same "many in little memory" "$place/many" --memory_budget=100KB

# Megabytes of text, which are split into ranges; with --long 100 MB.
copies=4
[ "${BEAM_LONG:-}" = 1 ] && copies=90
for _ in $(seq $copies); do cat "$place/many"; done >"$place/large"
same large "$place/large"

printf "It's 3 o'clock, Caf\xc3\xa9-time; it's LATE_now\n" >"$place/letters"
"$program" --input="$place/letters" --output="$place/l/x" --words=letters >/dev/null 2>&1
cat "$place"/l/x-* | sort >"$place/got"
printf '%s\n' "Caf"$'\xc3\xa9'": 1" "It: 1" "LATE: 1" "clock: 1" "it: 1" "now: 1" "o: 1" "s: 2" \
    "time: 1" | sort | cmp - "$place/got" || complain "letters"

"$program" --output="$place/y" 2>"$place/err" && complain "ran without --input"
grep -q -- --input "$place/err" || complain "a missing --input is not named"
"$program" --input="$place/none*" --output="$place/y" >/dev/null 2>"$place/err" && complain "no file, no error"
grep -q "none" "$place/err" || complain "a pattern that matches nothing is not named"
ls "$place"/y* >/dev/null 2>&1 && complain "a run that failed left output"

ends
