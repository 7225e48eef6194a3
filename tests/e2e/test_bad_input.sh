#!/bin/bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Hostile weights and images: each is refused with a status, words and no output.
. "$(dirname "$0")/cpu_inference.sh"

# refuses WORDS ARGUMENTS...: ends with 1, says the words, executes and writes nothing.
refuses() {
    local words=$1
    shift
    "$program" "$@" --output="$place/refused/x" >"$place/out" 2>"$place/err"
    local got=$?
    if [ $got != 1 ] || ! grep -q -- "$words" "$place/err"; then
        echo "FAILED: $* ended with $got and not with 1 and \"$words\":"
        cat "$place/err"
        failures=$((failures + 1))
    fi
    if ls "$place"/refused/* "$place"/refused/.beam* "$place/executed" >/dev/null 2>&1; then
        echo "FAILED: $* left something"
        failures=$((failures + 1))
    fi
}

python3 - "$place" <<'END' || exit 1
import os, pickle, struct, sys, zipfile, zlib
place = sys.argv[1]

class Foreign:
    def __reduce__(self):
        return os.system, ("touch %s/executed" % place,)

with zipfile.ZipFile(place + "/foreign.pth", "w") as z:
    z.writestr("archive/data.pkl", pickle.dumps({"conv1.weight": Foreign()}, 2))
    z.writestr("archive/version", "3\n")

def safetensors(name, header, data=b""):
    with open(place + "/" + name, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + data)
safetensors("lying.safetensors",
            b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}}', b"12345678")
with open(place + "/cut.safetensors", "wb") as f:
    f.write(struct.pack("<Q", 1 << 40) + b'{"a":')

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for label in ["cats", "dogs"]:
    os.makedirs(place + "/images/" + label)
    with open(place + "/images/" + label + "/bomb.png", "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" +
                chunk(b"IHDR", struct.pack(">IIBBBBB", 1000000, 1000000, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(b"\0" * 1000000)) + chunk(b"IEND", b""))
END

refuses "system" --dataset=digits --weights="$place/foreign.pth"
refuses "lying.safetensors" --dataset=digits --weights="$place/lying.safetensors"
refuses "cut.safetensors" --dataset=digits --weights="$place/cut.safetensors"
# Without weights a network of random ones runs, whose labels nobody wants: no --output here.
"$program" --dataset="$place/images" --split=all --model=resnet18 >"$place/out" 2>"$place/err"
if [ $? != 1 ] || ! grep -q "bomb.png" "$place/err"; then
    echo "FAILED: a PNG bomb:"
    cat "$place/err"
    failures=$((failures + 1))
fi

ends
