# What our own tests, examples and benchmarks share; consumers never see it.
find_program(OCELLI_CCACHE ccache)
if(OCELLI_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${OCELLI_CCACHE}")
  if(TARGET ocelli_compiled)
    set_target_properties(ocelli_compiled PROPERTIES CXX_COMPILER_LAUNCHER "${OCELLI_CCACHE}")
  endif()
endif()

add_library(ocelli_development INTERFACE)
if(TARGET ocelli_compiled)
  target_link_libraries(ocelli_development INTERFACE ocelli::compiled)
else()
  target_link_libraries(ocelli_development INTERFACE ocelli::ocelli)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  set(ocelli_warnings -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(OCELLI_WARNINGS_AS_ERRORS)
    list(APPEND ocelli_warnings -Werror)
  endif()
  target_compile_options(ocelli_development INTERFACE ${ocelli_warnings})
  if(TARGET ocelli_compiled)
    target_compile_options(ocelli_compiled PRIVATE ${ocelli_warnings})
  endif()
endif()

# The presets lower the optimisation of tests and examples: the library's is what counts, and a test costs half the time. At -O1 GCC 12 gives false
# warnings of array bounds, overflows and null arguments out of the standard library, so that these are off there; the library is compiled with them.
set(OCELLI_TEST_FLAGS "" CACHE STRING "Compiler options of tests and examples")

# Two thirds of what Clang's sanitizers take for kernels, 500 s, is to check the arithmetic of every pointer in every unrolled tile. There alone it is left
# out: an access by a pointer that wrapped is one that the address sanitizer reports.
if(TARGET ocelli_compiled AND CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_FLAGS MATCHES "sanitize=address")
  get_target_property(kernels ocelli_compiled SOURCES)
  list(FILTER kernels INCLUDE REGEX "/ocelli_(nn_kernels_impl_.*|nn_ops_impl_conv.*|core_impl_gemm.*|crf_impl_lattice)\\.inl\\.cpp$")
  set_source_files_properties(${kernels} PROPERTIES COMPILE_OPTIONS "-O1;-fno-sanitize=pointer-overflow")
endif()
