#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Rows that a libbeam pipeline wrote are read by Python's Beam with the coders of that pipeline, and
# the other way round.  Takes minutes to install, so it runs where BEAM_LONG is 1.
set -u
exchange=${BEAM_BIN:?}/../tests/test_rows_exchange
skip() {
    echo "$*: nothing to test"
    exit 77
}
[ "${BEAM_LONG:-}" = 1 ] || skip "BEAM_LONG is not 1"
[ -x "$exchange" ] || skip "$exchange is not built"
python=$("${BEAM_SOURCE_DIR:?}/scripts/deps" venv beam)/bin/python || exit 1

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/ours" "$place/theirs"
"$exchange" write "$place/ours" &&
    "$python" "$BEAM_SOURCE_DIR/tests/rows/exchange.py" "$place/ours" "$place/theirs" &&
    "$exchange" read "$place/theirs"
