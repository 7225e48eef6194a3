#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# image_folder_inference on JPEG files, against cpu_inference on the same pictures as a data set.
. "$(dirname "$0")/cpu_inference.sh"
need image_folder_inference
program=$bin/image_folder_inference
archive=${BEAM_TEST_DATA:-$root/../shared/data}/cifar10-jpeg.tar.xz
[ -f "$archive" ] || skip "$archive is not there"

# refuses STATUS WORDS ARGUMENTS...: ends with the status and says the words; writes nothing.
refuses() {
    local status=$1 words=$2
    shift 2
    "$program" --output="$place/refused/x" "$@" >"$place/out" 2>"$place/err"
    local got=$?
    [ $got = "$status" ] || complain "$* ended with $got instead of $status"
    grep -q -- "$words" "$place/err" || { complain "$* did not say \"$words\":"; cat "$place/err"; }
    ls "$place"/refused/x* >/dev/null 2>&1 && complain "$* left output"
}

tar -C "$place" -xf "$archive" --wildcards 'test/cat/00*' 'test/ship/00*'
printf 'airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n' >"$place/names"

"$program" --input="$place/test/*/*.jpg" --weights=resnet18-cifar10 --labels="$place/names" \
    --output="$place/named/x" >"$place/out" 2>"$place/err" || complain "$(cat "$place/err")"
"$program" --input="$place/test/*/*.jpg" --weights=resnet18-cifar10 --max_batch_size=3 \
    --output="$place/numbered/x" >"$place/out" 2>"$place/err" || complain "$(cat "$place/err")"
"$BEAM_BIN"/cpu_inference --dataset="$place/test" --weights=resnet18-cifar10 \
    --output="$place/set/x" >"$place/out" 2>"$place/err" || complain "$(cat "$place/err")"
# A data set counts its pictures in the order of their paths.
cat "$place"/set/x-* | sort -t, -k1n | cut -d, -f3 >"$place/expected"
cat "$place"/numbered/x-*.csv | sort | cut -d, -f2 >"$place/got"
cmp "$place/expected" "$place/got" || complain "other classes than cpu_inference finds"
cat "$place"/named/x-*.csv | sort | cut -d, -f2 >"$place/named.all"
awk 'NR == FNR { name[NR - 1] = $0; next } { print name[$1] }' "$place/names" "$place/got" |
    cmp - "$place/named.all" || complain "other names than those of the classes"
[ "$(wc -l <"$place/got")" = "$(ls "$place"/test/*/*.jpg | wc -l)" ] || complain "some are missing"
[ "$(grep -c 'cat\|ship' "$place/named.all")" -gt 150 ] || complain "cats and ships are not seen"

# Names whose lines end as on Windows are the same names.
sed 's/$/\r/' "$place/names" >"$place/names.windows"
"$program" --input="$place/test/*/*.jpg" --weights=resnet18-cifar10 --labels="$place/names.windows" \
    --output="$place/windows/x" >"$place/out" 2>"$place/err" || complain "$(cat "$place/err")"
cat "$place"/windows/x-*.csv | sort | cut -d, -f2 | cmp - "$place/named.all" ||
    complain "line ends of --labels come along"

# A model on a server, which takes another size than the pictures have.
mkfifo "$place/pipe"
python3 "$BEAM_SOURCE_DIR/tests/support/infer_fault.py" <"$place/pipe" >"$place/address" &
server=$!
exec 9>"$place/pipe"
for _ in $(seq 200); do
    [ -s "$place/address" ] && break
    sleep 0.1
done
"$program" --input="$place/test/*/*.jpg" --model="$(cat "$place/address")/v2/models/pixels" \
    --output="$place/asked/x" >"$place/out" 2>"$place/err" || complain "$(cat "$place/err")"
exec 9>&-
wait "$server"
[ "$(cat "$place"/asked/x-*.csv | wc -l)" = "$(wc -l <"$place/got")" ] || complain "the server missed some"
[ "$(cut -d, -f2 "$place"/asked/x-*.csv | sort -u | wc -l)" -gt 2 ] || complain "all look alike to the server"

head -c 300 "$place/test/cat/0001.jpg" >"$place/test/cat/broken.jpg"
refuses 1 "cat/broken.jpg: damaged JPEG" --input="$place/test/*/*.jpg" --weights=resnet18-cifar10
refuses 1 "no file matches" --input="$place/none/*.jpg" --weights=resnet18-cifar10
refuses 1 "cannot be read" --input="$place/test/cat/00*.jpg" --weights=resnet18-cifar10 \
    --labels="$place/none"
refuses 2 "input" --weights=resnet18-cifar10

ends
