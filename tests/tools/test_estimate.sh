#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What a job on Dataflow costs, told before it begins: prices and rates of the tables, whose they are,
# and that nothing is invented where a table has nothing.  --dry_run asks nobody.
. "$(dirname "$0")/../support/checks.sh"
need wordcount gpu_inference tpu_training parallel_training
export BEAM_SHARE_DIR=$root/share

# CIFAR-10 as far as its sizes go.
export BEAM_DATA_DIR=$place/blank
mkdir "$BEAM_DATA_DIR"
truncate -s 30730000 "$BEAM_DATA_DIR"/{data_batch_{1..5},test_batch}.bin

dry() { # program, options...
    "$bin/$1" --runner=dataflow --project=my-project --region=us-central1 --dry_run \
        --temp_location=gs://my-bucket/tmp --sdk_container_image=registry.example/x:1 "${@:2}" \
        >"$place/out" 2>"$place/err" || complain "$*: $(cat "$place/err")"
    python3 -m json.tool "$place/out" >/dev/null || complain "$*: the request is no JSON"
}
says() { # words...
    local words
    for words; do
        grep -qF -- "$words" "$place/err" || complain "no '$words' in: $(cat "$place/err")"
    done
}
gpu() { # type
    echo "--worker_accelerator=type:$1;count:1;install-nvidia-driver:5xx"
    echo "--accelerator=type:$1;count:1;install-nvidia-driver:5xx"
}
mapfile -t t4 < <(gpu nvidia-tesla-t4)
mapfile -t a100 < <(gpu nvidia-tesla-a100)
mapfile -t p100 < <(gpu nvidia-tesla-p100)
v5e=(--worker_accelerator='type:tpu-v5-lite-podslice;topology:2x4' --machine_type=ct5lp-hightpu-8t
    --checkpoint_dir=gs://my-bucket/runs)

# 0.42 + 4 * 0.056 + 15 * 0.003557 = 0.697355 dollars an hour; 10,000 images at 600 a second.
dry gpu_inference "${t4[@]}" --machine_type=n1-standard-4 --num_workers=1 --max_num_workers=4
says "n1-standard-4 (4 vCPUs, 15 GB) with 1 x NVIDIA T4: \$0.70 an hour, with 1 to 4 of them \$0.70 to \$2.79" \
    "10000 images of 32x32 pixels classified by resnet18 in f32, at 600 images/s a worker (estimated, never measured)" \
    "16.7 seconds with 1 worker, \$0.00323 a job" "4.17 seconds with 4 workers, \$0.00323 a job"
dry gpu_inference "${t4[@]}" --machine_type=n1-standard-4 --num_images=600 --price=t4:99.302645
says "\$99.58 an hour" "1 seconds with 1 worker, \$0.0277 a job"
# On the machine's CPU, for which there is a measured rate of two cores.
read -r two four < <(python3 -c 'import json, sys
rate = json.load(open(sys.argv[1]))["images_per_second"]
print(round(rate), round(2 * rate))' "$BEAM_SOURCE_DIR/docs/results/1-resnet18-inference-cpu-f32.json")
dry gpu_inference "${t4[@]}" --machine_type=n1-standard-4 --device=cpu
says "at $four images/s a worker (computed from what was measured on 2 cores)"
dry gpu_inference --accelerator= --device=cpu --machine_type=n1-standard-2
says "at $two images/s a worker (measured)" "with 1 of them \$0.14"
# Of an A100 only the peak is known; of a P100 nothing.
dry gpu_inference "${a100[@]}" --machine_type=a2-highgpu-1g
says "at no more than 4199192 images/s a worker (computed from the peak" "at least \$"
dry gpu_inference "${p100[@]}" --machine_type=n1-standard-4
says "no estimate of the cost: the price table (share/cheatsheet.json) does not know nvidia-tesla-p100" \
    "no estimate of the time: 10000 images"
dry gpu_inference "${t4[@]}" --dataset=digits
says "no estimate of the time: 359 images of 8x8 pixels classified by small_cnn"

# 15 epochs of 50,000 images; ten of them are 4 minutes on one chip, says the table.
dry tpu_training "${v5e[@]}"
says "whose price the price table (share/cheatsheet.json) does not know; give it: --price=v5e:USD" \
    "750000 images of 32x32 pixels through the training of resnet18" "at 2083 images/s a worker" \
    "6 minutes with 1 worker, whose cost is not known"
dry tpu_training "${v5e[@]}" --num_replicas=8 --price=v5e:1.20
says "8 x TPU v5e, a chip: \$9.60 an hour" "45 seconds with 1 worker, \$0.12 a job"

# Nine configurations of 5 epochs; alone on a worker of two cores one thread has half of it.
dry parallel_training --model=resnet18 --machine_type=n1-standard-2 --max_num_workers=9 \
    --checkpoint_dir=gs://my-bucket/runs
says "2250000 images of 32x32 pixels through the training of resnet18 in f32 (epochs times images; 9 configurations), at 1009 images/s" \
    "37.2 minutes with 1 worker" "8.26 minutes with 9 workers"
dry parallel_training --machine_type=n1-standard-2 --checkpoint_dir=gs://my-bucket/runs
says "no estimate of the time: 2250000 images of 32x32 pixels through the training of resnet34" \
    "at 1009 images/s"
grep -q "a job" "$place/err" && complain "a sum of which a part is not known"

dry wordcount --input=gs://my-bucket/x --output=gs://my-bucket/y --machine_type=z9-mega-4
says "does not know z9-mega-4" "the pipeline runs and trains no network"
dry wordcount --input=gs://my-bucket/x --output=gs://my-bucket/y
says "a machine of Dataflow's choice (taken as 2 vCPUs, 8 GB): \$0.14 an hour"
dry gpu_inference "${t4[1]}" --dataflow_service_options=enable_prime
says "no estimate of the cost: Dataflow Prime chooses the machines"

# Without the tables, or with a price that is none.
BEAM_SHARE_DIR=$place dry wordcount --input=gs://my-bucket/x --output=gs://my-bucket/y
says "no estimate of the cost"
"$bin/wordcount" --runner=dataflow --project=my-project --region=us-central1 --dry_run --price=x:1 \
    --temp_location=gs://my-bucket/tmp --sdk_container_image=x --input=gs://my-bucket/x \
    --output=gs://my-bucket/y 2>"$place/err" && complain "a price of no device is taken"
says "--price=x:1: a device of the price file and dollars an hour"

ends
