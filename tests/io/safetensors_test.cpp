#include "support/fixtures.hpp"

#include <ocelli/io/safetensors.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

using ocelli::format_error;
using ocelli::invalid_argument;
using ocelli::io_error;
using ocelli::safetensors_dtype;
using ocelli::safetensors_entry;
using ocelli_test::golden;

namespace {

std::vector<std::byte> file_of(const std::string& header, std::size_t data_bytes, std::uint64_t said = 0) {
    const std::uint64_t length = said == 0 ? header.size() : said;
    std::vector<std::byte> out(8 + header.size() + data_bytes);
    std::memcpy(out.data(), &length, 8);
    std::memcpy(out.data() + 8, header.data(), header.size());
    return out;
}

std::string row(const std::string& name, const std::string& type, const std::string& shape, const std::string& offsets) {
    return ocelli::detail::concat("\"", name, "\":{\"dtype\":\"", type, "\",\"shape\":", shape, ",\"data_offsets\":", offsets, "}");
}

std::string object(const std::string& first, const std::string& second = "") {
    return ocelli::detail::concat("{", first, second.empty() ? "" : ",", second, "}");
}

std::string refusal(const std::vector<std::byte>& bytes) {
    try {
        (void)ocelli::read_safetensors(bytes);
    } catch (const format_error& e) {
        return e.what();
    }
    return "read without complaint";
}
std::string refusal(const std::string& header, std::size_t data_bytes) {
    return refusal(file_of(header, data_bytes));
}

bool says(const std::string& message, const std::string& part) {
    INFO("message: ", message);
    const bool found = message.find(part) != std::string::npos && message.rfind("safetensors: ", 0) == 0;
    CHECK(found);
    return found;
}

std::vector<std::byte> bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

template <class T>
std::vector<T> six(const ocelli::safetensors_file& file, const std::string& name) {
    const auto x = file.as<T, 2>(name);
    CHECK(x.shape()[0] == 2);
    CHECK(x.shape()[1] == 3);
    return {x.begin(), x.end()};
}

}  // namespace

TEST_CASE("a file of the reference package is read: every type, names, text, empty arrays and single numbers") {
    const auto file = ocelli::read_safetensors(golden("io/safetensors/types.safetensors"));
    CHECK(file.entries().size() == 16);
    CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}});
    CHECK(six<double>(file, "layer.float64") == std::vector<double>{0, 3, 6, 9, 12, 15});
    CHECK(six<float>(file, "layer.float32") == std::vector<float>{0, 3, 6, 9, 12, 15});
    CHECK(six<std::int64_t>(file, "layer.int64") == std::vector<std::int64_t>{0, 3, 6, 9, 12, 15});
    CHECK(six<std::int32_t>(file, "layer.int32") == std::vector<std::int32_t>{0, 3, 6, 9, 12, 15});
    CHECK(six<std::int16_t>(file, "layer.int16") == std::vector<std::int16_t>{0, 3, 6, 9, 12, 15});
    CHECK(six<std::int8_t>(file, "layer.int8") == std::vector<std::int8_t>{0, 3, 6, 9, 12, 15});
    CHECK(six<std::uint64_t>(file, "layer.uint64") == std::vector<std::uint64_t>{0, 3, 6, 9, 12, 15});
    CHECK(six<std::uint32_t>(file, "layer.uint32") == std::vector<std::uint32_t>{0, 3, 6, 9, 12, 15});
    CHECK(six<std::uint16_t>(file, "layer.uint16") == std::vector<std::uint16_t>{0, 3, 6, 9, 12, 15});
    CHECK(six<std::uint8_t>(file, "layer.uint8") == std::vector<std::uint8_t>{0, 3, 6, 9, 12, 15});
    CHECK(file.as<bool, 1>("bool") == xt::xtensor<bool, 1>{true, false, true});
    CHECK(file.as<float, 0>("scalar")() == 2.5f);
    CHECK(file.as<float, 2>("none").size() == 0);
    CHECK(file.as<std::int8_t, 1>("größe \"x\"")(0) == -1);
    const std::vector<unsigned char> half = {0x00, 0x00, 0x00, 0x42, 0x00, 0x46, 0x80, 0x48, 0x00, 0x4a, 0x80, 0x4b};
    CHECK(file.at("layer.float16").dtype == safetensors_dtype::float16);
    CHECK(std::memcmp(file.at("layer.float16").bytes.data(), half.data(), half.size()) == 0);
    CHECK(file.at("layer.bfloat16").dtype == safetensors_dtype::bfloat16);
    CHECK(ocelli::read_safetensors(golden("io/safetensors/float8.safetensors")).at("a").dtype == safetensors_dtype::float8_e4m3);
    CHECK(ocelli::read_safetensors(golden("io/safetensors/empty.safetensors")).entries().empty());
}

TEST_CASE("the writer gives the reference package's bytes, whatever the order of the arrays") {
    const auto path = golden("io/safetensors/types.safetensors");
    const auto file = ocelli::read_safetensors(path);
    const std::vector<safetensors_entry> reversed(file.entries().rbegin(), file.entries().rend());
    CHECK(ocelli::safetensors_bytes(reversed, file.metadata()) == bytes_of(path));
    CHECK(ocelli::safetensors_bytes({}) == bytes_of(golden("io/safetensors/empty.safetensors")));
}

TEST_CASE("what is written to a file is read again, and the memory lives as long as the last copy") {
    const auto path = (std::filesystem::temp_directory_path() / "ocelli_safetensors_test.safetensors").string();
    const std::vector<float> values = {1, 2, 3};
    const std::vector<safetensors_entry> entries = {{"v", safetensors_dtype::float32, {3}, std::as_bytes(std::span(values))}};
    ocelli::write_safetensors(path, entries, {{"k", "v"}});
    ocelli::safetensors_file copy = ocelli::read_safetensors(bytes_of(golden("io/safetensors/empty.safetensors")));
    {
        const auto file = ocelli::read_safetensors(path);
        copy = file;
    }
    std::filesystem::remove(path);
    CHECK(copy.as<float, 1>("v") == xt::xtensor<float, 1>{1, 2, 3});
    CHECK(copy.metadata().at("k") == "v");
    CHECK(copy.find("w") == nullptr);
}

TEST_CASE("an array that is not there, of another type or rank, is refused") {
    const auto file = ocelli::read_safetensors(file_of(object(row("a", "F32", "[2]", "[0,8]")), 8));
    CHECK_THROWS_WITH_AS((void)file.at("b"), "safetensors: has no array 'b' among its 1", invalid_argument);
    CHECK_THROWS_WITH_AS((void)(file.as<double, 1>("a")), "safetensors: 'a' is F32 (2), asked for as F64 of rank 1", invalid_argument);
    CHECK_THROWS_AS((void)(file.as<float, 2>("a")), invalid_argument);
    CHECK_THROWS_AS((void)ocelli::read_safetensors(std::string("/does/not/exist.safetensors")), io_error);
    CHECK_THROWS_AS((void)ocelli::read_safetensors(std::filesystem::temp_directory_path().string()), io_error);
}

TEST_CASE("a file cut anywhere is a format_error") {
    const auto whole = bytes_of(golden("io/safetensors/types.safetensors"));
    for (std::size_t n = 0; n < whole.size(); ++n) {
        CAPTURE(n);
        CHECK(refusal(std::vector<std::byte>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n))) != "read without complaint");
    }
}

TEST_CASE("lengths and offsets that contradict the file are refused") {
    says(refusal(std::vector<std::byte>(7)), "has 7 bytes, fewer than");
    says(refusal(file_of("{}", 0, 3)), "the header is said to have 3 bytes, the file has 10");
    says(refusal(file_of("{}", 0, 100'000'001)), "more than the limit of 100000000");
    says(refusal(file_of("{}", 0, ~std::uint64_t{0})), "more than the limit");
    says(refusal("[]", 0), "does not begin with '{'");
    says(refusal(object(row("a", "F32", "[2]", "[0,8]")), 4), "'a' has data_offsets outside the file's 4 bytes");
    says(refusal(object(row("a", "F32", "[2]", "[8,0]")), 8), "outside");
    says(refusal(object(row("a", "F32", "[2]", "[0]")), 8), "outside");
    says(refusal(object(row("a", "F32", "[3]", "[0,8]")), 8), "'a' has 8 bytes, which do not fit F32 (3)");
    says(refusal(object(row("a", "F32", "[4294967296,4294967296,4294967296]", "[0,8]")), 8), "do not fit");
    says(refusal(object(row("a", "U8", "[18446744073709551615]", "[0,8]")), 8), "do not fit");
    says(refusal(object(row("a", "U8", "[4]", "[0,4]"), row("b", "U8", "[4]", "[2,6]")), 6), "overlap or leave a gap");
    says(refusal(object(row("a", "U8", "[2]", "[0,2]"), row("b", "U8", "[2]", "[4,6]")), 6), "overlap or leave a gap");
    says(refusal(object(row("a", "U8", "[2]", "[0,2]")), 3), "the arrays have 2 bytes, the file 3");
}

TEST_CASE("a header that is not such a header is refused") {
    says(refusal("{", 0), "not valid JSON");
    says(refusal("{}x", 0), "not valid JSON");
    says(refusal("{\"a\":1}", 0), "a number where it may not stand");
    says(refusal("{\"a\":-1}", 0), "a negative number where");
    says(refusal("{\"a\":1.5}", 0), "a fraction where");
    says(refusal("{\"a\":null}", 0), "null where");
    says(refusal("{\"a\":true}", 0), "a boolean where");
    says(refusal("{\"a\":\"b\"}", 0), "a text where");
    says(refusal("{\"a\":[]}", 0), "a list where");
    says(refusal("{\"a\":{\"dtype\":{}}}", 0), "an object where");
    says(refusal("{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]]}}", 0), "a list where");
    says(refusal(ocelli::detail::concat("{\"a\":", std::string(100'000, '{')), 0), "safetensors");
    says(refusal(ocelli::detail::concat("{\"a\":{\"shape\":", std::string(100'000, '[')), 0), "a list where");
    says(refusal("{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 0), "'a' must have dtype, shape and data_offsets");
    says(refusal("{\"a\":{\"color\":\"U8\"}}", 0), "'a' has the unknown field 'color'");
    says(refusal("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0), "the field 'dtype' stands twice");
    says(refusal(object(row("a", "U8", "[0]", "[0,0]"), row("a", "U8", "[0]", "[0,0]")), 0), "'a' stands twice");
    says(refusal(object(row("a", "F33", "[0]", "[0,0]")), 0), "'a' has the unknown element type 'F33'");
    std::string many = "[1";
    for (int i = 0; i < 64; ++i) many += ",1";
    says(refusal(object(row("a", "U8", many + "]", "[0,1]")), 1), "'a' has more than 64 dimensions");
    says(refusal("{\"__metadata__\":{\"k\":1}}", 0), "a number where");
}

TEST_CASE("the writer refuses what readers would not take") {
    const std::byte bytes[4] = {};
    const auto refused = [&](std::vector<safetensors_entry> entries, const std::map<std::string, std::string>& metadata, const char* part) {
        std::string message;
        try {
            (void)ocelli::safetensors_bytes(entries, metadata);
        } catch (const invalid_argument& e) {
            message = e.what();
        }
        says(message, part);
    };
    refused({{"", safetensors_dtype::uint8, {4}, bytes}}, {}, "an array cannot be named ''");
    refused({{"__metadata__", safetensors_dtype::uint8, {4}, bytes}}, {}, "cannot be named");
    refused({{"a", safetensors_dtype::uint8, {4}, bytes}, {"a", safetensors_dtype::uint8, {4}, bytes}}, {}, "two arrays are named 'a'");
    refused({{"a", safetensors_dtype::uint8, {5}, bytes}}, {}, "'a' has 4 bytes, which do not fit U8 (5)");
    refused({{"a", safetensors_dtype::uint8, {-4}, bytes}}, {}, "do not fit");
    refused({{"a\xff", safetensors_dtype::uint8, {4}, bytes}}, {}, "not UTF-8");
    refused({}, {{"k", "\xff"}}, "not UTF-8");
    CHECK_THROWS_AS(ocelli::write_safetensors("/does/not/exist/file", {}), io_error);
}
