/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/wait.h"

beam_keepalive beam_wait_keepalive = {.quiet_ms = 330000, .patience_ms = 120000};
