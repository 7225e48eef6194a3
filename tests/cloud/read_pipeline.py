#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""A staged pipeline, read by the classes that Beam generates for Python.

    read_pipeline.py FOLDER PIPELINE.pb IMAGE STAGING     FOLDER: where the apache-beam wheel lies

Beam's own package imports much that is not needed for this, so only its generated files are."""
import sys
import types

folder, path, image, staging = sys.argv[1:]
place, name = folder + "/apache_beam/portability/api", ""
for part in ("org", "apache", "beam", "model", "pipeline", "v1"):
    place, name = place + "/" + part, (name + "." if name else "") + part
    package = types.ModuleType(name)
    package.__path__ = [place]
    sys.modules[name] = package
from org.apache.beam.model.pipeline.v1 import beam_runner_api_pb2 as pb

with open(path, "rb") as file:
    pipeline = pb.Pipeline.FromString(file.read())
parts = pipeline.components
assert pipeline.root_transform_ids and parts.transforms and parts.pcollections
for pcollection in parts.pcollections.values():
    assert parts.coders[pcollection.coder_id].spec.urn != "beam:coder:windowed_value:v1"
    assert pcollection.windowing_strategy_id in parts.windowing_strategies
for transform in parts.transforms.values():
    assert not transform.environment_id or transform.environment_id in parts.environments
    for ids in (transform.inputs, transform.outputs):
        assert all(i in parts.pcollections for i in ids.values())
assert parts.environments
for environment in parts.environments.values():
    assert environment.urn == "beam:env:docker:v1", environment.urn
    assert pb.DockerPayload.FromString(environment.payload).container_image == image
    assert "beam:protocol:multi_core_bundle_processing:v1" in environment.capabilities
    names = []
    for artifact in environment.dependencies:
        assert artifact.type_urn == "beam:artifact:type:url:v1"
        assert artifact.role_urn == "beam:artifact:role:staging_to:v1"
        where = pb.ArtifactUrlPayload.FromString(artifact.type_payload)
        assert where.url == staging + "/" + where.sha256 and len(where.sha256) == 64, where
        names.append(pb.ArtifactStagingToRolePayload.FromString(artifact.role_payload).staged_name)
    assert any(n.endswith("/program") for n in names), names
print("%d transforms, %d PCollections, %d environments, %d artifacts" % (
    len(parts.transforms), len(parts.pcollections), len(parts.environments), len(names)))
