# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What the tests of cpu_inference begin with: $program, a folder $place that goes at the end, the
# shipped data, and no way to download anything, whatever is in the cache of whoever runs this.
. "$(dirname "${BASH_SOURCE[0]}")/../support/checks.sh"
need cpu_inference
program=$bin/cpu_inference
export BEAM_SHARE_DIR=$root/share
export BEAM_CACHE=$place/cache http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9
unset BEAM_DATA_DIR
