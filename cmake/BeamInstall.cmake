# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: headers, both libraries, libbeam.pc, the CMake package, and
# oneDNN in a folder of its own beside them, so that an installed program needs no search path.

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
        PATTERN models EXCLUDE) # a link to what follows
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATADIR}/libbeam)
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
