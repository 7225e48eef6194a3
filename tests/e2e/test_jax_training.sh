#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# A training step that JAX wrote, driven by the trainer on the PJRT plugin for the CPU: it learns, is
# killed and goes on to the same bits, serves, and takes its place in a sweep.
cache=${BEAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libbeam}
plugin=$(ls -d "$cache"/lammps-jax-pjrt-cpu-*/*/*.so 2>/dev/null | head -n 1)
if [ -z "$plugin" ]; then
    echo "skipped: scripts/deps get lammps-jax-pjrt-cpu has not been run"
    exit 77
fi
. "$(dirname "$0")/training.sh"
models=${BEAM_STEP_MODELS:-$BEAM_SOURCE_DIR/tests/ml/models}
model=$models/digits.step.stablehlo,$models/digits.b64.stablehlo
step=(--dataset=digits "--device=pjrt:$plugin" "--model=$model" --batch_size=32
    "--init_weights=$models/digits.safetensors" --learning_rate=0.01 --num_threads=1)

succeeds tpu_training "${step[@]}" --epochs=8 --checkpoint_dir="$place/whole" \
    --result_json="$place/whole.json"
python3 -c "import sys; sys.exit(float(sys.argv[1]) < 0.95)" "$(field "$place/whole.json" accuracy)" ||
    complain "it reaches $(field "$place/whole.json" accuracy)"

# Killed when the second epoch is kept; then to the end.
"$bin/tpu_training" "${step[@]}" --epochs=8 --checkpoint_dir="$place/killed" >"$place/out" 2>&1 &
pid=$!
for _ in $(seq 600); do
    grep -q "epoch 2 of 8" "$place/out" && break
    sleep 0.05
done
kill -KILL $pid
wait $pid 2>/dev/null
succeeds tpu_training "${step[@]}" --epochs=8 --checkpoint_dir="$place/killed"
grep -q "going on after step" "$place/err" || complain "it began again: $(cat "$place/err")"
cmp "$place/whole/model.safetensors" "$place/killed/model.safetensors" ||
    complain "killed and gone on with, it has other weights"

# What came out is weights of the classifier.
succeeds gpu_inference --dataset=digits --device="pjrt:$plugin" --model="$models/digits.b64.stablehlo" \
    --weights="$place/whole/model.safetensors" --result_json="$place/served.json"
same_accuracy "$place/whole.json" "$place/served.json"

# Three learning rates; the module's batch is the only one.
succeeds parallel_training "${step[@]}" --epochs=1 --checkpoint_dir="$place/sweep" \
    --output="$place/sweep.out"
grep -q '"experiment_id": "digits-lr0.01-b32".*"status": "ok"' "$place"/sweep.out-* ||
    complain "no model of the sweep: $(cat "$place"/sweep.out-*)"
refuses 1 "images, is f32{32, 1, 8, 8} and must be f32{64, 1, 8, 8}" tpu_training "${step[@]}" \
    --batch_size=64
refuses 1 "optimizer is given, and the training step" tpu_training "${step[@]}" --optimizer=adam
refuses 1 "a training step alone" tpu_training "${step[@]}" --model="$models/digits.step.stablehlo"
refuses 1 "no note \"step_arguments\"" tpu_training "${step[@]}" \
    --init_weights="$models/model.safetensors"
refuses 1 "StableHLO runs on gpu, tpu and pjrt:" tpu_training "${step[@]}" --device=cpu
refuses 1 "main takes 5 arguments, and the weights' note" tpu_training "${step[@]}" \
    --model="$models/digits.step.stablehlo,$models/model.b1.mlir"
refuses 1 "the classifier .* must take images {1, 10, 10} and give 10 numbers" tpu_training \
    "${step[@]}" --image_size=10 --augment=window:8
ends
