#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The Beam model on Prism: pipelines of tests/pipeline, whose checks are in the pipelines
# themselves, run there instead of on the direct runner.
. "$(dirname "$0")/common.sh"
need_prism
. "$root/tests/engines/model.sh"

runs_model prism random random_graphs
ends
