#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Write share/digits/digits.bin from scikit-learn's copy of the UCI digits.

usage: make_digits.py SCIKIT_LEARN_WHEEL OUTPUT

The wheel is what `pip download --no-deps scikit-learn` fetches; of it, only
sklearn/datasets/data/digits.csv.gz is read: 1,797 lines of 64 pixels (0..16,
row by row) and a label.  The output holds, in the same order, one record an
image: 1 byte of label, then the 64 pixels.
"""
import gzip
import sys
import zipfile


def main(wheel, output):
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read("sklearn/datasets/data/digits.csv.gz")).decode()
    records = []
    for line in text.split():
        numbers = [int(float(n)) for n in line.split(",")]
        assert len(numbers) == 65 and max(numbers[:64]) <= 16 and numbers[64] <= 9
        records.append(bytes([numbers[64]] + numbers[:64]))
    assert len(records) == 1797
    with open(output, "wb") as f:
        f.write(b"".join(records))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
