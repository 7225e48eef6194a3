#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What runs on machines with a GPU or a TPU runs here on the CPU, and refuses a device that is not there.
set -u
bin=${BEAM_BIN:?}
for program in gpu_inference tpu_training parallel_training; do
    [ -x "$bin/$program" ] || { echo "$bin/$program is not built: nothing to test"; exit 77; }
done
export BEAM_SHARE_DIR=${BEAM_SOURCE_DIR:?}/share
"$BEAM_SOURCE_DIR/tools/run-integration" cpu "$(dirname "$bin")" || exit 1
if [ ! -e /dev/accel0 ] && [ ! -e /dev/vfio/0 ]; then
    "$BEAM_SOURCE_DIR/tools/run-integration" tpu "$(dirname "$bin")" && exit 1
fi
exit 0
