# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Images/s of PyTorch in training ResNet-18, torchvision's layout, with Adam on the CPU or with
--device=cuda a GPU, which is given each batch from pinned memory.

Prints one line of JSON for each memory layout, and with --compile one for the compiler on the
better of them (which needs a C++ compiler).  The weights are random; bf16 is autocast, as PyTorch
recommends.
"""

import torch
from torch import nn

import measure
from pytorch_throughput import exact_f32, host_images, resnet18


def trainer(model, images, labels, device, bf16):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        x, y = (t.to(device, non_blocking=True) for t in (images, labels))
        with torch.autocast(device, dtype=torch.bfloat16, enabled=bf16):
            loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def run(seconds):
        calls, start = 0, measure.clock()
        while measure.clock() - start < seconds:
            step()
            calls += 1
        return calls * len(images), measure.clock() - start
    return run


def main():
    parser = measure.throughput_options("ResNet-18 training with PyTorch")
    parser.add_argument("--compile", action="store_true", help="torch.compile, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    exact_f32()
    bf16 = options.precision == "bf16"
    layouts = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    rates = {}

    def measured(mode, layout, compiled):
        model = resnet18(options.classes).train().to(options.device)
        model = model.to(memory_format=layouts[layout])
        images = host_images(options).contiguous(memory_format=layouts[layout])
        labels = torch.arange(options.batch) % options.classes
        if options.device != "cpu":
            images, labels = images.pin_memory(), labels.pin_memory()
        run = trainer(torch.compile(model) if compiled else model, images, labels, options.device,
                      bf16)
        rate = measure.best_window(run, options.windows, options.seconds)
        measure.emit(peer="PyTorch", version=torch.__version__.split("+")[0], model="resnet18",
                     mode=mode, layout=layout, batch=options.batch, size=options.size,
                     precision=options.precision, threads=options.threads,
                     images_per_second=round(rate, 2))
        return rate

    for layout in layouts:
        rates[layout] = measured("eager", layout, False)
    if options.compile:
        measured("compile", max(rates, key=rates.get), True)


if __name__ == "__main__":
    main()
