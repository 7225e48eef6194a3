/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* zoo.c - ready-made networks.  Parameters carry torchvision's names and come in the order of
 * its state_dict, so each block's downsample layers stand last. */
#include <stdio.h>
#include <string.h>

#include "nn/zoo.h"

typedef struct resnet_layout {
    const char *name;
    bool bottleneck; /* 1x1, 3x3, 1x1 with 4 times the channels; else 3x3, 3x3 */
    int blocks[4];
} resnet_layout;

static const resnet_layout resnets[] = {
    {"resnet18", false, {2, 2, 2, 2}},
    {"resnet34", false, {3, 4, 6, 3}},
    {"resnet50", true, {3, 4, 6, 3}},
};
enum { NUM_RESNETS = sizeof resnets / sizeof *resnets };

static beam_value add_small_cnn(beam_network *net, beam_value x, const beam_network_options *o);

/* The others. */
static const struct {
    const char *name;
    beam_value (*add)(beam_network *net, beam_value image, const beam_network_options *options);
} families[] = {
    {"fastnet", beam_nn_fastnet},
    {"fastnet_wide", beam_nn_fastnet_wide},
    {"small_cnn", add_small_cnn},
};
enum { NUM_FAMILIES = sizeof families / sizeof *families };

const char *beam_network_known(size_t index)
{
    if (index < NUM_RESNETS)
        return resnets[index].name;
    return index < NUM_RESNETS + NUM_FAMILIES ? families[index - NUM_RESNETS].name : NULL;
}

typedef struct conv_bn {
    const char *prefix; /* "layer1.0." or "" */
    const char *conv;   /* "conv1" */
    const char *bn;     /* "bn1" */
    int64_t channels, kernel, stride;
} conv_bn;

/* A convolution that keeps the size (but for the stride), without bias, and its batch norm. */
static beam_value add_conv_bn(beam_network *net, beam_value x, const conv_bn *c)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s%s", c->prefix, c->conv);
    x = beam_nn_conv2d(net, x, name, .out_channels = c->channels, .kernel = c->kernel,
                       .stride = c->stride, .padding = c->kernel / 2, .no_bias = true);
    (void)snprintf(name, sizeof name, "%s%s", c->prefix, c->bn);
    return beam_nn_batch_norm(net, x, name, 0);
}

static beam_value add_block(beam_network *net, beam_value x, const char *prefix, bool bottleneck,
                            int64_t width, int64_t stride, bool downsample)
{
    beam_value y;
    if (bottleneck) { /* torchvision strides in the 3x3 convolution */
        y = add_conv_bn(net, x, &(conv_bn){prefix, "conv1", "bn1", width, 1, 1});
        y = beam_nn_relu(net, y);
        y = add_conv_bn(net, y, &(conv_bn){prefix, "conv2", "bn2", width, 3, stride});
        y = beam_nn_relu(net, y);
        y = add_conv_bn(net, y, &(conv_bn){prefix, "conv3", "bn3", 4 * width, 1, 1});
    } else {
        y = add_conv_bn(net, x, &(conv_bn){prefix, "conv1", "bn1", width, 3, stride});
        y = beam_nn_relu(net, y);
        y = add_conv_bn(net, y, &(conv_bn){prefix, "conv2", "bn2", width, 3, 1});
    }
    if (downsample)
        x = add_conv_bn(net, x,
                        &(conv_bn){prefix, "downsample.0", "downsample.1",
                                   bottleneck ? 4 * width : width, 1, stride});
    return beam_nn_relu(net, beam_nn_add(net, y, x));
}

static beam_value add_resnet(beam_network *net, beam_value x, const resnet_layout *layout,
                             const beam_network_options *o)
{
    x = add_conv_bn(
        net, x, &(conv_bn){"", "conv1", "bn1", 64, o->cifar_stem ? 3 : 7, o->cifar_stem ? 1 : 2});
    x = beam_nn_relu(net, x);
    if (!o->cifar_stem)
        x = beam_nn_max_pool2d(net, x, .kernel = 3, .stride = 2, .padding = 1);
    int64_t width = 64;
    for (int stage = 0; stage < 4; stage++, width *= 2) {
        for (int block = 0; block < layout->blocks[stage]; block++) {
            char prefix[32];
            (void)snprintf(prefix, sizeof prefix, "layer%d.%d.", stage + 1, block);
            bool first = block == 0;
            x = add_block(net, x, prefix, layout->bottleneck, width, first && stage > 0 ? 2 : 1,
                          first && (stage > 0 || layout->bottleneck));
        }
    }
    x = beam_nn_flatten(net, beam_nn_global_avg_pool(net, x));
    return beam_nn_linear(net, x, "fc", .out_features = o->num_classes);
}

static beam_value add_small_cnn(beam_network *net, beam_value x, const beam_network_options *o)
{
    static const struct {
        const char *conv, *bn;
        int64_t channels;
    } layers[] = {
        {"conv1", "bn1", 32}, {"conv2", "bn2", 32}, {"conv3", "bn3", 64}, {"conv4", "bn4", 64}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        x = add_conv_bn(net, x,
                        &(conv_bn){"", layers[i].conv, layers[i].bn, layers[i].channels, 3, 1});
        x = beam_nn_relu(net, x);
        if (i == 1)
            x = beam_nn_max_pool2d(net, x, .kernel = 2);
    }
    x = beam_nn_flatten(net, beam_nn_global_avg_pool(net, x));
    return beam_nn_linear(net, x, "fc", .out_features = o->num_classes);
}

static void defaults(beam_network_options *o)
{
    if (o->num_classes == 0)
        o->num_classes = 1000;
    if (o->channels == 0)
        o->channels = 3;
    if (o->height == 0)
        o->height = 224;
    if (o->width == 0)
        o->width = o->height;
}

beam_status beam_network_create(const char *name, const beam_network_options *options,
                                beam_network **network, beam_error *err)
{
    *network = NULL;
    const resnet_layout *layout = NULL;
    for (size_t i = 0; name && i < NUM_RESNETS; i++)
        if (strcmp(name, resnets[i].name) == 0)
            layout = &resnets[i];
    size_t family = 0;
    while (family < NUM_FAMILIES && !(name && strcmp(name, families[family].name) == 0))
        family++;
    if (!layout && family == NUM_FAMILIES)
        return beam_error_set(err, BEAM_NOT_FOUND,
                              "no network is called \"%s\"; there are resnet18, resnet34, "
                              "resnet50, fastnet, fastnet_wide and small_cnn",
                              name ? name : "");
    beam_network_options o = {0};
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    defaults(&o);

    beam_network *net = beam_network_new(name);
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){o.channels, o.height, o.width});
    x = layout ? add_resnet(net, x, layout, &o) : families[family].add(net, x, &o);
    beam_status status = beam_network_finish(net, &x, 1, err);
    if (status != BEAM_OK) {
        beam_network_free(net);
        return status;
    }
    *network = net;
    return BEAM_OK;
}
