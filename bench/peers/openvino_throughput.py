# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Images/s of OpenVINO's own Python interface on ResNet-18, torchvision's layout.

    openvino_throughput.py --batch=256 --size=32 --precision=bf16

prints one line of JSON for each way to run it: "throughput" (one stream a thread, asynchronous
requests, OpenVINO's advice for images/s) and "latency" (all threads on one call).  The better one
is the peer's figure.  The network is built here from OpenVINO's operations, with batch norms,
which OpenVINO folds itself; its weights are random, or those of --weights, a safetensors or .npz
file with torchvision's names: the speed does not depend on them.
"""

import json
import sys

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.properties import hint, inference_num_threads, num_streams

import measure


def read_safetensors(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
    return tensors


class Weights:
    """Tensors by name; made up, as for training from scratch, when there is no file."""

    def __init__(self, path):
        self.random = np.random.default_rng(1)
        self.tensors = None
        if path:
            self.tensors = dict(np.load(path)) if path.endswith(".npz") else read_safetensors(path)

    def get(self, name, shape):
        if self.tensors is not None:
            if name not in self.tensors or self.tensors[name].shape != tuple(shape):
                sys.exit(f"the weights have no tensor {name} of shape {list(shape)}")
            return np.ascontiguousarray(self.tensors[name], np.float32)
        if len(shape) == 1:
            return np.full(shape, 1.0 if name.endswith(("weight", "var")) else 0.0, np.float32)
        scale = np.sqrt(2.0 / np.prod(shape[1:]))
        return (self.random.standard_normal(shape) * scale).astype(np.float32)


class Builder:
    def __init__(self, weights):
        self.weights = weights

    def conv_bn(self, x, conv, bn, channels, out, kernel, stride, pad):
        filters = self.weights.get(conv + ".weight", (out, channels, kernel, kernel))
        x = ops.convolution(x, ops.constant(filters), [stride] * 2, [pad] * 2, [pad] * 2, [1] * 2)
        parts = [self.weights.get(f"{bn}.{part}", (out,))
                 for part in ("weight", "bias", "running_mean", "running_var")]
        return ops.batch_norm_inference(x, *map(ops.constant, parts), 1e-5)

    def block(self, x, name, channels, out, stride):
        y = ops.relu(self.conv_bn(x, f"{name}.conv1", f"{name}.bn1", channels, out, 3, stride, 1))
        y = self.conv_bn(y, f"{name}.conv2", f"{name}.bn2", out, out, 3, 1, 1)
        if stride != 1 or channels != out:
            x = self.conv_bn(x, f"{name}.downsample.0", f"{name}.downsample.1", channels, out, 1,
                             stride, 0)
        return ops.relu(ops.add(y, x))

    def resnet18(self, batch, size, classes):
        image = ops.parameter([batch, 3, size, size], np.float32, name="images")
        x = ops.relu(self.conv_bn(image, "conv1", "bn1", 3, 64, 7, 2, 3))
        x = ops.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
        channels = 64
        for layer, out in enumerate((64, 128, 256, 512), start=1):
            for block in range(2):
                stride = 2 if layer > 1 and block == 0 else 1
                x = self.block(x, f"layer{layer}.{block}", channels, out, stride)
                channels = out
        x = ops.reduce_mean(x, ops.constant(np.array([2, 3], np.int64)))
        matrix = ops.constant(self.weights.get("fc.weight", (classes, 512)))
        bias = ops.constant(self.weights.get("fc.bias", (classes,)))
        return ov.Model([ops.add(ops.matmul(x, matrix, False, True), bias)], [image], "resnet18")


def quantize(model, images):
    """int8 by OpenVINO's own tool with its defaults, calibrated with what the network will be fed."""
    import nncf

    samples = [images[i : i + 1] for i in range(min(len(images), 32))]
    shape = list(model.inputs[0].shape)
    model.reshape([1] + shape[1:])
    quantized = nncf.quantize(model, nncf.Dataset(samples), subset_size=len(samples))
    quantized.reshape(shape)
    return quantized


def compile_model(core, model, mode, options):
    config = {
        hint.inference_precision: ov.Type.bf16 if options.precision == "bf16" else ov.Type.f32,
        inference_num_threads: options.threads,
        num_streams: options.threads if mode == "throughput" else 1,
    }
    return core.compile_model(model, "CPU", config)


def synchronous(compiled, images):
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(images))

    def run(seconds):
        calls, start = 0, measure.clock()
        while measure.clock() - start < seconds:
            request.infer()
            calls += 1
        return calls * len(images), measure.clock() - start

    return run


def asynchronous(compiled, images, requests):
    queue = ov.AsyncInferQueue(compiled, requests)
    for request in queue:
        request.set_input_tensor(ov.Tensor(images.copy()))

    def run(seconds):
        calls, start = 0, measure.clock()
        while measure.clock() - start < seconds:
            queue.start_async(share_inputs=True)
            calls += 1
        queue.wait_all()
        return calls * len(images), measure.clock() - start

    return run


def main():
    parser = measure.throughput_options("ResNet-18 inference with OpenVINO",
                                       ("f32", "bf16", "int8"))
    parser.add_argument("--weights", help="safetensors or .npz; random ones without it")
    parser.add_argument("--mode", choices=("throughput", "latency", "both"), default="both")
    options = parser.parse_args()
    model = Builder(Weights(options.weights)).resnet18(options.batch, options.size, options.classes)
    shape = (options.batch, 3, options.size, options.size)
    images = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    if options.precision == "int8":
        model = quantize(model, images)
    core = ov.Core()
    modes = ("throughput", "latency") if options.mode == "both" else (options.mode,)
    for mode in modes:
        start = measure.clock()
        compiled = compile_model(core, model, mode, options)
        load = measure.clock() - start
        if mode == "throughput":
            run = asynchronous(compiled, images, 2 * options.threads)
        else:
            run = synchronous(compiled, images)
        rate = measure.best_window(run, options.windows, options.seconds)
        measure.emit(peer="OpenVINO", version=ov.__version__.split("-")[0], model="resnet18",
                     mode=mode, batch=options.batch, size=options.size,
                     precision=options.precision, threads=options.threads,
                     images_per_second=round(rate, 2), load_seconds=round(load, 3),
                     peak_rss_bytes=measure.peak_rss_bytes())


if __name__ == "__main__":
    main()
