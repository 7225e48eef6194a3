// Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
// placeholder
#include <beam/status.h>
#include <cstdio>
int main() { std::puts(beam_status_name(BEAM_OK)); return 0; }
