# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Writes muon-steps.json: steps of training that torch.optim.Muon and AdamW make together, for
# tests/device/test_muon.c.  Run by hand with PyTorch 2.9 or later: muon_steps.py > muon-steps.json
import json
import math

import torch
from torch import nn

# PyTorch orthogonalises in bf16, which has two digits, and libbeam in f32: so the record is in f32.
torch.bfloat16 = torch.float32

STEPS, BATCH, IN, TALL, WIDE, CLASSES = 6, 8, 5, 12, 6, 3
SETTINGS = {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.1}


def numbers(seed, *shape):
    count = math.prod(shape)
    return torch.tensor([math.sin(seed + 1.7 * i) for i in range(count)]).reshape(shape)


net = nn.Sequential(
    nn.Linear(IN, TALL), nn.ReLU(), nn.Linear(TALL, WIDE), nn.ReLU(), nn.Linear(WIDE, CLASSES)
)
parameters = list(net.parameters())
with torch.no_grad():
    for seed, p in enumerate(parameters):
        p.copy_(0.5 * numbers(seed, *p.shape))
hidden = [parameters[0], parameters[2]]
vectors = [p for p in parameters if p.dim() == 1]
lr, decay = SETTINGS["learning_rate"], SETTINGS["weight_decay"]
optimizers = [
    torch.optim.Muon(
        hidden,
        lr=lr,
        momentum=SETTINGS["momentum"],
        weight_decay=decay,
        adjust_lr_fn="match_rms_adamw",
    ),
    torch.optim.AdamW([parameters[4]], lr=lr, weight_decay=decay),
    torch.optim.AdamW(vectors, lr=lr, weight_decay=0),
]
images, labels = numbers(10, BATCH, IN), torch.arange(BATCH) % CLASSES
losses = []
for _ in range(STEPS):
    loss = nn.functional.cross_entropy(net(images), labels)
    for o in optimizers:
        o.zero_grad()
    loss.backward()
    for o in optimizers:
        o.step()
    losses.append(loss.item())
print(
    json.dumps(
        {
            "torch": torch.__version__,
            **SETTINGS,
            "losses": losses,
            "parameters": [p.flatten().tolist() for p in parameters],
        }
    )
)
