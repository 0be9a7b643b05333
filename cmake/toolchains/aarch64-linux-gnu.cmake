# Debian's cross compiler for 64-bit Arm (g++-aarch64-linux-gnu); what it builds runs here under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;/usr/aarch64-linux-gnu)
# The packages are headers, which this machine's own serve.
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
file(GLOB CMAKE_PREFIX_PATH "/usr/lib/*-linux-gnu/cmake")
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
