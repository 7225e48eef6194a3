#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Stage 3 on the PJRT plugin for the CPU, as it would run on an accelerator: several chips share each
# step, compiled programs are kept, and it learns what the CPU device learns.
cache=${BEAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libbeam}
plugin=$(ls -d "$cache"/lammps-jax-pjrt-cpu-*/*/*.so 2>/dev/null | head -n 1)
if [ -z "$plugin" ]; then
    echo "skipped: scripts/deps get lammps-jax-pjrt-cpu has not been run"
    exit 77
fi
. "$(dirname "$0")/training.sh"
programs=${BEAM_TEST_PROGRAMS:-$place/programs}/pjrt_training # of this test alone: they are counted

# train NAME EPOCHS ARGUMENTS...
train() {
    name=$1 epochs=$2
    shift 2
    succeeds tpu_training --dataset=digits --device="pjrt:$plugin" --epochs="$epochs" \
        --compilation_cache_dir="$programs" --result_json="$place/$name.json" "$@"
}

train shared 8 --num_replicas=4 --checkpoint_dir="$place/runs"
# What it ends at differs a little with the instruction set that the plugin compiles for.
python3 -c "import sys; sys.exit(float(sys.argv[1]) < 0.96)" "$(field "$place/shared.json" accuracy)" ||
    complain "four chips reach $(field "$place/shared.json" accuracy)"
kept=$(ls "$programs" | wc -l)
[ "$kept" -ge 2 ] || complain "$kept programs are kept"
succeeds cpu_inference --dataset=digits --weights="$place/runs/model.safetensors" \
    --result_json="$place/served.json"
same_accuracy "$place/shared.json" "$place/served.json"
refuses 1 "its num_replicas differs" tpu_training --dataset=digits --device="pjrt:$plugin" --epochs=8 \
    --checkpoint_dir="$place/runs" --num_replicas=2
refuses 1 "num_replicas is 2, but device cpu has 1 chip" tpu_training --dataset=digits \
    --num_replicas=2

# The same again compiles nothing.
train again 1 --num_replicas=4
[ "$(ls "$programs" | wc -l)" = "$kept" ] || complain "programs that were kept are not found"

train half 8 --precision=f16
[ "$(field "$place/half.json" precision)" = f16 ] || complain "no f16"
# What it ends at differs a little with the instruction set that the plugin compiles for.
python3 -c "import sys; sys.exit(float(sys.argv[1]) < 0.96)" "$(field "$place/half.json" accuracy)" ||
    complain "f16 reaches $(field "$place/half.json" accuracy)"

# A sweep whose models each span two chips.
succeeds parallel_training --dataset=digits --device="pjrt:$plugin" --model=small_cnn --epochs=2 \
    --batch_size=32 --num_replicas=2 --checkpoint_dir="$place/sweep" --output="$place/out" \
    --compilation_cache_dir="$programs"
[ "$(grep -c '"num_replicas": 2.*"status": "ok"\|"status": "ok".*"num_replicas": 2' "$place"/out-*)" = 3 ] ||
    complain "no three models of two chips each: $(cat "$place"/out-*)"
refuses 1 "num_replicas is 2, but device cpu has 1 chip" parallel_training --dataset=digits \
    --model=small_cnn --learning_rate=0.1 --batch_size=32 --num_replicas=2 --epochs=1 \
    --checkpoint_dir="$place/cpu"
ends
