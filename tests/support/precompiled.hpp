#pragma once

// What most tests include and is dear to parse, precompiled once for all of them (OCELLI_PRECOMPILE_TESTS). Tests include what they need all the same:
// under a compiler cache, and in the preset `clang`, nothing is precompiled.
#include "support/fixtures.hpp"

#include <ocelli/core/tensor.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>
