#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# parallel_training --early_stopping=halving: of eight, four stop after one epoch of four, two after
# two; killed and started again, the same.
. "$(dirname "$0")/training.sh"

for i in 1 2 3 4 5 6 7 8; do
    echo "{\"experiment_id\": \"c$i\", \"learning_rate\": 0.0$i, \"num_images\": 320}"
done >"$place/configs.json"
for folder in whole killed; do
    options=(--dataset=digits --model=small_cnn --batch_size=32 --epochs=4
        --early_stopping=halving "--configs=$place/configs.json"
        "--checkpoint_dir=$place/$folder/runs" "--output=$place/$folder/out")
    mkdir "$place/$folder"
    if [ $folder = killed ]; then
        for after in 0.2 0.5; do
            "$bin/parallel_training" "${options[@]}" >"$place/out" 2>"$place/err" &
            pid=$!
            sleep $after
            kill -KILL $pid 2>/dev/null
            wait $pid 2>/dev/null
        done
    fi
    succeeds parallel_training "${options[@]}" --result_json="$place/$folder.json"
done

python3 - "$place" <<'END' || complain "halving: $(cat "$place"/whole/out-*)"
import glob, json, sys
place = sys.argv[1]
results = [json.loads(line) for name in glob.glob(place + "/whole/out-*") for line in open(name)]
rungs = {epochs: [r for r in results if r["epochs"] == epochs] for epochs in [1, 2, 4]}
assert [len(rungs[e]) for e in [1, 2, 4]] == [4, 2, 2], rungs
assert all(r["status"] == ("ok" if r["epochs"] == 4 else "stopped") for r in results)
assert all(bool(r["model_path"]) == (r["epochs"] == 4) for r in results)
assert json.load(open(place + "/whole.json"))["epochs_run"] == 8 + 4 + 2 * 2
END
[ "$(results "$place"/whole/out-*)" = "$(results "$place"/killed/out-*)" ] ||
    complain "killed and started again, it ended with other results"

refuses 1 "halving needs a checkpoint_dir" parallel_training --dataset=digits \
    --early_stopping=halving --checkpoint_dir=

ends
