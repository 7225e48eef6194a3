#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Every program and every verb of beam tells its options, in one form: as help, as a manual page, and
# as what bash completes them with.
. "$(dirname "$0")/../support/checks.sh"
need beam
export LC_ALL=C

# helps COMMAND...: its help begins with its usage, is not too wide, and tells of --help.
helps() {
    "$bin/$@" --help >"$place/help" 2>"$place/err" || complain "$*: --help ends with $?"
    [ -s "$place/err" ] && complain "$*: --help complains: $(cat "$place/err")"
    head -n 1 "$place/help" | grep -q "^usage: $*" || complain "$*: $(head -n 1 "$place/help")"
    awk 'length($0) > 110 { print FILENAME ": " $0; bad = 1 } END { exit bad }' "$place/help" ||
        complain "$*: a line is too long"
}

# talks COMMAND...: what every command made of a table does.
talks() {
    helps "$@"
    grep -q '^  --help=man|bash|zsh' "$place/help" || complain "$*: no word of --help"
    local options option
    options=$(sed -n 's/^  --\([a-z_]*\).*/\1/p' "$place/help")
    "$bin/$@" --help=man >"$place/page" || complain "$*: --help=man ends with $?"
    "$bin/$@" --help=bash >"$place/complete" || complain "$*: --help=bash ends with $?"
    bash -n "$place/complete" || complain "$*: bash does not read its completion"
    for option in $options; do
        grep -q "^\\\\fB\\\\-\\\\-$option\\\\fR" "$place/page" || complain "$*: no --$option in the page"
        grep -q -- "--$option" "$place/complete" || complain "$*: --$option is not completed"
    done
    if [ -n "$(command -v groff)" ]; then
        groff -man -Tascii -ww "$place/page" 2>&1 >/dev/null | grep . && complain "$*: groff warns"
    fi
    "$bin/$@" --no-such-option >"$place/out" 2>"$place/err"
    [ $? = 2 ] || complain "$*: an unknown option is no error of status 2"
    grep -q -- '--no-such-option' "$place/err" || complain "$*: does not name an unknown option"
}

for program in "$bin"/*; do
    name=$(basename "$program")
    [ -x "$program" ] && [ -f "$program" ] || continue
    case $name in
    handwritten) helps handwritten ;; # a peer, which shares nothing with the library
    *) talks "$name" ;;
    esac
done
verbs=$("$bin/beam" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z-][a-z-]*\) .*/\1/p')
[ "$(echo $verbs)" = "aot cheatsheet completion copy dataflow devices quantize worker-pool" ] || complain "verbs: $verbs"
for verb in $verbs; do
    talks beam "$verb"
done

# completes WORDS LINE: what bash offers for LINE, of which the last word is begun.
completes() {
    local expected=$1
    shift
    (
        . "$place/completions"
        COMP_WORDS=("$@")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMP_LINE="$*"
        COMP_POINT=${#COMP_LINE}
        COMPREPLY=()
        "$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')" "$1" "${COMP_WORDS[COMP_CWORD]}" 2>"$place/err"
        echo "${COMPREPLY[@]}"
    ) >"$place/got"
    [ "$(cat "$place/got")" = "$expected" ] || complain "completing '$*': $(cat "$place/got"), not $expected"
    [ -s "$place/err" ] && complain "completing '$*': $(cat "$place/err")"
}
{
    "$bin/beam" completion bash
    "$bin/cpu_inference" --help=bash
} >"$place/completions"
completes "completion copy" beam co
completes "--price= --prices=" beam cheatsheet --pri
completes "f32 bf16 f16" beam aot --precision=
completes "direct dataflow" cpu_inference --runner=d
completes "prism portable" cpu_inference --split=test --runner=p
completes "--device=" cpu_inference --dev
completes "cifar10" cpu_inference --dataset=c
completes "INFO" cpu_inference --log_level=I
touch "$place/file.json"
completes "$place/file.json" beam cheatsheet "$place/fi"
completes "$place/file.json" cpu_inference "--weights=$place/fi"
"$bin/beam" completion zsh | head -n 1 | grep -q '^#compdef beam' || complain "no completion for zsh"
"$bin/beam" completion fish 2>"$place/err"
[ $? = 2 ] && grep -q 'expected bash or zsh' "$place/err" || complain "beam completion fish"

ends
