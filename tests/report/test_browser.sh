#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The report page in a headless Chromium: of runs that ended, of one that goes on, of a hostile one.
set -u
bin=${BEAM_BIN:?}
for program in wordcount cpu_inference parallel_training ../tests/test_app_page; do
    [ -x "$bin/$program" ] || { echo "$bin/$program is not built: nothing to test"; exit 77; }
done
for program in chromium chromedriver python3; do
    [ -n "$(command -v $program)" ] ||
        { echo "there is no $program (./check installs it): nothing to test"; exit 77; }
done
export LC_ALL=C BEAM_SHARE_DIR=${BEAM_SOURCE_DIR:?}/share
unset BEAM_DATA_DIR
# What a sanitizer tells of children is not for the browser.
exec env -u ASAN_OPTIONS -u LSAN_OPTIONS python3 "${BEAM_SOURCE_DIR:?}/tests/report/pages.py"
