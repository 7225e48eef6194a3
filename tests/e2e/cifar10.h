/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* cifar10.h - images for the tests of whole programs. */
#ifndef E2E_CIFAR10_H
#define E2E_CIFAR10_H

/* A folder with a copy of CIFAR-10, made from the test data into the cache when it is not there
 * yet; the test is skipped where there is no test data. */
const char *cifar10_copy(void);

#endif
