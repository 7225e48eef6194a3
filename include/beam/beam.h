/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* beam.h - all of libbeam. */
#ifndef BEAM_BEAM_H
#define BEAM_BEAM_H

#include <beam/app.h>
#include <beam/dataset.h>
#include <beam/device.h>
#include <beam/image.h>
#include <beam/io.h>
#include <beam/ml.h>
#include <beam/nn.h>
#include <beam/optimizer.h>
#include <beam/pipeline.h>
#include <beam/testing.h>
#include <beam/training.h>
#include <beam/transform.h>
#include <beam/weights.h>

#endif
