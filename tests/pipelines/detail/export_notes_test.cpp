#include <ocelli/pipelines/detail/export_notes.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ocelli::detail;
using names = std::vector<std::string>;

TEST_CASE("class names are read as Python writes dictionaries and lists of strings") {
    CHECK(read_class_names("{0: 'person', 1: 'traffic light'}") == names{"person", "traffic light"});
    CHECK(read_class_names(R"({0: "driver's seat", 1: 'a "b" \'c\' \\', 2: 'x\ty'})") == names{"driver's seat", R"(a "b" 'c' \)", "x\ty"});
    CHECK(read_class_names("['a', 'b, {c}']") == names{"a", "b, {c}"});
    CHECK(read_class_names(" { 0 :'a' , 1:'b' } ") == names{"a", "b"});
    CHECK(read_class_names("{0: 'Füße'}") == names{"Füße"});
    CHECK(read_class_names(R"({0: '\xad\u2028\U0001f600\x41'})") == names{"\xC2\xAD\xE2\x80\xA8\xF0\x9F\x98\x80" "A"});
}

TEST_CASE("what is no list of names gives none") {
    for (const char* text : {"", "{", "{}", "[]", "person", "{0: 'a'", "{0: 'a',}", "{0: 'a'} b", "{1: 'a'}", "{0: 'a', 2: 'b'}", "{0: 'a', 0: 'b'}", "{0: a}", "{0 'a'}",
                             "{0: 'a]", "['a'}", "{0: 'a\\", R"({0: '\q'})", R"({0: '\x4'})", R"({0: '\u12'})", R"({0: '\U00110000'})", R"({0: '\x+1'})",
                             "{99999999999999999999: 'a'}", "[1]"}) {
        CAPTURE(text);
        CHECK(read_class_names(text).empty());
    }
}

TEST_CASE("a size is two numbers in brackets") {
    CHECK(read_image_size("[640, 480]") == ocelli::image_size{640, 480});
    CHECK(read_image_size("[ 1,2 ]") == ocelli::image_size{1, 2});
    for (const char* text : {"", "640", "[640]", "[640, 480, 3]", "[640, ]", "(640, 480)", "[640, 480", "[a, b]"}) {
        CAPTURE(text);
        CHECK_FALSE(read_image_size(text));
    }
}

TEST_CASE("notes that are missing or unreadable are empty") {
    const auto none = export_notes_of({});
    CHECK(none.task.empty());
    CHECK(none.class_names.empty());
    CHECK_FALSE(none.input_size);
    const auto some = export_notes_of({{"task", "pose"}, {"names", "no names"}, {"imgsz", "[32, 64]"}, {"author", "?"}});
    CHECK(some.task == "pose");
    CHECK(some.class_names.empty());
    CHECK(some.input_size == ocelli::image_size{32, 64});
}
