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

# A result file, a page with a table of it, and a figure in words.
plant_figures() {
    plant
    cp "$BEAM_SOURCE_DIR/scripts/write-figures" scripts/
    mkdir -p docs/results/bench
    printf '[{"name": "n, jobs", "value": %s, "unit": "jobs/s", "peer": "X", "ratio": 0.5}]\n' 123.4 \
        >docs/results/bench/n.json
    echo '| [n](bench/n.json) | `bench_n --result_json=FILE` |' >docs/results/README.md
    echo 'docs/page.md | half of {:.2f} is | bench/n | ratio n, jobs [jobs/s]' >docs/results/figures.txt
    printf 'The half\nof 0.50 is.\n<!-- table bench/n%s -->\n<!-- end of table -->\n' "${1:-}" >docs/page.md
}
# says REGEX WHAT: docs/page.md has such a line.
says() {
    grep -q "$1" docs/page.md || {
        echo "write-figures: no $2"
        cat docs/page.md
        failures=$((failures + 1))
    }
}

plant_figures
expect fail figures "a table that is not written yet"
scripts/write-figures >/dev/null
expect pass figures "a table as written"
says '^| n, jobs | jobs/s | 123 | 0.50 |$' "a line a row"
sed -i 's/| 123 /| 124 /' docs/page.md
expect fail figures "a table with another figure"
scripts/write-figures >/dev/null
sed -i 's/123.4/234.5/; s/0.5}/0.625}/' docs/results/bench/n.json
expect fail figures "a file measured anew"
scripts/write-figures >/dev/null
expect pass figures "its pages, rewritten"
says '^of 0.62 is' "a figure in words, rewritten"
cp docs/results/bench/n.json docs/results/bench/m.json
expect fail figures "a file without its command"
plant_figures ' across'
scripts/write-figures >/dev/null
says '^| n | 123 (0.50 of X) |$' "a column a measure"
sed -i '$d' docs/page.md
expect fail figures "a table without its end"

# Files of one run each.
plant_figures
mkdir docs/results/set
for n in 1 2; do
    echo "{\"bytes\": ${n}500, \"history\": [{\"loss\": 0.$n}]}" >docs/results/set/$n.json
    echo "| [set/$n](set/$n.json) | \`train --steps=$n --result_json=FILE\` |" >>docs/results/README.md
done
echo 'docs/page.md | a loss of {:.1f}. | set/2 | history.0.loss' >>docs/results/figures.txt
printf '%s\n' 'It has a loss of 0.3.' '<!-- table set/*: size, kB {:.1f} bytes / 1e3; loss {:.2f} history.0.loss -->' \
    '<!-- end of table -->' >>docs/page.md
scripts/write-figures >/dev/null
expect pass figures "a table of runs"
says '^| \[`--steps=2`\](results/set/2.json) | 2.5 | 0.20 |$' "a line a file"
says '^It has a loss of 0.2.$' "a figure within a list"

exit $((failures > 0))
