#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# per_key_training: a model a site, the same whatever the threads.
. "$(dirname "$0")/training.sh"

for threads in 1 3; do
    mkdir "$place/$threads"
    succeeds per_key_training --output="$place/$threads/out" --direct_num_workers=$threads \
        --output_dir="$place/$threads/models" --result_json="$place/$threads/result.json"
done
[ "$(results "$place"/1/out-*)" = "$(results "$place"/3/out-*)" ] ||
    complain "results depend on the number of threads"
[ "$(echo "$place"/1/models/*)" = \
    "$place/1/models/site-0.safetensors $place/1/models/site-1.safetensors" ] ||
    complain "not two models: $(ls "$place/1/models")"
for site in 0 1; do
    cmp "$place/1/models/site-$site.safetensors" "$place/3/models/site-$site.safetensors" ||
        complain "models depend on the number of threads"
done
python3 - "$place/1/result.json" <<'END' || complain "result_json: $(cat "$place/1/result.json")"
import json, sys
result = json.load(open(sys.argv[1]))
assert result["configs"] == 2 and result["accuracy"] > 0.9, result
END

# Pictures in a folder for each class, as --help offers.
python3 "$BEAM_SOURCE_DIR/tests/support/pictures.py" "$place/pictures" 8 || complain "no pictures"
succeeds per_key_training --dataset="$place/pictures" --split=all --init_weights= --classes=1 \
    --epochs=1 --batch_size=4 --result_json="$place/pictures.json"
[ "$(field "$place/pictures.json" configs)" = 2 ] || complain "not a model for each class of pictures"

refuses 1 "none.safetensors" per_key_training --init_weights="$place/none.safetensors"
refuses 2 "above 0" per_key_training --classes=0
refuses 1 "5000" per_key_training --batch_size=5000

ends
