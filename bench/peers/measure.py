# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""What the peers' scripts share: options, timed windows, peak memory, a line of JSON a result."""

import argparse
import json
import time


def throughput_options(description, precisions=("f32", "bf16")):
    """The options of the scripts that measure ResNet-18; one result line has the same fields."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--batch", type=int, default=32, help="images a call")
    options.add_argument("--size", type=int, default=224, help="height and width of an image")
    options.add_argument("--classes", type=int, default=1000)
    options.add_argument("--precision", choices=precisions, default="f32")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--device", default="cpu", help="PyTorch's name of it: cpu, cuda")
    options.add_argument("--windows", type=int, default=3, help="the best of so many counts")
    options.add_argument("--seconds", type=float, default=2.0, help="length of a window")
    return options


def best_window(run, windows, seconds):
    """Calls run(seconds) -> (images, seconds taken), first to warm up; the best images/s."""
    run(seconds / 4)
    best = 0.0
    for _ in range(windows):
        images, taken = run(seconds)
        best = max(best, images / taken)
    return best


def peak_rss_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def clock():
    return time.perf_counter()


def emit(**fields):
    print(json.dumps(fields), flush=True)
