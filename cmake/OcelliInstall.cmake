# Install rules and the package files behind find_package(ocelli CONFIG).
include(CMakePackageConfigHelpers)
set(ocelli_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ocelli")
set(ocelli_targets ocelli)
if(TARGET ocelli_compiled)
  list(APPEND ocelli_targets ocelli_compiled)
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/ocelli" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/ocelli")
install(TARGETS ${ocelli_targets} EXPORT ocelli-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT ocelli-targets NAMESPACE ocelli:: DESTINATION "${ocelli_package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/ocelli-config.cmake.in" "${PROJECT_BINARY_DIR}/ocelli-config.cmake"
  INSTALL_DESTINATION "${ocelli_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/ocelli-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/ocelli-config.cmake" "${PROJECT_BINARY_DIR}/ocelli-config-version.cmake"
  DESTINATION "${ocelli_package_dir}")
