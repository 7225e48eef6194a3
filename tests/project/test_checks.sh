#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# The checks of the sources find what they are there to find: each is run over a small tree of its
# own that is clean, and then over the same tree with one thing wrong.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
licence='/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */'
failures=0

# A tree that passes all the checks.
plant() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/cmake" "$work/tree/docs" "$work/tree/include/beam" "$work/tree/scripts" \
        "$work"/tree/src/{base,nn,device} "$work"/tree/{examples,tests,tools,bench,fuzz}
    cd "$work/tree"
    cp "$BEAM_SOURCE_DIR"/scripts/check-* scripts/
    cp "$BEAM_SOURCE_DIR/cmake/layers.txt" cmake/
    cp "$BEAM_SOURCE_DIR/.clang-format" .
    printf '%s\nint beam_a(int a);\n' "$licence" >include/beam/a.h
    printf '%s\n#include <beam/a.h>\n#include "base/b.h"\n' "$licence" >src/nn/nn.c
    printf '%s\nint beam_b(void);\n' "$licence" >src/base/b.h
    printf '%s\n#include "nn/nn.h"\n' "$licence" >src/device/device.c
    printf 'See [the header](include/beam/a.h).\n' >README.md
}

# expect pass|fail CHECK WHAT
expect() {
    local got=pass
    scripts/check-"$2" >"$work/out" 2>&1 || got=fail
    if [ "$got" != "$1" ]; then
        echo "check-$2 should $1: $3"
        cat "$work/out"
        failures=$((failures + 1))
    fi
}

plant
for check in layers headers hygiene docs; do
    expect pass "$check" "a clean tree"
done
have_format=$(command -v clang-format-14 || true)
[ -z "$have_format" ] || expect pass format "a clean tree"

plant
echo '#include "device/device.h"' >>src/nn/nn.c
expect fail layers "nn includes device"
plant
echo '#include "nn.h"' >>src/nn/nn.c
expect fail layers "an include without its room"
plant
echo '#include "../base/b.h"' >>include/beam/a.h
expect fail layers "a public header reaches into src"
plant
mkdir src/attic
printf '#include "base/b.h"\n' >src/attic/a.c
expect fail layers "a room that the table does not know"

plant
echo 'size_t beam_c(void);' >>include/beam/a.h
expect fail headers "a header that needs another one first"
plant
echo 'int beam_new(int new);' >>include/beam/a.h
expect fail headers "a header that is no C++"

plant
printf '/* %s: later */\n' TO'DO' >>src/nn/nn.c
expect fail hygiene "an unfinished mark"
plant
printf '/* see %s */\n' /ro'ot/notes' >>src/nn/nn.c
expect fail hygiene "a folder of one machine"
plant
echo 'int beam_x;' >src/nn/x.c
expect fail hygiene "no licence line"
plant
printf 'int beam_x; \n' >>src/nn/nn.c
expect fail hygiene "a trailing blank"

plant
echo 'And [this](docs/gone.md).' >>README.md
expect fail docs "a link to nowhere"
plant
echo 'Run `build/bin/gone`.' >>README.md
expect fail docs "a program that is not built"
plant
printf '<!-- from include/beam/a.h -->\n```\nint beam_a(int a);\n```\n' >>README.md
expect pass docs "a quotation"
printf '<!-- from include/beam/a.h -->\n```\nint beam_a(int b);\n```\n' >>README.md
expect fail docs "a quotation that is not in the file"

if [ -n "$have_format" ]; then
    plant
    echo 'int  beam_c;' >>src/nn/nn.c
    expect fail format "two blanks"
fi

exit $((failures > 0))
