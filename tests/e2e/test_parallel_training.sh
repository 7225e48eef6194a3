#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# parallel_training on the digits: sweeps with members that fail, random search, deploying, and what
# becomes of a sweep that is killed.
. "$(dirname "$0")/training.sh"

# Six configurations: one cannot be, one is too much for the data, one diverges.
cat >"$place/configs.json" <<'END'
[{"experiment_id": "good", "learning_rate": 0.1},
 {"experiment_id": "slow", "learning_rate": 0.001},
 {"experiment_id": "large batch", "learning_rate": 0.1, "batch_size": 128},
 {"experiment_id": "invalid", "learning_rate": -1},
 {"experiment_id": "too large", "learning_rate": 0.1, "batch_size": 5000},
 {"experiment_id": "diverging", "learning_rate": 1e30}]
END
sweep=(--dataset=digits --model=small_cnn --batch_size=32 --epochs=3 "--configs=$place/configs.json")

# sweep FOLDER OPTIONS...: runs it, with all its files in the folder.
sweep() {
    local folder=$1
    shift
    succeeds parallel_training "${sweep[@]}" --checkpoint_dir="$folder/runs" \
        --output="$folder/out" --result_json="$folder/result.json" "$@"
}

# same FOLDER WORDS: the results there are those of the sweep that nobody disturbed.
same() {
    [ "$(results "$place"/a/out-*)" = "$(results "$1"/out-*)" ] || complain "$2: other results"
}

mkdir "$place/a" "$place/b" "$place/c"
sweep "$place/a" --serving_dir="$place/a/serving"
python3 - "$place/a" <<'END' || complain "the sweep's results: $(cat "$place"/a/out*)"
import glob, json, sys
place = sys.argv[1]
lines = [json.loads(line) for name in glob.glob(place + "/out-*.jsonl") for line in open(name)]
results = {result["experiment_id"]: result for result in lines}
assert len(lines) == len(results) == 6, results.keys()
for name in ["good", "slow", "large batch"]:
    assert results[name]["status"] == "ok" and results[name]["epochs"] == 3, results[name]
    assert 0 < results[name]["accuracy"] <= 1 and results[name]["error"] == "", results[name]
assert results["invalid"]["status"] == "failed", results["invalid"]
assert "learning_rate is -1" in results["invalid"]["error"], results["invalid"]
assert results["too large"]["status"] == "failed", results["too large"]
assert "5000" in results["too large"]["error"], results["too large"]
assert results["diverging"]["status"] == "diverged", results["diverging"]
assert results["diverging"]["accuracy"] is None, results["diverging"]
best = max((r for r in lines if r["accuracy"] is not None), key=lambda r: r["accuracy"])
manifest = json.load(open(place + "/serving/manifest.json"))
assert manifest["result"]["accuracy"] == best["accuracy"], manifest
report = json.load(open(place + "/result.json"))
assert report["configs"] == 6 and report["configs_failed"] == 3, report
assert abs(report["accuracy"] - best["accuracy"]) < 1e-6, report
END

# What is served is as good as the sweep said.
succeeds cpu_inference --dataset=digits --weights="$place/a/serving/model.safetensors" \
    --result_json="$place/served.json"
same_accuracy "$place/a/result.json" "$place/served.json"

# One thread instead of one a core.
sweep "$place/b" --direct_num_workers=1
same "$place/b" "on one thread"

# Killed at several moments and started again; then there is nothing left to do.
for after in 0.2 0.5 0.9; do
    "$bin/parallel_training" "${sweep[@]}" --checkpoint_dir="$place/c/runs" \
        --output="$place/c/out" >"$place/out" 2>"$place/err" &
    pid=$!
    sleep $after
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
done
sweep "$place/c"
same "$place/c" "killed three times"
sweep "$place/c"
[ "$(field "$place/c/result.json" epochs_run)" = 0 ] || complain "a finished sweep trained again"

# A disk that is full (no file may be larger than 100 KB): results say so, whatever was saved before
# stays, and with room again the sweep ends as if nothing had been.
mkdir "$place/full"
"$bin/parallel_training" "${sweep[@]}" --checkpoint_dir="$place/full/runs" >"$place/out" \
    2>"$place/err" &
pid=$!
sleep 0.4
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
(trap '' XFSZ && ulimit -f 100 && "$bin/parallel_training" "${sweep[@]}" \
    --checkpoint_dir="$place/full/runs" --output="$place/full/out") >"$place/out" 2>"$place/err"
[ "$(grep -c "File too large" "$place"/full/out-*)" -ge 1 ] || complain "a full disk: $(cat "$place/err")"
sweep "$place/full"
same "$place/full" "a full disk"

# A damaged result is made again from the checkpoints; those of another configuration stay as
# they are.
echo '{"experiment_id": "go' >"$place/c/runs/good/result.json"
sweep "$place/c"
same "$place/c" "a damaged result"
[ "$(field "$place/c/result.json" epochs_run)" = 0 ] || complain "a damaged result: trained again"
sed -i 's/"slow", "learning_rate": 0.001/"slow", "learning_rate": 0.002/' "$place/configs.json"
sweep "$place/c"
grep -q '"slow".*learning_rate differs' "$place"/c/out-* || complain "used another's checkpoints"

# Random search, the same each time.
mkdir "$place/d" "$place/e"
for folder in d e; do
    succeeds parallel_training --dataset=digits --model=small_cnn --trials=3 --epochs=1 --seed=5 \
        --num_images=64 --checkpoint_dir="$place/$folder/runs" --output="$place/$folder/out"
done
[ "$(cat "$place"/d/out-* | wc -l)" = 3 ] || complain "not three trials"
[ "$(results "$place"/d/out-*)" = "$(results "$place"/e/out-*)" ] || complain "trials differ"

# None can be trained: the run fails, but its results are there.
mkdir "$place/f"
echo '{"experiment_id": "x"}' >"$place/none.json"
refuses 1 "no model was trained" parallel_training --dataset=digits --configs="$place/none.json" \
    --checkpoint_dir="$place/f/runs" --output="$place/f/out" --serving_dir="$place/f/serving"
grep -q "model_name is missing" "$place"/f/out-* || complain "the result of what failed is lost"
[ -e "$place/f/serving" ] && complain "deployed nothing"

wrong() { # WORDS TEXT
    echo "$2" >"$place/wrong.json"
    refuses 1 "$1" parallel_training --dataset=digits --checkpoint_dir="$place/g" \
        --configs="$place/wrong.json"
}
wrong 'there is no field "lr"' '{"experiment_id": "x", "lr": 1}'
wrong 'duplicate' '{"experiment_id": "x", "epochs": 1, "epochs": 2}'
wrong 'two configurations are called' '{"experiment_id": "x"} {"experiment_id": "x"}'
wrong 'experiment_id is missing' '{"epochs": 1}'
wrong 'no name of a folder' '{"experiment_id": "../x"}'
wrong 'is text, where a whole number' '{"experiment_id": "x", "epochs": "1"}'
wrong 'expected near end of file' '{"experiment_id"'
wrong 'no configurations' ''
[ -e "$place/g" ] && complain "a refused sweep left a folder"
refuses 1 "No such file" parallel_training --dataset=digits --configs="$place/nowhere.json"
refuses 1 "give one of them" parallel_training --dataset=digits --configs="$place/none.json" --trials=2
refuses 1 "no model is kept" parallel_training --dataset=digits --model=small_cnn --checkpoint_dir= \
    --serving_dir="$place/serving"
refuses 2 "above 0" parallel_training --dataset=digits --batch_size=0
refuses 2 "expected one of" parallel_training --dataset=digits --early_stopping=soon

ends
