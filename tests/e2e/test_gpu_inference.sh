# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# gpu_inference and the beam tool's verbs about accelerators, on a machine that has none: what they
# say, and the same answers through the PJRT plugin for the CPU.
set -u
program=${BEAM_BIN:?}/gpu_inference
tool=$BEAM_BIN/beam
if [ ! -x "$program" ] || [ ! -x "$tool" ]; then
    echo "$program is not built: nothing to test"
    exit 0
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cache=${BEAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libbeam}
export BEAM_SHARE_DIR=${BEAM_SOURCE_DIR:?}/share BEAM_LOCK_DIR=$place
unset PJRT_DEVICE PJRT_NAMES_AND_LIBRARY_PATHS TPU_LIBRARY_PATH BEAM_ACCELERATOR_BACKEND
failures=0

# says WORDS FILE: the words stand in the file.
says() {
    grep -qF -- "$1" "$2" || {
        echo "no \"$1\" in:"
        cat "$2"
        failures=$((failures + 1))
    }
}
# ends STATUS COMMAND...: it ends with that status, its words in $place/said.
ends() {
    wanted=$1
    shift
    "$@" >"$place/said" 2>&1
    got=$?
    [ "$got" = "$wanted" ] || {
        echo "$*: status $got instead of $wanted"
        cat "$place/said"
        failures=$((failures + 1))
    }
}

if [ ! -e /dev/nvidia0 ]; then
    ends 1 env BEAM_CACHE="$place" "$program" --dataset=digits
    says 'device "gpu"' "$place/said"
    says 'scripts/deps plugin gpu' "$place/said"
    ends 1 env BEAM_CACHE="$place" "$tool" devices cpu tpu
    says 'oneDNN' "$place/said"
    says 'tpu        not here' "$place/said"
    ends 0 "$program" --dataset=digits --device=auto --result_json="$place/auto.json"
    says '"device_fell_back": 1' "$place/auto.json"
fi
ends 2 "$tool" aot --model=resnet18
ends 1 "$tool" aot --model=resnet18 --target=v5e:2xx
says 'want a TPU and its grid' "$place/said"
ends 1 env BEAM_CACHE="$place" "$tool" aot --model=resnet18 --target=h100
says 'scripts/deps plugin gpu' "$place/said"

plugin=$(ls -d "$cache"/lammps-jax-pjrt-cpu-*/*/*.so 2>/dev/null | head -n 1)
if [ -n "$plugin" ]; then
    ends 0 "$program" --dataset=digits --device=cpu --output="$place/cpu"
    ends 0 "$program" --dataset=digits --device="pjrt:$plugin" --output="$place/pjrt"
    cat "$place"/cpu-* | sort >"$place/wanted"
    cat "$place"/pjrt-* | sort | cmp - "$place/wanted" || failures=$((failures + 1))
fi

[ "$failures" = 0 ] || echo "$failures failures"
[ "$failures" = 0 ]
