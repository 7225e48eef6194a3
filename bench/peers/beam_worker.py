# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""The pipeline of bench_worker's workers on Prism, in Python: see ../common/bench_prism.h."""

import argparse

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

SEEDS = 16


class Make(beam.DoFn):
    def __init__(self, each, texts):
        self.each, self.texts = each, texts

    def process(self, seed):
        if self.texts:
            text = "x" * 1000
            for _ in range(self.each):
                yield text
        else:
            for i in range(self.each):
                yield seed * self.each + i


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elements", type=int, default=SEEDS)
    parser.add_argument("--texts", type=int, default=0)
    args, rest = parser.parse_known_args()
    kind = str if args.texts else int
    with beam.Pipeline(options=PipelineOptions(rest)) as p:
        made = (p | beam.Create(list(range(SEEDS))) | "Start" >> beam.Reshuffle()
                | beam.ParDo(Make(args.elements // SEEDS, args.texts)).with_output_types(kind)
                | "Send" >> beam.Reshuffle())
        if args.texts:
            changed = made | beam.Map(lambda text: text).with_output_types(str)
        else:
            changed = made | beam.Map(lambda x: x ^ 1).with_output_types(int)
        _ = changed | "SendBack" >> beam.Reshuffle() | beam.FlatMap(lambda x: ())


if __name__ == "__main__":
    main()
