#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What a user is told before a job costs anything: each wrong option and each missing right, in one
# message; and that no job was made.
. "$(dirname "$0")/common.sh"
need wordcount gpu_inference tpu_training
opens_storage
opens_dataflow
echo "one two" >"$place/text"
words=(wordcount --input="$place/text" --output=gs://bucket/x)
infer=(gpu_inference --dataset=digits)
train=(tpu_training --dataset=digits --model=small_cnn --checkpoint_dir=gs://bucket/runs)
cpu=--sdk_container_image=$registry/beam/cpu:1
gpu=--sdk_container_image=$registry/beam/gpu:1
tpu=--sdk_container_image=$registry/beam/tpu:1
t4=--worker_accelerator="type:nvidia-tesla-t4;count:1;install-nvidia-driver:5xx"
v5e=--worker_accelerator="type:tpu-v5-lite-podslice;topology:2x4"
machine=--machine_type=ct5lp-hightpu-8t
control "$(images), \"quotas\": {\"NVIDIA_T4_GPUS\": [1, 0], \"TPU_LITE_PODSLICE_V5\": [0, 0]}}"

# What needs no service.
where_is=("${where[@]}")
where=()
told 1 "--project=ID is missing" "${words[@]}"
told 1 "is a project's number" "${words[@]}" --project=123456
told 1 "--region is missing" "${words[@]}" --project=my-project
told 1 "is a zone: say --region=us-central1 --worker_zone=us-central1-a" "${words[@]}" \
    --project=my-project --region=us-central1-a
told 1 "--temp_location is missing" "${words[@]}" --project=my-project --region=us-central1
told 1 "must be in Cloud Storage" "${words[@]}" --project=my-project --region=us-central1 \
    --temp_location=/tmp
where=("${where_is[@]}")
told 1 "--sdk_container_image is missing" "${words[@]}"
told 1 "has a character in it" "${words[@]}" --sdk_container_image=$'a\r\nX-Evil: 1'
told 1 "Dataflow wants small letters" "${words[@]}" "$cpu" --job_name=Word_Count
told 1 "a label is KEY=VALUE" "${words[@]}" "$cpu" --labels=Team=vision
told 1 "is more than --max_num_workers" "${words[@]}" "$cpu" --num_workers=5 --max_num_workers=2
told 1 "at least 10" "${words[@]}" "$cpu" --disk_size_gb=5
told 1 "runs functions in containers only" "${words[@]}" "$cpu" --environment_type=PROCESS
told 1 "exclude one another" "${words[@]}" "$cpu" --use_public_ips --no_use_public_ips
told 1 "--update is for streaming jobs" "${words[@]}" "$cpu" --update
told 1 "sent to https:// only" "${words[@]}" "$cpu" --dataflow_endpoint=http://example.com
told 1 "say which region's" "${words[@]}" "$cpu" --subnetwork=inner
told 1 "write type:nvidia-tesla-t4;count:1" "${infer[@]}" "$gpu" --worker_accelerator=nvidia-tesla-t4
told 1 "'count:none' is no part" "${infer[@]}" "$gpu" \
    --worker_accelerator="type:nvidia-tesla-t4;count:none"
told 1 "add ;install-nvidia-driver:5xx" "${infer[@]}" "$gpu" \
    --worker_accelerator="type:nvidia-tesla-t4;count:1"
told 1 "a TPU needs its topology" "${train[@]}" "$tpu" --worker_accelerator=type:tpu-v5-lite-podslice
told 1 "has no machines with accelerators" "${infer[@]}" "$gpu" "$t4" --flexrs_goal=COST_OPTIMIZED
told 1 "--machine_type=g2-standard-4" "${infer[@]}" "$gpu" \
    --worker_accelerator="type:nvidia-l4;count:1;install-nvidia-driver"
told 1 "in machines of the type ct5lp-hightpu-8t, not n1-standard-4" "${train[@]}" "$tpu" "$v5e" \
    --machine_type=n1-standard-4
told 1 "a Dataflow worker is one machine, so" "${train[@]}" "$tpu" "$machine" \
    --worker_accelerator="type:tpu-v5-lite-podslice;topology:4x4"
told 1 "TPUs and Dataflow Prime exclude one another" "${train[@]}" "$tpu" "$v5e" \
    --dataflow_service_options=enable_prime
told 1 "Dataflow Prime takes no --worker_accelerator" "${infer[@]}" "$gpu" "$t4" \
    --dataflow_service_options=enable_prime
told 1 "would not get it: say --worker_accelerator=" "${infer[@]}" "$gpu"
told 1 "that is not --worker_accelerator's" "${infer[@]}" "$gpu" --machine_type=g2-standard-4 \
    --worker_accelerator="type:nvidia-l4;count:1;install-nvidia-driver"

# No credentials, with the three ways to give some.
export CLOUDSDK_CONFIG=$place GCE_METADATA_HOST=127.0.0.1:9
auth='' told 1 "gcloud auth application-default login.*GOOGLE_APPLICATION_CREDENTIALS.*on a machine" \
    "${words[@]}" "$cpu"

# What the services tell.
told 1 "there is no bucket nowhere; make it with" "${words[@]}" "$cpu" --temp_location=gs://nowhere/x
told 1 "bucket bucket is in US-CENTRAL1, workers in europe-west4" "${words[@]}" "$cpu" \
    --region=europe-west4
told 1 "the registry has no such image; build it" "${words[@]}" \
    --sdk_container_image="$registry/beam/none:1"
told 1 "begins with '/bin/sh'" "${words[@]}" --sdk_container_image="$registry/beam/other:1"
told 1 "is an image for the CPU, and workers have a nvidia-tesla-t4" "${infer[@]}" "$cpu" "$t4"
told 1 "is an image for gpu, and workers have no accelerator" "${words[@]}" "$gpu"
told 1 "is an image for the CPU" "${infer[@]}" "$cpu" --dataflow_service_options=enable_prime
told 1 "is made for v5litepod-8, and topology:1x1 has 1 chips" "${train[@]}" "$tpu" \
    --worker_accelerator="type:tpu-v5-lite-podslice;topology:1x1" --machine_type=ct5lp-hightpu-1t
told 1 "install-nvidia-driver:470.82 is older than CUDA 12" "${infer[@]}" "$gpu" \
    --worker_accelerator="type:nvidia-tesla-t4;count:1;install-nvidia-driver:470.82"
told 1 "may have 1 NVIDIA_T4_GPUS in us-central1 and uses 0; 3 worker(s) want 3" "${infer[@]}" "$gpu" \
    "$t4" --num_workers=3
told 1 "may have 0 TPU_LITE_PODSLICE_V5" "${train[@]}" "$tpu" "$v5e" "$machine"
grep -q CUDA "$place/err" && complain "a driver is asked for on a TPU"
control "$(images), \"quotas\": {\"CPUS\": [24, 20.5], \"N2_CPUS\": [8, 0], \"NVIDIA_T4_GPUS\": [9, 0]}}"
told 1 "may have 24 CPUS in us-central1 and uses 20; 1 worker(s) want 4" "${infer[@]}" "$gpu" "$t4" \
    --machine_type=n1-standard-4
told 1 "may have 24 CPUS in us-central1 and uses 20; 4 worker(s) want 4" "${words[@]}" "$cpu" --num_workers=4
told 1 "may have 8 N2_CPUS in us-central1 and uses 0; 3 worker(s) want 12" "${words[@]}" "$cpu" \
    --num_workers=3 --machine_type=n2-custom-4-16384
[ "$(asked "len(jobs), counts.get('leaked tokens', 0)")" = "0 0" ] || complain "$(asked counts)"

# Said, and not in the way: drivers that may be old, quotas and images that nobody tells of.
dataflow "${infer[@]}" "$gpu" --worker_accelerator="type:nvidia-tesla-t4;count:1;install-nvidia-driver"
grep -q "write install-nvidia-driver:5xx for nvidia-tesla-t4" "$place/err" ||
    complain "nothing of the driver: $(cat "$place/err")"
control "$(images), \"quota_code\": 403}"
dataflow "${words[@]}" --sdk_container_image="$registry/beam/cpu:1" --log_level=INFO
[ "$(asked "len(jobs)")" = 1 ] || complain "no job without a look at quotas: $(cat "$place/err")"
control "$(images), \"refuse\": \"Dataflow API has not been used in project my-project before\"}"
told 1 "Dataflow API has not been used.*the role Dataflow Developer" "${words[@]}" "$cpu"
told 2 "did you mean --worker_accelerator" "${words[@]}" --worker_acelerator=x
told 1 "is of --runner=dataflow" "${words[@]}" --runner=direct --dry_run

ends
