#pragma once

/// @file
/// Dense conditional random fields: the permutohedral lattice, mean-field inference, unary energies, and mean field as a network's layer.

#include <ocelli/crf/compatibility.hpp>
#include <ocelli/crf/crf_as_rnn.hpp>
#include <ocelli/crf/dense_crf.hpp>
#include <ocelli/crf/permutohedral_lattice.hpp>
#include <ocelli/crf/unary.hpp>
