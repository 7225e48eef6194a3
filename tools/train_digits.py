#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Train libbeam's small_cnn on the digits and write its weights as safetensors.

usage: train_digits.py share/digits/digits.bin share/digits/digits-cnn.safetensors

Needs JAX (made with jax 0.10.2 and numpy 2.4.6, on a CPU); half a minute on
two cores.  The same versions on the same machine write the same bytes.

The network is nn.h's small_cnn: conv1..conv4 (3x3, padding 1, no bias; 32, 32,
64 and 64 channels), each with batch norm and ReLU, a 2x2 max pooling behind the
second, global average pooling, fc.  An image's pixels are divided by 16.  Every
fifth image (index 4, 9, 14, ...) is a test image and is not trained on.
"""
import json
import struct
import sys

import jax
import jax.numpy as jnp
import numpy as np

CHANNELS = [1, 32, 32, 64, 64]
EPOCHS, BATCH, RATE, DECAY, SMOOTHING = 40, 64, 2e-3, 1e-3, 0.05
MOMENTUM, EPSILON = 0.1, 1e-5  # of batch norm, PyTorch's


def load(path):
    records = np.fromfile(path, np.uint8).reshape(-1, 65)
    images = records[:, 1:].reshape(-1, 1, 8, 8).astype(np.float32) / 16
    labels = records[:, 0].astype(np.int32)
    test = np.arange(len(labels)) % 5 == 4
    return images[~test], labels[~test], images[test], labels[test]


def new_network(rng):
    learnt, measured = {}, {}
    for i in range(1, 5):
        out, inner = CHANNELS[i], CHANNELS[i - 1]
        deviation = np.sqrt(2 / (out * 9))
        learnt[f"conv{i}.weight"] = rng.normal(0, deviation, (out, inner, 3, 3))
        learnt[f"bn{i}.weight"] = np.ones(out)
        learnt[f"bn{i}.bias"] = np.zeros(out)
        measured[f"bn{i}.running_mean"] = np.zeros(out)
        measured[f"bn{i}.running_var"] = np.ones(out)
    learnt["fc.weight"] = rng.uniform(-1 / 8, 1 / 8, (10, 64))
    learnt["fc.bias"] = np.zeros(10)
    f32 = lambda tree: {k: jnp.asarray(v, jnp.float32) for k, v in tree.items()}
    return f32(learnt), f32(measured)


def forward(learnt, measured, x, training):
    new = {}
    for i in range(1, 5):
        x = jax.lax.conv_general_dilated(x, learnt[f"conv{i}.weight"], (1, 1), "SAME")
        mean, var = measured[f"bn{i}.running_mean"], measured[f"bn{i}.running_var"]
        if training:
            n = x.shape[0] * x.shape[2] * x.shape[3]
            batch_mean, batch_var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            new[f"bn{i}.running_mean"] = mean + MOMENTUM * (batch_mean - mean)
            new[f"bn{i}.running_var"] = var + MOMENTUM * (batch_var * n / (n - 1) - var)
            mean, var = batch_mean, batch_var
        scale = learnt[f"bn{i}.weight"] / jnp.sqrt(var + EPSILON)
        shift = learnt[f"bn{i}.bias"] - mean * scale
        x = jax.nn.relu(x * scale[:, None, None] + shift[:, None, None])
        if i == 2:
            x = x.reshape(x.shape[0], x.shape[1], 4, 2, 4, 2).max((3, 5))
    return x.mean((2, 3)) @ learnt["fc.weight"].T + learnt["fc.bias"], new


def loss_of(learnt, measured, x, y):
    logits, new = forward(learnt, measured, x, True)
    target = jax.nn.one_hot(y, 10) * (1 - SMOOTHING) + SMOOTHING / 10
    return -(target * jax.nn.log_softmax(logits)).sum(1).mean(), new


@jax.jit
def step(learnt, measured, first, second, t, rate, x, y):
    """One step of Adam with decoupled weight decay."""
    (loss, measured), grads = jax.value_and_grad(loss_of, has_aux=True)(learnt, measured, x, y)
    first = {k: 0.9 * first[k] + 0.1 * g for k, g in grads.items()}
    second = {k: 0.999 * second[k] + 0.001 * g * g for k, g in grads.items()}
    learnt = {k: w - rate * (first[k] / (1 - 0.9**t) /
                             (jnp.sqrt(second[k] / (1 - 0.999**t)) + 1e-8) + DECAY * w)
              for k, w in learnt.items()}
    return learnt, measured, first, second, loss


def shifted(rng, x):
    """Each image moved by up to one pixel each way."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moves = rng.choice([0, 1, 1, 2], (len(x), 2))
    return np.stack([p[:, a:a + 8, b:b + 8] for p, (a, b) in zip(padded, moves)])


def accuracy(learnt, measured, x, y):
    logits, _ = forward(learnt, measured, jnp.asarray(x), False)
    return float((np.asarray(logits).argmax(1) == y).mean())


def save(path, tensors, notes):
    header, data = {"__metadata__": notes}, b""
    for name, value in tensors.items():
        value = np.asarray(value, "<f4")
        header[name] = {"dtype": "F32", "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def main(data, output):
    train_x, train_y, test_x, test_y = load(data)
    rng = np.random.default_rng(7)
    learnt, measured = new_network(rng)
    first = {k: jnp.zeros_like(v) for k, v in learnt.items()}
    second = dict(first)
    steps = len(train_y) // BATCH
    t = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(train_y))
        for i in range(steps):
            pick = order[i * BATCH:(i + 1) * BATCH]
            rate = RATE * 0.5 * (1 + np.cos(np.pi * t / (EPOCHS * steps)))
            t += 1
            learnt, measured, first, second, loss = step(
                learnt, measured, first, second, t, rate, shifted(rng, train_x[pick]),
                train_y[pick])
        print(f"epoch {epoch + 1}: loss {float(loss):.4f}", flush=True)
    reached = accuracy(learnt, measured, test_x, test_y)
    print(f"{reached:.4f} of {len(test_y)} test images right")
    save(output, {**learnt, **measured}, {
        "format": "pt", "network": "small_cnn, 1x8x8 input, 10 classes", "input": "pixel / 16",
        "data": "UCI optical digits, every image but each fifth",
        "accuracy": f"{reached:.4f} on the test split", "made_by": "tools/train_digits.py"})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
