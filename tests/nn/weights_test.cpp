#include "support/fixtures.hpp"

#include <ocelli/nn/weights.hpp>

#include <filesystem>

using ocelli::format_error;
using ocelli::invalid_argument;
namespace nn = ocelli::nn;
using ocelli_test::golden;

TEST_CASE("weights of the reference package become tensors of their types") {
    const nn::state_dict all = nn::read_weights(golden("io/safetensors/types.safetensors"));
    CHECK(all.size() == 16);
    for (const nn::dtype type : {nn::dtype::float64, nn::dtype::float32, nn::dtype::float16, nn::dtype::bfloat16, nn::dtype::int64, nn::dtype::int32,
                                 nn::dtype::int16, nn::dtype::int8, nn::dtype::uint64, nn::dtype::uint32, nn::dtype::uint16, nn::dtype::uint8}) {
        const std::string name = "layer." + std::string(nn::name(type));
        CAPTURE(name);
        const nn::tensor& t = all.at(name, {2, 3});
        CHECK(t.type() == type);
        const nn::tensor wide = t.cast(nn::dtype::float64);
        for (int i = 0; i < 6; ++i) CHECK(wide.data<double>()[i] == 3.0 * i);
    }
    CHECK(all["bool"].values<bool>()[1] == false);
    CHECK(all["bool"].values<bool>()[2] == true);
    CHECK(all["scalar"].item() == 2.5);
    CHECK(all["none"].shape() == nn::dims{0, 4});
}

TEST_CASE("a scope holds the tensors of a module under their names inside it, without a copy") {
    const nn::state_dict all = nn::read_weights(golden("io/safetensors/types.safetensors"));
    const nn::state_dict layer = all.scope("layer");
    CHECK(layer.size() == 12);
    CHECK(layer["int8"].raw() == all["layer.int8"].raw());
    CHECK(!layer.contains("bool"));
    CHECK(all.scope("lay").size() == 0);
}

TEST_CASE("tensors outlive the dictionary they came from") {
    nn::tensor kept;
    {
        const nn::state_dict all = nn::read_weights(golden("io/safetensors/types.safetensors"));
        kept = all["layer.int64"];
    }
    CHECK(kept.values<std::int64_t>()[5] == 15);
}

TEST_CASE("what is written is read again") {
    nn::state_dict weights;
    weights.set("b", nn::tensor::from<bool>({2}, {true, false}));
    weights.set("conv.weight", nn::tensor::from<float>({1, 2, 1}, {1.5f, -2}));
    weights.set("conv.half", nn::tensor::from<float>({2}, {1.5f, -2}).cast(nn::dtype::bfloat16));
    const auto path = (std::filesystem::temp_directory_path() / "ocelli_weights_test.safetensors").string();
    nn::write_weights(path, weights);
    const nn::state_dict again = nn::read_weights(path);
    std::filesystem::remove(path);
    CHECK(again.size() == 3);
    CHECK(again["b"].values<bool>()[0]);
    CHECK(again.at("conv.weight", {1, 2, 1}).values<float>()[1] == -2);
    CHECK(again["conv.half"].type() == nn::dtype::bfloat16);
    CHECK(again["conv.half"].cast(nn::dtype::float32).values<float>()[0] == 1.5f);
}

TEST_CASE("missing names and wrong shapes are told with what there is") {
    nn::state_dict weights;
    weights.set("conv.weight", nn::tensor::from<float>({2}, {1, 2}));
    CHECK_THROWS_WITH_AS((void)weights["conv.bias"], "weights: no tensor is named 'conv.bias'; there are conv.weight", invalid_argument);
    CHECK_THROWS_WITH_AS((void)weights["fc.bias"], "weights: no tensor is named 'fc.bias'; there are none in its module", invalid_argument);
    CHECK_THROWS_WITH_AS((void)weights.at("conv.weight", {3}), "weights: 'conv.weight' has shape (2), expected (3)", invalid_argument);
    CHECK_THROWS_AS((void)nn::read_weights(golden("io/safetensors/float8.safetensors")), format_error);
    weights.set("absent", {});
    CHECK_THROWS_WITH_AS(nn::write_weights("unused", weights), "weights: 'absent' is absent", invalid_argument);
}
