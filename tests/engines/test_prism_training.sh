#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Training on Prism in each environment: the same models, to the bit, as on the direct runner.
. "$(dirname "$0")/common.sh"
need tpu_training parallel_training beam
need_prism
makes_machine
opens_pool
external=(--environment_type=EXTERNAL --environment_config="$pool")
process=(--environment_type=PROCESS --environment_config="$place/machine/beam")

trains loopback --runner=prism
trains process --runner=prism "${process[@]}"
trains external --runner=prism "${external[@]}"
sweeps loopback --runner=prism --report="$place/page.html"
grep -q '"history":\[{"experiment_id"' "$place/page.html" || complain "Prism brings no curves home"
sweeps process --runner=prism "${process[@]}"
sweeps external --runner=prism "${external[@]}"

ends
