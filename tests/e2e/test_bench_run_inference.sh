#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# bench_run_inference runs, and reports what it should: one copy of a model, however many threads.
set -eu
program=${BEAM_BIN:?}/bench_run_inference
if [ ! -x "$program" ]; then
    echo "$program is not built: nothing to test"
    exit 77 # skipped
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
BEAM_CACHE=$place "$program" --quick --result_json="$place/result.json"
python3 - "$place/result.json" <<'END'
import json, sys
rows = json.load(open(sys.argv[1]))
assert len(rows) == 8, rows
assert all(row["value"] > 0 for row in rows), rows
assert [row["value"] for row in rows if row["unit"] == "loads"] == [1, 1, 1], rows
END
