# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: headers, both libraries, libbeam.pc, the CMake package, the tool
# beam, and oneDNN in a folder of its own beside them, so that an installed program needs no search
# path.  The installed tree may be moved as a whole: `cpack` makes an archive and a Debian package.

include(CMakePackageConfigHelpers)

set(BEAM_PRIVATE_LIBDIR ${CMAKE_INSTALL_LIBDIR}/libbeam)
set(BEAM_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/libbeam)

set_target_properties(beam_shared PROPERTIES
    EXPORT_NAME libbeam INSTALL_RPATH "$ORIGIN/libbeam")
target_include_directories(beam_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

install(TARGETS beam_shared EXPORT libbeamTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS beam_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/beam DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
file(REAL_PATH ${OneDNN_LIBRARY} _onednn_file)
install(FILES ${_onednn_file} DESTINATION ${BEAM_PRIVATE_LIBDIR} RENAME libdnnl.so.3)
get_filename_component(_onednn_root ${OneDNN_LIBRARY} DIRECTORY)
install(DIRECTORY ${_onednn_root}/../share/doc/onednn/ OPTIONAL
    DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/libbeam/onednn)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/share/ DESTINATION ${CMAKE_INSTALL_DATADIR}/libbeam
        PATTERN models EXCLUDE PATTERN results EXCLUDE) # links to what follows
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATADIR}/libbeam)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/results DESTINATION ${CMAKE_INSTALL_DATADIR}/libbeam
    FILES_MATCHING PATTERN "*.json" REGEX "/results/[a-z0-9]+$" EXCLUDE) # its folders are for the pages alone
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE
    DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/libbeam)

# The prefix as seen from libbeam.pc, so that the installed tree may be moved.
file(RELATIVE_PATH BEAM_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/packaging/libbeam.pc.in libbeam.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/libbeam.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(EXPORT libbeamTargets NAMESPACE libbeam:: DESTINATION ${BEAM_CMAKEDIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/packaging/libbeamConfig.cmake.in
    ${PROJECT_BINARY_DIR}/libbeamConfig.cmake INSTALL_DESTINATION ${BEAM_CMAKEDIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/libbeamConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/libbeamConfig.cmake
    ${PROJECT_BINARY_DIR}/libbeamConfigVersion.cmake DESTINATION ${BEAM_CMAKEDIR})

# The tool beam, and what it says of itself: its manual page and completion, made by it.
if(BEAM_PROGRAMS)
    file(RELATIVE_PATH _private /${CMAKE_INSTALL_BINDIR} /${BEAM_PRIVATE_LIBDIR})
    set_target_properties(beam PROPERTIES INSTALL_RPATH "$ORIGIN/${_private}")
    install(TARGETS beam RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    set(_said ${PROJECT_BINARY_DIR}/said)
    file(MAKE_DIRECTORY ${_said})
    foreach(_format man bash zsh)
        add_custom_command(TARGET beam POST_BUILD
            COMMAND $<TARGET_FILE:beam> --help=${_format} > ${_said}/beam.${_format} VERBATIM)
    endforeach()
    install(FILES ${_said}/beam.man DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 RENAME beam.1)
    install(FILES ${_said}/beam.bash RENAME beam
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${_said}/beam.zsh RENAME _beam
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()

set(CPACK_GENERATOR TGZ DEB)
set(CPACK_PACKAGE_NAME libbeam)
set(CPACK_PACKAGE_VENDOR "The libbeam Authors")
set(CPACK_PACKAGE_CONTACT "The libbeam Authors")
set(CPACK_STRIP_FILES ON)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# What is opened when it is first used, and what programs that are linked with libbeam.a need.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libcurl4, libssl3, libgrpc29, libnghttp2-14, libgomp1, \
libprotobuf-c-dev, libxxhash-dev, libzstd-dev, zlib1g-dev, libpng-dev, libjpeg62-turbo-dev, libjansson-dev")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/triggers)
include(CPack)
