# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# A data set of pictures: pictures.py FOLDER N makes a folder for each of two classes there, with N
# PNG files of 32 by 32 pixels in it, no two alike.
import os
import struct
import sys
import zlib

SIZE = 32


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(first):
    rows = b"".join(b"\0" + bytes((x * 7 + y * first + first) % 256 for x in range(3 * SIZE)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


folder, count = sys.argv[1], int(sys.argv[2])
for label in range(2):
    os.makedirs(os.path.join(folder, str(label)))
    for i in range(count):
        with open(os.path.join(folder, str(label), "%d.png" % i), "wb") as f:
            f.write(png(99 * label + i))
