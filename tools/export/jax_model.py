#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Write a JAX model as StableHLO for libbeam: docs/howto/own-model-jax.md.

usage: jax_model.py FOLDER

As a script it writes a small classifier of 8x8 grey images, with weights from a seed:
model.b1.mlir and model.b16.mlir (text), model.b16.stablehlo (portable bytecode),
model.safetensors, and logits.npy, what JAX makes of the images in images.npy.
For a model of your own call export() below.
"""
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export
from safetensors.numpy import save_file


def names_of(tree):
    """What a tree's leaves are called, in their order: their paths with dots between."""
    return [".".join(str(getattr(k, "key", getattr(k, "idx", k))) for k in path)
            for path, _ in jax.tree_util.tree_leaves_with_path(tree)]


def export(function, weights, shape, batch_sizes, prefix, notes=None):
    """function(weights, x) -> array; weights: a tree of arrays; shape: x's without the batch.

    Writes PREFIX.bN.mlir and PREFIX.bN.stablehlo for each batch size N and
    PREFIX.safetensors, whose note "arguments" names the module's arguments in order.
    """
    names = names_of(weights)
    # Modules tell which line each operation comes from: the file's name, not where it lies here.
    jax.config.update("jax_hlo_source_file_canonicalization_regex", ".*/")
    # Without keep_unused JAX drops arguments, and the names would no longer fit.
    jitted = jax.jit(function, keep_unused=True)
    for batch in batch_sizes:
        x = jax.ShapeDtypeStruct((batch, *shape), jnp.float32)
        with open(f"{prefix}.b{batch}.mlir", "w") as f:
            f.write(jitted.lower(weights, x).as_text())
        with open(f"{prefix}.b{batch}.stablehlo", "wb") as f:
            f.write(jax_export.export(jitted)(weights, x).mlir_module_serialized)
    leaves = jax.tree_util.tree_leaves(weights)
    tensors = {name: np.asarray(leaf) for name, leaf in zip(names, leaves)}
    save_file(tensors, f"{prefix}.safetensors",
              metadata={"arguments": "\n".join([*names, "input"]), **(notes or {})})


def classify(weights, x):
    """Images {batch, 1, 8, 8}: a convolution, then a matrix."""
    with jax.default_matmul_precision("highest"):
        x = jax.lax.conv(x, weights["conv"], (1, 1), "SAME")
        x = jax.nn.relu(x + weights["bias"][:, None, None])
        return x.reshape(x.shape[0], -1) @ weights["fc"]["weight"] + weights["fc"]["bias"]


def main(folder):
    numbers = np.random.default_rng(1)
    draw = lambda *shape: numbers.normal(0, 0.3, shape).astype(np.float32)
    weights = {"conv": draw(4, 1, 3, 3), "bias": draw(4),
               "fc": {"weight": draw(4 * 64, 10), "bias": draw(10)}}
    images = draw(21, 1, 8, 8)
    export(classify, weights, (1, 8, 8), (1, 16), os.path.join(folder, "model"),
           {"num_classes": "10", "image": "1 8 8", "scale": "0.0625", "mean": "0.5",
            "deviation": "0.5"})
    np.save(os.path.join(folder, "images.npy"), images)
    np.save(os.path.join(folder, "logits.npy"), np.asarray(classify(weights, images)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
