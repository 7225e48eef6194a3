# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Programs: tests, examples, tools, benchmarks, fuzzers; all found by their place and name.

# Programs that a user runs are linked with the archive, as an embedding program would be.
function(beam_program source)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source} ${ARGN})
    target_link_libraries(${name} PRIVATE beam_static beam_settings)
    target_compile_options(${name} PRIVATE ${BEAM_WARNINGS})
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
endfunction()

function(beam_programs)
    file(GLOB examples CONFIGURE_DEPENDS
        ${PROJECT_SOURCE_DIR}/examples/*.c ${PROJECT_SOURCE_DIR}/examples/*/*.c)
    file(GLOB tools CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/*.c)
    file(GLOB benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/bench_*.c)
    file(GLOB bench_common CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/common/*.c)
    foreach(source IN LISTS examples tools)
        beam_program(${source})
    endforeach()
    foreach(source IN LISTS benches)
        beam_program(${source} ${bench_common})
    endforeach()
    foreach(source IN LISTS benches)
        get_filename_component(name ${source} NAME_WE)
        target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/bench)
    endforeach()
endfunction()

# tests/<room>/test_<name>.c -> test_<room>_<name>, labelled with its room.  Other C files in the
# folder are linked into each of its tests.  A folder that is no room's (tests/pipeline) gets
# everything.
function(beam_tests)
    file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*/test_*.c)
    set(environment "")
    get_filename_component(shared_data ${PROJECT_SOURCE_DIR}/../shared/data ABSOLUTE)
    foreach(source IN LISTS sources)
        get_filename_component(name ${source} NAME_WE)
        get_filename_component(folder ${source} DIRECTORY)
        file(GLOB helpers CONFIGURE_DEPENDS ${folder}/*.c)
        list(FILTER helpers EXCLUDE REGEX "/test_[^/]*$")
        get_filename_component(room ${folder} NAME)
        string(REGEX REPLACE "^test_" "test_${room}_" target ${name})
        add_executable(${target} ${source} ${helpers} ${support})
        target_compile_options(${target} PRIVATE ${BEAM_WARNINGS})
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
        target_compile_definitions(${target} PRIVATE
            BEAM_SOURCE_DIR="${PROJECT_SOURCE_DIR}" BEAM_BUILD_DIR="${PROJECT_BINARY_DIR}")
        if(EXISTS ${shared_data})
            target_compile_definitions(${target} PRIVATE BEAM_SHARED_DATA_DIR="${shared_data}")
        endif()
        if(room IN_LIST BEAM_ROOMS)
            beam_room_closure(${room} rooms)
        else()
            set(rooms ${BEAM_ROOMS})
        endif()
        add_dependencies(${target} beam_protos)
        beam_link_rooms(${target} ${rooms})
        target_link_libraries(${target} PRIVATE PkgConfig::CMOCKA)
        set_target_properties(${target} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
        add_test(NAME ${target} COMMAND ${target})
        set_tests_properties(${target} PROPERTIES LABELS ${room} TIMEOUT ${BEAM_TEST_TIMEOUT})
    endforeach()
endfunction()
