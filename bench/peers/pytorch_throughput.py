# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Images/s of PyTorch on ResNet-18, torchvision's layout, on the CPU or with --device=cuda a GPU.

Prints one line of JSON for "eager", in the channels-last layout that suits both, and with
--compile one for "compile" (which needs a C++ compiler).  The weights are random.  A GPU is given
each batch from pinned memory and its logits are brought back; f32 is f32 there, not TF32.
"""

import torch
from torch import nn

import measure


class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False),
                                            nn.BatchNorm2d(out))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet18(classes):
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
              nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for layer, out in enumerate((64, 128, 256, 512)):
        layers += [Block(channels, out, 2 if layer else 1), Block(out, out, 1)]
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


def exact_f32():
    """Without TF32, which PyTorch else takes for convolutions on a GPU."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True


def host_images(options, dtype=torch.float32):
    images = torch.randn(options.batch, 3, options.size, options.size).to(dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    return images if options.device == "cpu" else images.pin_memory()


def runner(model, images, device):
    def call():
        return model(images.to(device, non_blocking=True)).cpu()

    def run(seconds):
        calls, start = 0, measure.clock()
        while measure.clock() - start < seconds:
            call()
            calls += 1
        return calls * len(images), measure.clock() - start

    return run


def main():
    parser = measure.throughput_options("ResNet-18 inference with PyTorch")
    parser.add_argument("--compile", action="store_true", help="torch.compile, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    exact_f32()
    start = measure.clock()
    model = resnet18(options.classes).eval().to(options.device, dtype)
    model = model.to(memory_format=torch.channels_last)
    load = measure.clock() - start
    images = host_images(options, dtype)
    with torch.inference_mode():
        for mode in ("eager", "compile") if options.compile else ("eager",):
            if mode == "compile":
                model = torch.compile(model)
                start = measure.clock()
                model(images.to(options.device))
                load = measure.clock() - start
            run = runner(model, images, options.device)
            rate = measure.best_window(run, options.windows, options.seconds)
            measure.emit(peer="PyTorch", version=torch.__version__.split("+")[0],
                         model="resnet18", mode=mode, batch=options.batch, size=options.size,
                         precision=options.precision, threads=options.threads,
                         images_per_second=round(rate, 2), load_seconds=round(load, 3),
                         peak_rss_bytes=measure.peak_rss_bytes())


if __name__ == "__main__":
    main()
