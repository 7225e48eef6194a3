#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# tpu_training on the digits: what it reaches, says and keeps, and how it refuses.
# On one thread: those that share a step wait for each other, which takes long where other tests have
# the cores.
. "$(dirname "$0")/training.sh"
one=--num_threads=1
size=()

# It learns to read, with the recipe that it has for the digits.
succeeds tpu_training --dataset=digits $one --checkpoint_dir="$place/runs" \
    --result_json="$place/result.json"
python3 - "$place/result.json" <<'END' || complain "result_json: $(cat "$place/result.json")"
import json, sys
result = json.load(open(sys.argv[1]))
for key in ["example", "runner", "device", "device_requested", "model", "dataset", "precision",
            "images", "seconds", "images_per_second", "accuracy", "peak_rss_bytes", "epochs",
            "seconds_per_epoch"]:
    assert key in result, key
assert result["example"] == "tpu_training" and result["runner"] == "direct", result
assert result["device_requested"] == "auto" and result["model"] == "small_cnn", result
assert result["dataset"] == "digits" and result["precision"] == "f32", result
assert result["epochs"] == result["epochs_run"] and result["images"] > 1000, result
assert result["accuracy"] >= 0.97, result
history = sorted(result["history"], key=lambda row: row["epoch"])
assert [row["epoch"] for row in history] == list(range(1, result["epochs"] + 1)), history
assert history[-1]["loss"] < history[0]["loss"] and history[-1]["accuracy"] > 0.97, history
END
grep -q "epoch 1 of" "$place/err" || complain "no line for an epoch: $(cat "$place/err")"
grep -q "falling back to cpu" "$place/err" || complain "the fall back was silent"

# Run again it does nothing again.
trained=$(field "$place/result.json" accuracy)
succeeds tpu_training --dataset=digits $one --checkpoint_dir="$place/runs" \
    --result_json="$place/again.json"
[ "$(field "$place/again.json" epochs_run)" = 0 ] || complain "it trained a second time"
[ "$(field "$place/again.json" accuracy)" = "$trained" ] || complain "another accuracy"

# With other options it leaves alone what is there, as it does with checkpoints of another training.
refuses 1 "its seed differs" tpu_training --dataset=digits $one --checkpoint_dir="$place/runs" --seed=1
refuses 1 "its num_threads differs" tpu_training --dataset=digits --checkpoint_dir="$place/runs" \
    --num_threads=2
[ "$(field "$place/runs/result.json" status)" = ok ] || complain "a refused run changed the result"

# The model serves, and is as good there as it was told to be.
succeeds cpu_inference --dataset=digits --weights="$place/runs/model.safetensors" \
    --result_json="$place/served.json"
same_accuracy "$place/result.json" "$place/served.json"

# What network it is stands in the file.
succeeds tpu_training --dataset=digits --model=resnet34 --epochs=1 --num_images=64 $one \
    --checkpoint_dir="$place/deep" --model_dtype=bf16
[ "$(stat -c %s "$place/deep/model.safetensors")" -lt 50000000 ] || complain "no bf16 in the model"
succeeds cpu_inference --dataset=digits --weights="$place/deep/model.safetensors" \
    --result_json="$place/served.json"
[ "$(field "$place/served.json" model)" = resnet34 ] || complain "the model is not taken for what it is"

# Asked for in another dtype, the model of a training that is over is saved again, and nothing trained.
for dtype in f32 bf16; do
    succeeds tpu_training --dataset=digits $one --epochs=1 --num_images=64 --model_dtype=$dtype \
        --checkpoint_dir="$place/again" --result_json="$place/again.json"
    size[${#size[@]}]=$(stat -c %s "$place/again/model.safetensors")
done
[ "$(field "$place/again.json" epochs_run)" = 0 ] || complain "it trained for another dtype"
((size[1] < size[0] * 2 / 3)) || complain "the model stays f32: ${size[*]} bytes"
grep -q "is not in bf16 and saved again" "$place/err" || complain "saved without a word: $(cat "$place/err")"

# Flags have the last word, also over a recipe that sets them.
for split in train test; do
    python3 "$BEAM_SOURCE_DIR/tests/support/pictures.py" "$place/pictures/$split" 2 || complain "no pictures"
done
averages() { # OPTIONS...: what fastnet's configuration then has
    rm -rf "$place/flags"
    succeeds tpu_training --dataset="$place/pictures" --model=fastnet --image_size=32 --epochs=1 \
        --batch_size=4 $one --checkpoint_dir="$place/flags" "$@"
    python3 -c 'import json, sys
config = json.load(open(sys.argv[1]))["config"]
print(config["flip_average"], config["shift_average"])' "$place/flags/result.json"
}
[ "$(averages)" = "True True" ] || complain "the recipe of fastnet averages no more"
[ "$(averages --no-flip_average)" = "False True" ] || complain "--no-flip_average is not heard"
[ "$(averages --flip_average --shift_average=false)" = "True False" ] ||
    complain "--shift_average=false is not heard"

# Without checkpoint_dir nothing is kept; CIFAR-10 that cannot be had is the digits, and says so.
mkdir "$place/empty"
(cd "$place/empty" && "$bin/tpu_training" --epochs=1 $one >../out 2>../err) ||
    complain "no fall back: $(cat "$place/err")"
grep -q "CIFAR-10 cannot be had" "$place/err" || complain "the fall back to digits was silent"
[ -z "$(ls "$place/empty")" ] || complain "left $(ls "$place/empty")"

# SIGINT: the run ends soon, with 130, and leaves what the next goes on from.
"$bin/tpu_training" --dataset=digits --epochs=2000 $one --checkpoint_dir="$place/long" \
    >"$place/out" 2>"$place/err" &
pid=$!
for _ in $(seq 300); do
    grep -q "epoch 2 of" "$place/err" && break
    sleep 0.1
done
kill -INT $pid
wait $pid
[ $? = 130 ] || complain "interrupted, it did not end with 130: $(tail -n 3 "$place/err")"
ls "$place"/long/checkpoint-* >/dev/null 2>&1 || complain "interrupted, it left no checkpoint"
ls "$place"/long/result.json >/dev/null 2>&1 && complain "interrupted, it left a result"

refuses 1 "model_name" tpu_training --dataset=digits --epochs=2000 --model=resnet18 $one \
    --checkpoint_dir="$place/long"

digits() { # STATUS WORDS OPTIONS...
    local status=$1 words=$2
    shift 2
    refuses "$status" "$words" tpu_training --dataset=digits --epochs=1 $one "$@"
}
digits 2 "above 0" --learning_rate=-0.1
digits 2 "above 0" --batch_size=0
digits 1 "5000" --batch_size=5000
digits 1 "batch_size is 64, and there are only 32" --batch_size=64 --num_images=32
digits 1 "there is no such network; there are resnet18" --model=resnet19
digits 2 "expected one of" --optimizer=sdg
digits 2 "expected one of" --device=abacus
digits 1 "flop" --augment=flop
digits 1 "learning_rate" --learning_rate=1e30
digits 1 "none.safetensors" --init_weights="$place/none.safetensors"
digits 1 'device "tpu"' --device=tpu
touch "$place/file"
digits 1 "$place/file" --checkpoint_dir="$place/file/x"
refuses 1 "--checkpoint_dir=DIR keeps" tpu_training --dataset=digits --model_dtype=bf16
refuses 1 "there is no CIFAR-10 in" tpu_training --data_dir="$place"

# Other optimizers, precisions and devices train too.
succeeds tpu_training --dataset=digits --epochs=2 --optimizer=adamw --learning_rate=0.003 \
    --schedule=cosine --precision=bf16 $one
# What a recipe has can be left out.
succeeds tpu_training --dataset=digits --epochs=1 --num_images=64 --batch_size=32 \
    --lookahead=-1 --label_smoothing=-1 $one
succeeds tpu_training --dataset=digits --epochs=2 --optimizer=muon $one
succeeds tpu_training --dataset=digits --epochs=1 --num_images=64 --batch_size=16 --num_threads=2
succeeds tpu_training --dataset=digits --epochs=1 --num_images=64 --device=reference

"$bin/tpu_training" --help | grep -q -- --checkpoint_dir || complain "--help lacks --checkpoint_dir"
"$bin/tpu_training" --dataset=digits --dot | grep -q TrainModels || complain "--dot: no TrainModels"

ends
