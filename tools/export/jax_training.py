#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Write a training step in JAX as StableHLO for libbeam: docs/howto/own-training-jax.md.

usage: jax_training.py FOLDER [STEPS]

As a script it writes a step for batches of 32 of the digits (8x8, grey) with Adam, which keeps a
moving average of weights too: digits.step.stablehlo and .mlir, digits.b64.stablehlo and .mlir (the
classifier), digits.safetensors, and losses.txt: loss and hits that JAX has in the first STEPS steps
(20) on batches of noise.  For a step of your own call export_step() below.
"""
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export
from safetensors.numpy import save_file

from jax_model import names_of


def write(jitted, arguments, prefix):
    """The module as text and as portable bytecode."""
    jax.config.update("jax_hlo_source_file_canonicalization_regex", ".*/")
    with open(f"{prefix}.mlir", "w") as f:
        f.write(jitted.lower(*arguments).as_text())
    with open(f"{prefix}.stablehlo", "wb") as f:
        f.write(jax_export.export(jitted)(*arguments).mlir_module_serialized)


def export_step(step, classify, weights, kept, shape, batch_size, test_batch, prefix):
    """Writes what libbeam's trainer drives.

    step(weights, kept, images, labels, learning_rate, step) -> (weights, kept, loss, correct)
    classify(weights, images) -> logits

    weights, kept: trees of f32 and i32 arrays; their leaves are the states, named by their paths
    (those of kept with "kept." before).  shape: an image's.  Weights are what classify takes.
    """
    image = lambda batch: jax.ShapeDtypeStruct((batch, *shape), jnp.float32)
    number = lambda dtype: jax.ShapeDtypeStruct((), dtype)
    # The states are given away: their memory is the new ones'.
    jitted = jax.jit(step, keep_unused=True, donate_argnums=(0, 1))
    write(jitted, (weights, kept, image(batch_size), jax.ShapeDtypeStruct((batch_size,), jnp.int32),
                   number(jnp.float32), number(jnp.int32)), f"{prefix}.step")
    write(jax.jit(classify, keep_unused=True), (weights, image(test_batch)),
          f"{prefix}.b{test_batch}")
    names = names_of(weights)
    states = names + ["kept." + name for name in names_of(kept)]
    leaves = jax.tree_util.tree_leaves((weights, kept))
    save_file({name: np.asarray(leaf) for name, leaf in zip(states, leaves)},
              f"{prefix}.safetensors",
              metadata={"step_arguments": "\n".join([*states, "images", "labels", "learning_rate",
                                                     "step"]),
                        "step_results": "\n".join([*states, "loss", "correct"]),
                        "arguments": "\n".join([*names, "images"])})


# ---- A step: two convolutions, a matrix, Adam ----------------------------------------------------


def classify(weights, x):
    """Images {batch, 1, 8, 8}, normalised."""
    with jax.default_matmul_precision("highest"):
        for layer in ("conv1", "conv2"):
            x = jax.lax.conv(x, weights[layer]["weight"], (1, 1), "SAME")
            x = jax.nn.relu(x + weights[layer]["bias"][:, None, None])
        x = x.reshape(*x.shape[:2], 4, 2, 4, 2).mean((3, 5))
        return x.reshape(x.shape[0], -1) @ weights["fc"]["weight"] + weights["fc"]["bias"]


def step(weights, kept, images, labels, learning_rate, number):
    def loss_of(weights):
        logits = classify(weights, images)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -chosen.mean(), (logits.argmax(1) == labels).sum().astype(jnp.int32)

    (loss, correct), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
    update = jax.tree_util.tree_map
    m = update(lambda m, g: 0.9 * m + 0.1 * g, kept["m"], gradients)
    v = update(lambda v, g: 0.999 * v + 0.001 * g * g, kept["v"], gradients)
    at = number.astype(jnp.float32)
    rate = learning_rate * jnp.sqrt(1 - 0.999 ** at) / (1 - 0.9 ** at)
    weights = update(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), weights, m, v)
    return weights, {"m": m, "v": v, "steps": kept["steps"] + 1}, loss, correct


def main(folder, steps):
    numbers = np.random.default_rng(1)
    draw = lambda *shape: numbers.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
    weights = {"conv1": {"weight": draw(8, 1, 3, 3), "bias": np.zeros(8, np.float32)},
               "conv2": {"weight": draw(16, 8, 3, 3), "bias": np.zeros(16, np.float32)},
               "fc": {"weight": draw(10, 256).T.copy(), "bias": np.zeros(10, np.float32)}}
    zeros = jax.tree_util.tree_map(np.zeros_like, weights)
    kept = {"m": zeros, "v": zeros, "steps": np.zeros((), np.int32)}
    export_step(step, classify, weights, kept, (1, 8, 8), 32, 64, os.path.join(folder, "digits"))
    run = jax.jit(step)
    with open(os.path.join(folder, "losses.txt"), "w") as f:
        for i in range(steps):
            weights, kept, loss, correct = run(weights, kept, *noise(i % 4), jnp.float32(0.01),
                                               jnp.int32(i + 1))
            print(f"{loss:.9g} {correct}", file=f)


def noise(batch):
    """Images and labels that anybody can make again: tests/ml/test_step_module.c."""
    at = np.arange(32 * 64, dtype=np.uint32) + np.uint32(batch * 32 * 64)
    images = ((at * np.uint32(2654435761)) >> 16).astype(np.float32) / 32768 - 1
    return images.reshape(32, 1, 8, 8), ((np.arange(32) * 7 + batch) % 10).astype(np.int32)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 20)
