# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""What the peers that classify JPEG files share: a picture as a tensor, and the network."""

import os
import tempfile

import numpy
import torch
from PIL import Image

import pytorch_throughput

MEAN = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
DEVIATION = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)


def add_options(options):
    options.add_argument("--input", required=True, help="a pattern of JPEG files")
    options.add_argument("--size", type=int, default=224, help="height and width of the network's")
    options.add_argument("--batch", type=int, default=64, help="most pictures at once")
    options.add_argument("--threads", type=int, default=2)


def load(path, size):
    """Resized to cover size x size, cut in the middle, normalised: as torchvision's does it."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    width, height = image.size
    if (width, height) != (size, size):
        scale = size / min(width, height)
        image = image.resize((max(size, int(width * scale)), max(size, int(height * scale))),
                             Image.Resampling.BILINEAR)
        left, top = (image.width - size) // 2, (image.height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)
    return (pixels / 255.0 - MEAN) / DEVIATION


def network():
    torch.manual_seed(1)
    return pytorch_throughput.resnet18(1000).eval().to(memory_format=torch.channels_last)


def write_weights(module):
    handle, path = tempfile.mkstemp(suffix=".pt")
    os.close(handle)
    torch.save(module.state_dict(), path)
    return path


def remove(path):
    os.unlink(path)
