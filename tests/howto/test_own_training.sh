#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What docs/howto/own-training-jax.md tells: the step is exported anew, JAX's losses are those that
# the default tests compare with, and the trainer drives it. JAX is large, so this runs in
# ./check --long only.
set -u
if [ -z "${BEAM_LONG-}" ]; then
    echo "only in ./check --long"
    exit 77
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
venv=${BEAM_EXPORT_VENV:-$("$BEAM_SOURCE_DIR/scripts/deps" venv export)} || exit 1
for script in jax_model jax_training; do
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$BEAM_SOURCE_DIR/tools/export/$script.py" \
        "$place" >"$place/log" 2>&1 || { cat "$place/log"; exit 1; }
done
python3 - "$place/losses.txt" "$BEAM_SOURCE_DIR/tests/ml/models/losses.txt" <<'PYTHON' || exit 1
import sys
now, kept = ([line.split() for line in open(name)] for name in sys.argv[1:])
assert len(now) == len(kept) == 20
for (a, hits), (b, wanted) in zip(now, kept):
    assert abs(float(a) - float(b)) < 1e-4 * float(b) and hits == wanted, (a, b, hits, wanted)
PYTHON
BEAM_STEP_MODELS=$place "$BEAM_SOURCE_DIR/tests/e2e/test_jax_training.sh"
