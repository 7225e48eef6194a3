# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""JPEG files to classes with PyTorch alone: a DataLoader and a loop.

Prints a line of JSON for each number of the DataLoader's processes; `seconds` are those of the
loop, without Python's imports.
"""

import argparse
import glob

import torch
from torch.utils.data import DataLoader, Dataset

import measure
import pictures


class Folder(Dataset):
    def __init__(self, files, size):
        self.files, self.size = files, size

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return pictures.load(self.files[index], self.size)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    pictures.add_options(options)
    options = options.parse_args()
    torch.set_num_threads(options.threads)
    files = sorted(glob.glob(options.input))
    for workers in (0, options.threads):
        start = measure.clock()
        model = pictures.network()
        count = 0
        with torch.inference_mode():
            for batch in DataLoader(Folder(files, options.size), batch_size=options.batch,
                                    num_workers=workers):
                count += len(model(batch.contiguous(
                    memory_format=torch.channels_last)).argmax(1).tolist())
        seconds = measure.clock() - start
        measure.emit(peer="PyTorch DataLoader", version=torch.__version__.split("+")[0],
                     workers=workers, images=count, seconds=seconds,
                     images_per_second=round(count / seconds, 2),
                     peak_rss_bytes=measure.peak_rss_bytes())


if __name__ == "__main__":
    main()
