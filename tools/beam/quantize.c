/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* quantize.c - beam quantize: weights for int8, made from others with a sample of images.
 *
 *     beam quantize --weights=resnet18-cifar10 --dataset=cifar10 --output=resnet18-int8.safetensors
 */
#include <stdio.h>

#include "beam/verbs.h"
#include "ml/quantize.h"

enum { MOST_PIXELS = 4096 };

static int run(const beam_args *args)
{
    const beam_quantize_options o = {.classifier = {.struct_size = sizeof o.classifier,
                                                    .network = beam_args_str(args, "model"),
                                                    .weights = beam_args_str(args, "weights"),
                                                    .image_size = beam_args_int(args, "image_size"),
                                                    .device = "cpu"},
                                     .dataset = beam_args_str(args, "dataset"),
                                     .split = beam_args_str(args, "split"),
                                     .data_dir = beam_args_str(args, "data_dir"),
                                     .num_images = (uint64_t)beam_args_int(args, "num_images"),
                                     .output = beam_args_str(args, "output")};
    beam_quantize_result result;
    beam_error err = {0};
    if (o.classifier.image_size > MOST_PIXELS) {
        fprintf(stderr, "beam quantize: --image_size is at most %d\n", MOST_PIXELS);
        return BEAM_VERB_USAGE;
    }
    if (beam_quantize(&o, &result, &err) != BEAM_OK) {
        fprintf(stderr, "beam quantize: %s\n", err.message);
        return BEAM_VERB_FAILED;
    }
    printf("%s: calibrated with %llu images; int8 and f32 name the same class for %llu of them "
           "(%.2f%%)\n",
           o.output, (unsigned long long)result.num_images, (unsigned long long)result.agreeing,
           100 * (double)result.agreeing / (double)result.num_images);
    return 0;
}

static const beam_option options[] = {
    {"dataset", "cifar10|digits|DIR", NULL,
     "what the model will be fed; DIR: a folder a class, or one of CIFAR-10's files", true},
    {"output", "FILE", NULL, "write the weights, as safetensors", true},
    {"model", "NAME", NULL,
     "resnet18, 34, 50, fastnet, fastnet_wide or small_cnn; default: the weights' own", false},
    {"weights", "FILE|NAME", NULL,
     ".pth, .safetensors, resnet18-cifar10, ...; default: those that suit", false},
    {"num_images", "N>0", "512", "the sample", false},
    {"split", "train|test|all", NULL, "which of the images; default: train if there is one", false},
    {"data_dir", "DIR", NULL, "CIFAR-10's; default: $BEAM_DATA_DIR, else the cache", false},
    {"image_size", "N>0", NULL, "height and width; default: as the model was made for", false},
    BEAM_HELP_OPTION,
};
const beam_verb beam_verb_quantize = {
    .command = {.name = "beam quantize",
                .about = "makes weights for --precision=int8: of eight bits, with how large "
                         "activations get on a sample of images",
                .groups = BEAM_VERB_OPTIONS(options)},
    .run = run};
