#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>

#include <Eigen/Core>
#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

#include <bit>
#include <cstring>
#include <filesystem>
#include <limits>

using ocelli::format_error;
using ocelli::npy_dtype;
using ocelli_test::golden;

namespace {

std::vector<std::byte> file_of(std::string header, std::size_t data_bytes, int major = 1) {
    std::vector<std::byte> out;
    const auto put = [&](std::size_t v) { out.push_back(static_cast<std::byte>(v & 255u)); };
    for (const char c : std::string("\x93NUMPY")) put(static_cast<unsigned char>(c));
    put(static_cast<std::size_t>(major));
    put(0);
    for (int i = 0; i < (major == 1 ? 2 : 4); ++i) put(header.size() >> (8 * i));
    for (const char c : header) put(static_cast<unsigned char>(c));
    out.resize(out.size() + data_bytes);
    return out;
}

std::string dict(const std::string& descr, const std::string& shape, const std::string& order = "False") {
    return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

std::string message_of(const std::vector<std::byte>& bytes) {
    try {
        (void)ocelli::read_npy(std::span<const std::byte>(bytes));
    } catch (const format_error& e) {
        return e.what();
    }
    return "";
}

// Element (i, j, k) of every typed golden file.
double expected(npy_dtype type, std::size_t i, std::size_t j, std::size_t k) {
    const auto n = static_cast<double>(i * 12 + j * 4 + k);
    if (type == npy_dtype::boolean) return static_cast<int>(n) % 3 == 0 ? 1 : 0;
    if (type >= npy_dtype::uint8 && type <= npy_dtype::uint64) return n * 5;
    if (type < npy_dtype::uint8) return n * 5 - 60;
    return n / 4 - 3;
}

} // namespace

TEST_CASE("read_npy reads every element type in both byte orders and both axis orders") {
    for (const std::string type :
         {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"}) {
        for (const std::string order : {"little_c", "little_f", "big_c", "big_f"}) {
            const std::string path = golden("io/npy/" + type + "_" + order + ".npy");
            CAPTURE(path);
            const auto any = ocelli::read_npy(path);
            CHECK(ocelli::name(any.dtype()) == type);
            CHECK(any.shape() == std::vector<std::int64_t>{2, 3, 4});
            CHECK(any.header().fortran_order == (order.back() == 'f'));
            CHECK(any.header().big_endian == (order[0] == 'b' && ocelli::item_size(any.dtype()) > 1));
            const auto values = any.as<double, 3>();
            bool equal = true;
            for (std::size_t i = 0; i < 2; ++i)
                for (std::size_t j = 0; j < 3; ++j)
                    for (std::size_t k = 0; k < 4; ++k) equal = equal && values(i, j, k) == expected(any.dtype(), i, j, k);
            CHECK(equal);
        }
    }
}

TEST_CASE("read_npy gives an array in the file's own type") {
    const auto f = ocelli::read_npy<float, 3>(golden("io/npy/float32_big_f.npy"));
    CHECK(f(1, 2, 3) == 23.0f / 4 - 3);
    const auto u = ocelli::read_npy<std::uint8_t, 3>(golden("io/npy/uint8_little_f.npy"));
    CHECK(u(1, 2, 3) == 115);
    const auto b = ocelli::read_npy<bool, 3>(golden("io/npy/bool_little_c.npy"));
    CHECK(b(0, 0, 0));
    CHECK(!b(0, 0, 1));
    const auto l = ocelli::read_npy<std::int64_t, 3>(golden("io/npy/int64_big_c.npy"));
    CHECK(l(0, 0, 1) == -55);
}

TEST_CASE("read_npy widens every half exactly") {
    const auto halves = ocelli::read_npy<float, 1>(golden("io/npy/halves.npy"));
    const auto floats = ocelli::read_npy<float, 1>(golden("io/npy/halves_as_float.npy"));
    REQUIRE(halves.size() == floats.size());
    CHECK(std::memcmp(halves.data(), floats.data(), halves.size() * sizeof(float)) == 0);
}

TEST_CASE("read_npy reads versions 2.0 and 3.0, single numbers and empty arrays") {
    CHECK(ocelli::read_npy<float, 2>(golden("io/npy/version2.npy"))(1, 2) == 5);
    CHECK(ocelli::read_npy<float, 2>(golden("io/npy/version3.npy"))(1, 2) == 5);
    CHECK(ocelli::read_npy<double, 0>(golden("io/npy/scalar.npy"))() == 2.5);
    const auto empty = ocelli::read_npy<float, 3>(golden("io/npy/empty.npy"));
    CHECK(empty.shape()[0] == 2);
    CHECK(empty.shape()[1] == 0);
    CHECK(empty.size() == 0);
}

TEST_CASE("read_npy understands headers as other writers lay them out") {
    const auto bytes = file_of("{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"|u1\"}", 2);
    CHECK(ocelli::read_npy<std::uint8_t, 1>(bytes).size() == 2);
    CHECK(message_of(file_of(dict("=i4", "( 2 , 1 )"), 8)) == "");
    CHECK(message_of(file_of(dict("|i1", "(2,)"), 100)) == ""); // arrays may follow in the same file
}

TEST_CASE("write_npy writes what numpy.save writes, byte for byte") {
    xt::xtensor<float, 2> f = {{1.5f, -2.0f, 0.0f}, {3.0f, 4.0f, 5.0f}};
    xt::xtensor<std::int64_t, 1> l = {1, -2, 3};
    xt::xtensor<bool, 1> b = {true, false, true};
    xt::xtensor<double, 0> d = 2.5;
    xt::xtensor<std::uint8_t, 3> e = xt::xtensor<std::uint8_t, 3>::from_shape({3, 0, 2});
    const auto same = [](const std::vector<std::byte>& bytes, const std::string& name) {
        return bytes == ocelli::detail::read_file(golden("io/npy/" + name));
    };
    CHECK(same(ocelli::npy_bytes(f), "saved_float32.npy"));
    CHECK(same(ocelli::npy_bytes(l), "saved_int64.npy"));
    CHECK(same(ocelli::npy_bytes(b), "saved_bool.npy"));
    CHECK(same(ocelli::npy_bytes(d), "saved_float64.npy"));
    CHECK(same(ocelli::npy_bytes(e), "saved_uint8.npy"));
}

TEST_CASE("write_npy takes views, column-major arrays, Eigen and lazy expressions; read_npy gives them back") {
    xt::xtensor<float, 2> a = {{1, 2, 3}, {4, 5, 6}};
    const std::string path = (std::filesystem::temp_directory_path() / "ocelli_npy_test.npy").string();
    ocelli::write_npy(path, xt::view(a, xt::all(), xt::range(1, 3)));
    CHECK(ocelli::read_npy<float, 2>(path) == xt::xtensor<float, 2>{{2, 3}, {5, 6}});
    xt::xtensor<float, 2, xt::layout_type::column_major> column = a;
    ocelli::write_npy(path, column);
    CHECK(ocelli::read_npy<float, 2>(path) == a);
    ocelli::write_npy(path, a * 2.0f);
    CHECK(ocelli::read_npy<float, 2>(path) == xt::xtensor<float, 2>{{2, 4, 6}, {8, 10, 12}});
    std::filesystem::remove(path);

    const std::vector<std::byte> bytes = ocelli::npy_bytes(a);
    CHECK(ocelli::npy_bytes(xt::xarray<float>(a)) == bytes);
    const float plain[] = {1, 2, 3, 4, 5, 6};
    CHECK(ocelli::npy_bytes(ocelli::view(plain, {2, 3})) == bytes);
    CHECK(ocelli::npy_bytes(std::vector<std::array<float, 3>>{{1, 2, 3}, {4, 5, 6}}) == bytes);
    CHECK(ocelli::npy_bytes(Eigen::Matrix<float, 2, 3>{{1, 2, 3}, {4, 5, 6}}) == bytes);
    CHECK(ocelli::npy_bytes(Eigen::Vector2d(1, 2)) == ocelli::npy_bytes(std::vector<double>{1, 2}));
    CHECK_THROWS_WITH_AS(ocelli::npy_bytes(xt::xarray<float>::from_shape({1, 1, 1, 1, 1, 1, 1, 1, 1})),
                         "npy_bytes: array must have at most 8 dimensions, got 9", ocelli::invalid_argument);
}

TEST_CASE("read_npy converts where NumPy calls it safe and refuses the rest") {
    const auto bytes = ocelli::npy_bytes(xt::xtensor<float, 1>{1.5f, 2.0f});
    CHECK(ocelli::read_npy<double, 1>(bytes)(0) == 1.5);
    CHECK_THROWS_WITH_AS(
        (ocelli::read_npy<std::int32_t, 1>(bytes)),
        "npy: holds float32, which does not convert safely to int32; read it as it is and convert with xt::cast", format_error);
    const auto doubles = ocelli::npy_bytes(xt::xtensor<double, 1>{1.5});
    CHECK_THROWS_AS((ocelli::read_npy<float, 1>(doubles)), format_error);
    using enum npy_dtype;
    const npy_dtype all[] = {boolean, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64};
    const auto can_cast = ocelli::read_npy<bool, 2>(golden("io/npy/can_cast.npy"));
    for (const npy_dtype from : all)
        for (const npy_dtype to : all) {
            if (to == float16) continue;
            CAPTURE(ocelli::name(from));
            CAPTURE(ocelli::name(to));
            CHECK(ocelli::detail::npy_converts(from, to) ==
                  can_cast(static_cast<std::size_t>(from), static_cast<std::size_t>(to)));
        }
}

TEST_CASE("read_npy names what is wrong with a file") {
    const auto good = file_of(dict("<f4", "(2, 3)"), 24);
    CHECK_THROWS_WITH_AS((ocelli::read_npy<float, 3>(good)), "npy: expected 3 dimensions, the file's shape is (2, 3)",
                         format_error);
    CHECK_THROWS_AS(ocelli::read_npy(golden("io/npy/absent.npy")), ocelli::io_error);
    CHECK_THROWS_AS(ocelli::read_npy(golden("io/npy")), ocelli::io_error);
    CHECK(message_of({}) == "npy: not a .npy file");
    CHECK(message_of(std::vector<std::byte>(100)) == "npy: not a .npy file");
    CHECK(message_of(file_of(dict("<f4", "(2, 3)"), 23)) == "npy: shape (2, 3) of float32 needs 24 bytes, the file has 23");
    CHECK(message_of(file_of(dict("<f4", "(2, 3)"), 24, 4)) == "npy: .npy version 4.0 is not known");
    CHECK(message_of(file_of(dict("<c8", "(2, 3)"), 48)).find("'<c8' are not supported") != std::string::npos);
    CHECK(message_of(file_of(dict("|O", "(2, 3)"), 48)).find("'|O' are not supported") != std::string::npos);
    CHECK(message_of(file_of(dict("|f4", "(2, 3)"), 24)) == "npy: the type '|f4' has no byte order");
    CHECK(message_of(file_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8)).find("records") !=
          std::string::npos);
    CHECK(message_of(file_of(dict("<f4", "(-2, 3)"), 24)) == "npy: the shape must be a tuple of whole numbers");
    CHECK(message_of(file_of(dict("<f4", "(99999999999999999999,)"), 24)) == "npy: an extent of the shape is too large");
    CHECK(message_of(file_of(dict("<f4", "(2, 3)", "Maybe"), 24)) == "npy: fortran_order must be True or False");
    CHECK(message_of(file_of("{'descr': '<f4', 'shape': (2,), }", 8)) == "npy: the header lacks descr, fortran_order or shape");
    CHECK(message_of(file_of("{'descr': '<f4', 'descr': '<f4', }", 8)) == "npy: the header names 'descr' twice");
    CHECK(message_of(file_of("{'colour': 3}", 8)) == "npy: the header has an unknown key 'colour'");
    CHECK(message_of(file_of(dict("<f4", "(2,)") + "x", 8)) == "npy: the header goes on behind its dictionary");
    CHECK(message_of(file_of("{'descr': '<f4", 8)) == "npy: a string in the header does not end");
    CHECK(message_of(file_of("{'descr': 4}", 8)) == "npy: a string expected at character 10 of the header");
    CHECK(message_of(file_of("{'descr' '<f4'}", 8)) == "npy: ':' expected at character 9 of the header");
}

TEST_CASE("read_npy refuses shapes whose products overflow, a zero among them or not") {
    for (const char* shape : {"(4294967296, 4294967296)", "(4294967296, 4294967296, 0)", "(9223372036854775807,)",
                              "(3, 3074457345618258603)", "(0, 9223372036854775807)"}) {
        CAPTURE(shape);
        CHECK(message_of(file_of(dict("<f8", shape), 64)).find("is too large") != std::string::npos);
    }
    std::string many = "(";
    for (int i = 0; i < 65; ++i) many += "1, ";
    CHECK(message_of(file_of(dict("|i1", many + ")"), 1)) == "npy: the shape has more than 64 dimensions");
}

TEST_CASE("read_npy survives every truncation and every changed byte of a header") {
    const auto good = ocelli::npy_bytes(xt::xtensor<float, 2>{{1, 2}, {3, 4}});
    for (std::size_t n = 0; n < good.size(); ++n) {
        const std::vector<std::byte> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
        CHECK_THROWS_AS(ocelli::read_npy(std::span<const std::byte>(cut)), format_error);
    }
    std::size_t refused = 0;
    for (std::size_t i = 0; i < 128; ++i)
        for (int value = 0; value < 256; ++value) {
            auto changed = good;
            changed[i] = static_cast<std::byte>(value);
            try {
                const auto any = ocelli::read_npy(std::span<const std::byte>(changed));
                CHECK(any.raw().size() == any.header().byte_count());
            } catch (const format_error&) {
                ++refused;
            }
        }
    CHECK(refused > 10000);
}
