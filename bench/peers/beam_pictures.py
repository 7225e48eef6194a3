# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""JPEG files to classes with Python's Beam: its RunInference over PyTorch, on its own runner.

Prints one line of JSON; `seconds` are those of the run itself, without Python's imports.
"""

import argparse
import glob
import logging

import apache_beam as beam
import torch
from apache_beam.ml.inference.base import RunInference
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor
from apache_beam.options.pipeline_options import PipelineOptions

import measure
import pictures


class Network(torch.nn.Module):
    """What the handler can make by itself: a class without arguments."""

    def __init__(self):
        super().__init__()
        self.layers = pictures.network()

    def forward(self, batch):
        with torch.inference_mode():
            return self.layers(batch.contiguous(memory_format=torch.channels_last))


def main():
    options = argparse.ArgumentParser(description=__doc__)
    pictures.add_options(options)
    options = options.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(options.threads)
    weights = pictures.write_weights(Network())
    handler = PytorchModelHandlerTensor(state_dict_path=weights, model_class=Network,
                                        model_params={}, min_batch_size=1,
                                        max_batch_size=options.batch)
    files = sorted(glob.glob(options.input))
    size = options.size
    start = measure.clock()
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as p:
        (p | beam.Create(files) | beam.Reshuffle()
         | beam.Map(lambda path: pictures.load(path, size))
         | RunInference(handler)
         | beam.Map(lambda result: int(result.inference.argmax()))
         | beam.combiners.Count.Globally())
    seconds = measure.clock() - start
    pictures.remove(weights)
    measure.emit(peer="Python Beam", version=beam.__version__, images=len(files), seconds=seconds,
                 images_per_second=round(len(files) / seconds, 2),
                 peak_rss_bytes=measure.peak_rss_bytes())


if __name__ == "__main__":
    main()
