/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stablehlo_main.c - what goes into a module and what comes out of it. */
#include "base/alloc.h"
#include "device/stablehlo.h"

void beam_hlo_main_free(beam_hlo_main *main)
{
    beam_free(main->arguments);
    beam_free(main->results);
    beam_free(main->replaces);
    *main = (beam_hlo_main){0};
}

static beam_status allocate(beam_hlo_main *main, size_t arguments, size_t results)
{
    *main = (beam_hlo_main){.num_arguments = arguments};
    main->arguments = beam_calloc(arguments, sizeof *main->arguments);
    main->results = beam_calloc(results, sizeof *main->results);
    main->replaces = beam_calloc(results, sizeof *main->replaces);
    if (main->arguments && main->results && main->replaces)
        return BEAM_OK;
    beam_hlo_main_free(main);
    return BEAM_RESOURCE_EXHAUSTED;
}

static void add_result(beam_hlo_main *main, uint32_t value, size_t argument)
{
    main->results[main->num_results] = value;
    main->replaces[main->num_results++] = argument;
}

beam_status beam_hlo_inference(const beam_network *network, const beam_lowering *how,
                               beam_hlo_main *main, beam_error *err)
{
    size_t inputs = network->num_inputs;
    if (allocate(main, inputs + network->num_parameters, network->num_outputs) != BEAM_OK)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a program");
    main->num_inputs = inputs;
    for (size_t i = 0; i < main->num_arguments; i++) {
        uint32_t value = i < inputs ? network->inputs[i] : network->parameters[i - inputs].value;
        main->arguments[i] = beam_lowering_argument(network, how, value);
    }
    for (size_t i = 0; i < network->num_outputs; i++)
        add_result(main, network->outputs[i], 0);
    return BEAM_OK;
}

beam_status beam_hlo_training(const beam_nn_training *training, const beam_lowering *how,
                              bool keep_gradients, beam_hlo_main *main, beam_error *err)
{
    const beam_network *network = training->network;
    bool scales = beam_lowering_scales(how);
    size_t inputs = network->num_inputs + scales, states = training->num_states;
    if (allocate(main, inputs + states, 4 + states + network->num_parameters) != BEAM_OK)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a program");
    main->num_inputs = inputs;
    add_result(main, training->loss, 0);
    add_result(main, training->correct, 0);
    if (training->gradient_norm)
        add_result(main, training->gradient_norm, 0);
    if (scales)
        add_result(main, 0, 0);
    main->num_scalars = main->num_results;
    for (size_t i = 0; i < main->num_arguments; i++) {
        const beam_nn_state *state = i < inputs ? NULL : &training->states[i - inputs];
        beam_hlo_argument *argument = &main->arguments[i];
        uint32_t input = i < network->num_inputs ? network->inputs[i] : 0;
        *argument = beam_lowering_argument(network, how, state ? state->value : input);
        if (state && state->next) {
            argument->alias = (int32_t)main->num_results;
            add_result(main, state->next, i);
        }
    }
    for (size_t i = 0; keep_gradients && i < network->num_parameters; i++)
        if (training->gradients[i])
            add_result(main, training->gradients[i], 0);
    return BEAM_OK;
}
