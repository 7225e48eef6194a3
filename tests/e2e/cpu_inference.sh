# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What the tests of cpu_inference begin with: $program, a folder $place that goes at the end, the
# shipped data, and no way to download anything, whatever is in the cache of whoever runs this.
set -u
program=${BEAM_BIN:?}/cpu_inference
if [ ! -x "$program" ]; then
    echo "$program is not built: nothing to test"
    exit 77 # skipped
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export BEAM_SHARE_DIR=${BEAM_SOURCE_DIR:?}/share
export BEAM_CACHE=$place/cache http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9
unset BEAM_DATA_DIR
failures=0
