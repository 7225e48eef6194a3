#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The watch for drift says nothing of a tree that agrees with the world, and finds one version, one
# metric's name, one size of a PJRT struct, one field number and one URN that do not.
set -u
command -v python3 >/dev/null || { echo "no python3: nothing to test"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

plant() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/src/model" "$work/tree/src/ml"
    cp -r "$BEAM_SOURCE_DIR/scripts" "$BEAM_SOURCE_DIR/deps" "$work/tree/"
    cp -r "$BEAM_SOURCE_DIR/src/model/proto" "$BEAM_SOURCE_DIR/src/model/urn.h" "$work/tree/src/model/"
    cp -r "$BEAM_SOURCE_DIR/src/device" "$work/tree/src/"
    cp "$BEAM_SOURCE_DIR/src/ml/inference_metrics.c" "$work/tree/src/ml/"
    cd "$work/tree" || exit 1
}

# expect STATUS WORDS WHAT COMMAND...
expect() {
    local status=$1 words=$2 what=$3 got
    shift 3
    "$@" >"$work/out" 2>&1
    got=$?
    if [ $got != "$status" ] || ! grep -q -- "$words" "$work/out"; then
        echo "FAILED: $what: status $got instead of $status, or no '$words'"
        cat "$work/out"
        failures=$((failures + 1))
    fi
}

plant
# A world in which every pin is the newest.
awk '$1 ~ /^(pypi|pip|maven|go|mod|mvn)$/ { printf "%s\"%s\": \"%s\"", sep, $3, $4; sep = ",\n" }
     BEGIN { print "{" } END { print "\n}" }' deps/versions >"$work/index.json"
expect 0 ', 0 moved' "a tree that is up to date" scripts/freshness --index="$work/index.json"

sed -i 's/^\(pypi tpu *libtpu *\)[0-9.]*/\10.0.1/' deps/versions
expect 1 'libtpu is .*, and 0.0.1 is pinned' "an old pin" scripts/freshness --index="$work/index.json"
echo "libtpu $(sed -n 's/.*"libtpu": "\(.*\)".*/\1/p' "$work/index.json") for a reason" >>deps/held
expect 0 'held: for a reason' "a pin that is held" scripts/freshness --index="$work/index.json"
sed -i '/"libtpu"/d' "$work/index.json"
expect 2 'could not be asked: libtpu' "an index without it" scripts/freshness --index="$work/index.json"
expect 2 'freshness' "an unknown option" scripts/freshness --indecks="$work/index.json"

plant
if scripts/check-pinned | grep -q 'cannot be had'; then
    echo "apache-beam or PJRT's header is not here: metrics and sizes are not tried"
else
    expect 0 'sizes and the metrics' "names and sizes that agree" scripts/check-pinned
    sed -i 's/^\(PJRT_Client_Create_Args\) .*/\1 8/' deps/pjrt-sizes
    expect 1 'PJRT_Client_Create_Args is 8' "a struct's size" scripts/check-pinned
    plant
    sed -i 's/"num_inferences"/"number_of_inferences"/' src/ml/inference_metrics.c
    expect 1 'no metric num_inferences' "a metric's name" scripts/check-pinned
    plant
fi
if ! scripts/check-protos 2>&1 | grep -q 'agree with Beam'; then
    echo "Beam's protos are not here: fields and URNs are not tried"
    exit $((failures > 0))
fi
sed -i '0,/\(string unique_name = \)5;/s//\195;/' src/model/proto/pipeline.proto
expect 1 'unique_name is' "a field's number" scripts/check-protos
plant
sed -i 's/beam:transform:impulse:v1/beam:transform:impulse:v9/' src/model/urn.h
expect 1 'impulse:v9 is not Beam' "a URN" scripts/check-protos
exit $((failures > 0))
