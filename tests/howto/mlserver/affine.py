# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""A model for MLServer whose answers can be checked: of each row, the sum, the first less the second,
and twice the last."""
import numpy
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Affine(MLModel):
    async def load(self):
        return True

    async def predict(self, payload):
        x = NumpyCodec.decode_input(payload.inputs[0])
        if (x == -777.25).any():
            raise ValueError("no number of the beast")
        y = numpy.stack([x.sum(axis=1), x[:, 0] - x[:, 1], 2 * x[:, 3]], axis=1)
        return InferenceResponse(model_name=self.name, model_version=self.version,
                                 outputs=[NumpyCodec.encode_output("y", y)])
