# Installs the build tree into a fresh prefix.
file(REMOVE_RECURSE "${PREFIX}")
execute_process(COMMAND ${CMAKE_COMMAND} --install "${BUILD}" --prefix "${PREFIX}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE config "${PREFIX}/ocelli-config.cmake")
if(NOT config)
  message(FATAL_ERROR "no ocelli-config.cmake below ${PREFIX}")
endif()
