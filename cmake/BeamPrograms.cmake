# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Programs: tests, examples, tools, benchmarks, fuzzers; all found by their place and name.

# A program in bin/, linked with the archive; `settings` is beam_public for examples, which see
# what a user's program sees, and beam_settings for tools and benchmarks.
function(beam_program source settings)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source} ${ARGN})
    target_link_libraries(${name} PRIVATE beam_static ${settings})
    target_compile_options(${name} PRIVATE ${BEAM_WARNINGS})
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

include(CheckCCompilerFlag)

function(beam_programs)
    file(GLOB examples CONFIGURE_DEPENDS
        ${PROJECT_SOURCE_DIR}/examples/*.c ${PROJECT_SOURCE_DIR}/examples/*/*.c)
    file(GLOB tools CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/*.c)
    file(GLOB benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/bench_*.c)
    file(GLOB bench_common CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/common/*.c)
    foreach(source IN LISTS examples)
        beam_program(${source} beam_public)
    endforeach()
    # A tool's further files are in a folder of its name.
    foreach(source IN LISTS tools)
        get_filename_component(name ${source} NAME_WE)
        file(GLOB parts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/${name}/*.c)
        beam_program(${source} beam_settings ${parts})
        target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tools)
    endforeach()
    # What users' functions do is compiled as the hand-written peers are, for this very processor.
    check_c_compiler_flag(-march=native BEAM_HAVE_MARCH_NATIVE)
    if(BEAM_HAVE_MARCH_NATIVE)
        set_source_files_properties(${PROJECT_SOURCE_DIR}/bench/common/engine_jobs.c
            PROPERTIES COMPILE_OPTIONS -march=native)
    endif()
    foreach(source IN LISTS benches)
        beam_program(${source} beam_settings ${bench_common})
        get_filename_component(name ${source} NAME_WE)
        target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/bench)
        target_compile_definitions(${name} PRIVATE BENCH_SOURCE_DIR="${PROJECT_SOURCE_DIR}/bench")
    endforeach()
    add_subdirectory(${PROJECT_SOURCE_DIR}/bench/handwritten ${PROJECT_BINARY_DIR}/handwritten)
endfunction()

# tests/<room>/test_<name>.c -> test_<room>_<name>, labelled with its room.  Other C files in the
# folder are linked into each of its tests.  A folder that is no room's (tests/pipeline) gets
# everything.  tests/<folder>/test_<name>.sh is a test of the programs in bin/, run with BEAM_BIN.
#
# All run with the sanitizers' options that BEAM_TEST_ENVIRONMENT holds.  ASan is not to follow
# __tls_get_addr: where a block of a dlopened library's TLS happens to lie 16 bytes into a page, it
# takes what is before that for a header of glibc 2.19, and LeakSanitizer then crashes at exit.
set(BEAM_TEST_ENVIRONMENT
    "ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1:intercept_tls_get_addr=0"
    "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=second_deadlock_stack=1:ignore_noninstrumented_modules=1") # gRPC is none of ours

function(beam_tests)
    file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*/test_*.c)
    # Opened by tests as an accelerator's plugin.
    add_library(pjrt_fake MODULE ${PROJECT_SOURCE_DIR}/tests/support/pjrt_fake/pjrt_fake.c)
    target_compile_options(pjrt_fake PRIVATE ${BEAM_WARNINGS})
    target_link_libraries(pjrt_fake PRIVATE beam_settings)
    set_target_properties(pjrt_fake PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
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
        if(room MATCHES "^(device|ml)$")
            add_dependencies(${target} pjrt_fake)
        endif()
        beam_link_rooms(${target} ${rooms})
        target_link_libraries(${target} PRIVATE PkgConfig::CMOCKA PkgConfig::YAML)
        set_target_properties(${target} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
        add_test(NAME ${target} COMMAND ${target})
        set_tests_properties(${target} PROPERTIES LABELS ${room} TIMEOUT ${BEAM_TEST_TIMEOUT}
            ENVIRONMENT "${BEAM_TEST_ENVIRONMENT}")
    endforeach()
    file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*/test_*.sh)
    foreach(script IN LISTS scripts)
        get_filename_component(name ${script} NAME_WE)
        get_filename_component(folder ${script} DIRECTORY)
        get_filename_component(room ${folder} NAME)
        string(REGEX REPLACE "^test_" "test_${room}_" name ${name})
        add_test(NAME ${name} COMMAND bash ${script})
        set_tests_properties(${name} PROPERTIES LABELS ${room} TIMEOUT ${BEAM_TEST_TIMEOUT}
            SKIP_RETURN_CODE 77
            ENVIRONMENT "${BEAM_TEST_ENVIRONMENT};BEAM_BIN=${PROJECT_BINARY_DIR}/bin;BEAM_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
    endforeach()
endfunction()

# fuzz/fuzz_<name>.c, an LLVMFuzzerTestOneInput, with its corpus in fuzz/corpus/<name>/.  With
# BEAM_FUZZ it becomes a libFuzzer program; else a test that goes through the corpus once.
function(beam_fuzzers)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fuzz/fuzz_*.c)
    foreach(source IN LISTS sources)
        get_filename_component(target ${source} NAME_WE)
        string(REGEX REPLACE "^fuzz_" "" name ${target})
        add_executable(${target} ${source})
        add_dependencies(${target} beam_protos)
        target_compile_options(${target} PRIVATE ${BEAM_WARNINGS})
        set_target_properties(${target} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
        beam_link_rooms(${target} ${BEAM_ROOMS})
        if(BEAM_FUZZ)
            target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        else()
            target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/fuzz/standalone_main.c)
            add_test(NAME ${target}
                COMMAND ${target} ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
            set_tests_properties(${target} PROPERTIES LABELS fuzz TIMEOUT ${BEAM_TEST_TIMEOUT}
                ENVIRONMENT "${BEAM_TEST_ENVIRONMENT}")
        endif()
    endforeach()
endfunction()
