# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Python's side of tests/rows: exchange.py FOLDER NEW-FOLDER

Reads the rows that a libbeam pipeline wrote, by the coders in that pipeline's proto, compares them
with what they have to be, and writes the same rows, made of Python's own values, for libbeam.
"""
import decimal
import math
import struct
import sys
import typing

import numpy as np
from apache_beam import coders
from apache_beam.portability.api import beam_runner_api_pb2, schema_pb2
from apache_beam.runners.pipeline_context import PipelineContext
from apache_beam.typehints import schemas
from apache_beam.utils.timestamp import Timestamp


class Tensor(typing.NamedTuple):
    """How a tensor travels, and all that is done with it here."""
    dtype: np.int32
    shape: typing.Sequence[np.int64]
    data: bytes


@schemas.LogicalType.register_logical_type
class TensorType(schemas.LogicalType[Tensor, Tensor, type(None)]):
    @classmethod
    def urn(cls):
        return "libbeam:logical_type:tensor:v1"

    @classmethod
    def language_type(cls):
        return Tensor

    @classmethod
    def representation_type(cls):
        return Tensor

    def to_representation_type(self, value):
        return value

    def to_language_type(self, value):
        return value


def row_coder(context, transform, components):
    """The coder of what the transform of that name gives."""
    for proto in components.transforms.values():
        if proto.unique_name == transform:
            pcollection = components.pcollections[next(iter(proto.outputs.values()))]
            return context.coders.get_by_id(pcollection.coder_id)
    raise KeyError(transform)


def fields_of(schema):
    return {field.name: field for field in schema.fields}


def row_type(schema):
    return schemas.typing_from_runner_api(
        schema_pb2.FieldType(row_type=schema_pb2.RowType(schema=schema)))


def bits(value):
    """Floats by their bits, in lists, maps and rows too."""
    if isinstance(value, float):
        return struct.pack(">d", value)
    if hasattr(value, "_asdict"):
        return {name: bits(v) for name, v in value._asdict().items()}
    if isinstance(value, dict):
        return {key: bits(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [bits(v) for v in value]
    return int(value) if hasattr(value, "dtype") and value.dtype.kind in "iu" else value


def single(value):
    return struct.unpack(">f", struct.pack(">f", value))[0]


def kinds(schema):
    """The rows that tests/rows/test_exchange.c has."""
    fields = fields_of(schema)
    row = row_type(schema)
    point = row_type(fields["where"].type.row_type.schema)
    pixels = struct.pack("<6f", 0, 0.25, -1, 1e30, 5, 6)
    return [
        row(flag=True, octet=200, small=-300, medium=70000, large=-5000000000, single=single(0.1),
            real=1 / 3, text="café", raw=b"\0\xff\x80", when=Timestamp(micros=1700000000123000),
            price=decimal.Decimal("-3.00"), maybe=42, maybe_note="note",
            tags=["red", "", "grün"], holes=[1, None, -1], counts={"one": 1},
            where=point("home", 1.5), path=[point("a", 0.5), point("b", -2.0)],
            image=Tensor(1, [2, 3], pixels)),
        row(flag=False, octet=0, small=-2**15, medium=-2**31, large=-2**63, single=math.inf,
            real=-0.0, text="", raw=b"", when=Timestamp(micros=-1000), price=decimal.Decimal(0),
            maybe=None, maybe_note=None, tags=[], holes=[], counts={}, where=point("", 0.0),
            path=[], image=Tensor(1, [0, 3], b"")),
    ]


def results(schema):
    row = row_type(schema)
    config_schema = fields_of(schema)["config"].type.row_type.schema
    values = {field.name: {"STRING": "", "DOUBLE": 0.0, "INT64": 0, "BOOLEAN": False}[
        schema_pb2.AtomicType.Name(field.type.atomic_type)] for field in config_schema.fields}
    values.update(experiment_id="café-1", model_name="resnet18", learning_rate=0.1, batch_size=16,
                  epochs=3, dataset="digits", momentum=-1.0, flip_average=True, seed=2**63 - 1)
    return [row(experiment_id="café-1", accuracy=1 / 3, model_path="/models/1.safetensors",
                loss=math.nan, epochs=3, steps=-12, seconds=1e-300, status="ok", error="",
                config=row_type(config_schema)(**values), plain_accuracy=0.25)]


def exchange(folder, new_folder, name, coder, make):
    schema = coder.schema if isinstance(coder, coders.RowCoder) else None
    assert schema is not None, coder
    expected = make(schema)
    with open("%s/%s" % (folder, name)) as lines:
        written = [bytes.fromhex(line.strip()) for line in lines]
    read = [coder.decode(one) for one in written]
    key = lambda row: str(bits(row))
    for got, want in zip(sorted(read, key=key), sorted(expected, key=key), strict=True):
        for field, value in bits(want).items():
            assert bits(got)[field] == value, (field, bits(got)[field], value)
    # Not always the same bytes: the end of a bitmap of nulls may be left out.
    with open("%s/%s" % (new_folder, name), "w") as lines:
        lines.writelines(coder.encode(row).hex() + "\n" for row in expected)
    print("%s: %d rows there and back" % (name, len(read)))


def main(folder, new_folder):
    with open(folder + "/pipeline", "rb") as proto:
        components = beam_runner_api_pb2.Pipeline.FromString(proto.read()).components
    context = PipelineContext(components)
    exchange(folder, new_folder, "kinds", row_coder(context, "Kinds", components), kinds)
    exchange(folder, new_folder, "results", row_coder(context, "Results", components),
             results)


main(*sys.argv[1:])
