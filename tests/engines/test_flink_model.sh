#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The Beam model on Flink, as test_prism_model.sh has it on Prism.
. "$(dirname "$0")/common.sh"
need_long flink-local "$0"
patience=${BEAM_ENGINE_PATIENCE:-900}
. "$root/tests/engines/model.sh"

runs_model flink
ends
