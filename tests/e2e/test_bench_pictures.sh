#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# bench_pictures makes its pictures, runs, and reports what it should.
set -eu
program=${BEAM_BIN:?}/bench_pictures
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
assert len(rows) == 2, rows
for row in rows:
    assert set(row) == {"name", "value", "unit", "peer", "ratio"} and row["value"] > 0, row
END
