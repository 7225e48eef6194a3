#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The conformance suite on Flink: what fails there is what the list says.
. "$(dirname "$0")/../engines/common.sh"
need_long flink-local "$0"
[ -x "$bin/../tests/test_conformance_suite" ] || skip "the suite is not built"
"$root/tests/conformance/run" --build "$bin/.." flink || complain "see above"
ends
