// ctest: per_isa
// Real pretrained networks from given input tensors, against the outputs of ONNX Runtime or PyTorch. "rel" is the largest absolute
// difference divided by the largest absolute value, as in the fixtures' page.
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

tensor load(const std::string& path) {
    const npy_array file = read_npy(path);
    REQUIRE(file.dtype() == npy_dtype::float32);
    tensor t(dtype::float32, dims(file.shape().begin(), file.shape().end()));
    std::memcpy(t.mutable_raw(), file.raw().data(), t.bytes());
    return t;
}

double rel(const tensor& got, const tensor& expected) {
    REQUIRE(got.shape() == expected.shape());
    double worst = 0, largest = 0;
    for (std::int64_t i = 0; i < got.size(); ++i) {
        const double g = static_cast<double>(got.data<float>()[i]), e = static_cast<double>(expected.data<float>()[i]);
        worst = std::max(worst, std::abs(g - e));
        largest = std::max(largest, std::abs(e));
    }
    return worst / largest;
}

// OCELLI_TIMES=1 prints milliseconds beside the agreement.
void report(const char* what, const session& net, const feed_list& feeds, double error) {
    std::printf("%-28s rel %.2g", what, error);
    if (std::getenv("OCELLI_TIMES"))
        for (const std::size_t threads : {1u, 2u}) {
            double best = 1e9;
            for (int i = 0; i < 20; ++i) {
                const auto start = std::chrono::steady_clock::now();
                net.run(feeds, {.threads = threads});
                best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
            }
            std::printf("  %zu thread%s %.2f ms", threads, threads == 1 ? "" : "s", best);
        }
    std::printf("\n");
    if (const char* wanted = std::getenv("OCELLI_PROFILE"); wanted && std::string(what).find(wanted) == 0)
        std::printf("%s\n%s", text(net.profile(feeds, {.threads = 1})).c_str(), net.explain().c_str());
}

// The i-th image of a batch.
tensor image_of(const tensor& batch, std::int64_t i) {
    dims shape = batch.shape();
    shape[0] = 1;
    tensor t(dtype::float32, shape);
    std::memcpy(t.mutable_raw(), static_cast<const char*>(batch.raw()) + static_cast<std::size_t>(i) * t.bytes(), t.bytes());
    return t;
}

void run_ultraface(const std::string& model, const std::string& photo, const std::string& expected) {
    const session net(read_onnx(model));
    const tensor input = load(photo);
    const auto out = net.run({{"input", input}});
    const double error = std::max(rel(out["scores"], load(expected + ".scores.npy")), rel(out["boxes"], load(expected + ".boxes.npy")));
    report("ultraface", net, {{"input", input}}, error);
    CHECK(error < 3e-6);
}

}  // namespace

TEST_CASE("ultraface gives ONNX Runtime's scores and boxes") {
    const std::string dir = ocelli_test::fixture("ultraface/");
    if (dir.empty()) return;
    run_ultraface(dir + "version-RFB-320.onnx", dir + "RFB-320.group.input.npy", dir + "RFB-320.group");
    run_ultraface(dir + "version-RFB-320.onnx", dir + "RFB-320.astronaut.input.npy", dir + "RFB-320.astronaut");
    run_ultraface(dir + "version-RFB-320_without_postprocessing.onnx", dir + "RFB-320.group.input.npy", dir + "RFB-320_without_postprocessing.group");
}

TEST_CASE("fastestdet gives ONNX Runtime's outputs") {
    const std::string dir = ocelli_test::fixture("fastestdet/");
    if (dir.empty()) return;
    const session net(read_onnx(dir + "FastestDet.onnx"));
    for (const std::string photo : {"3", "street"}) {
        const tensor input = load(dir + photo + ".input.npy");
        const double error = rel(net.run({{"input.1", input}})["758"], load(dir + photo + ".758.npy"));
        report("fastestdet", net, {{"input.1", input}}, error);
        // Against float64 ONNX Runtime itself errs by 7e-6 here, and sums in any other order by up to three times that.
        CHECK(error < 2.5e-5);
    }
}

TEST_CASE("the three networks of MTCNN give PyTorch's outputs") {
    const std::string dir = ocelli_test::fixture("mtcnn/");
    if (dir.empty()) return;
    for (const std::string part : {"pnet", "rnet", "onet"}) {
        const session net(read_onnx(dir + part + ".onnx"));
        const tensor input = load(dir + part + ".input.npy");
        REQUIRE(net.inputs().size() == 1);
        const feed_list feeds{{net.inputs()[0].name, input}};
        const auto out = net.run(feeds);
        double error = std::max(rel(out["boxes"], load(dir + part + ".boxes.npy")), rel(out["probabilities"], load(dir + part + ".probabilities.npy")));
        if (part == "onet") error = std::max(error, rel(out["landmarks"], load(dir + part + ".landmarks.npy")));
        report(part.c_str(), net, feeds, error);
        CHECK(error < 4e-6);
    }
}

TEST_CASE("resnet20 gives PyTorch's logits and classes") {
    const std::string dir = ocelli_test::fixture("resnet_cifar10/");
    if (dir.empty()) return;
    const session net(read_onnx(dir + "resnet20.onnx"));
    const tensor input = load(dir + "photos.input.npy");
    const tensor expected = load(dir + "photos.logits.npy");
    const tensor logits = net.run({{"image", input}})["logits"];
    report("resnet20 (15 images)", net, {{"image", input}}, rel(logits, expected));
    report("resnet20 (1 image)", net, {{"image", image_of(input, 0)}}, rel(logits, expected));
    CHECK(rel(logits, expected) < 1e-5);
    const auto labels = read_npy<std::int64_t, 1>(dir + "photos.labels.npy");
    int right = 0;
    for (std::int64_t i = 0; i < 15; ++i) {
        const float* row = logits.data<float>() + i * 10;
        right += std::max_element(row, row + 10) - row == labels(static_cast<std::size_t>(i));
    }
    CHECK(right == 12);
}

TEST_CASE("rounded to bfloat16, resnet20 finds the same classes on every photograph") {
    const std::string dir = ocelli_test::fixture("resnet_cifar10/");
    if (dir.empty()) return;
    const session net(read_onnx(dir + "resnet20.onnx"), {.precision = precision::bf16});
    const tensor input = load(dir + "photos.input.npy"), expected = load(dir + "photos.logits.npy");
    const tensor logits = net.run({{"image", input}})["logits"];
    report("resnet20 (bfloat16)", net, {{"image", input}}, rel(logits, expected));
    CHECK(rel(logits, expected) < 0.03);
    CHECK(rel(logits, expected) > 1e-5);  // it did round
    for (std::int64_t i = 0; i < 15; ++i) {
        const float *row = logits.data<float>() + i * 10, *plain = expected.data<float>() + i * 10;
        CHECK(std::max_element(row, row + 10) - row == std::max_element(plain, plain + 10) - plain);
    }
}

TEST_CASE("rounded to bfloat16, detectors and embeddings stay close to what they are in float") {
    const std::string dir = ocelli_test::fixture("");
    if (dir.empty()) return;
    const auto check = [&](const char* model, const char* photo, double most) {
        const session plain(read_onnx(dir + model)), half(read_onnx(dir + model), {.precision = precision::bf16});
        const tensor images = load(dir + photo), input = image_of(images, 0);
        const feed_list feeds{{plain.inputs()[0].name, input}};
        const auto expected = plain.run(feeds), got = half.run(feeds);
        double error = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) error = std::max(error, rel(got[i], expected[i]));
        report(model, half, feeds, error);
        CHECK(error < most);
        CHECK(error > 1e-5);
    };
    check("ultraface/version-RFB-320.onnx", "ultraface/RFB-320.group.input.npy", 0.05);
    check("fastestdet/FastestDet.onnx", "fastestdet/3.input.npy", 0.15);
    check("osnet/osnet_x0_25_msmt17.onnx", "osnet/persons.input.npy", 0.05);
    check("espnet/espnet_p2_q8_cityscapes.onnx", "espnet/street_1024x320.input.npy", 0.05);
}

TEST_CASE("espnet gives PyTorch's logits and labels") {
    const std::string dir = ocelli_test::fixture("espnet/");
    if (dir.empty()) return;
    const session net(read_onnx(dir + "espnet_p2_q8_cityscapes.onnx"));
    const tensor input = load(dir + "street_1024x320.input.npy");
    const tensor logits = net.run({{"image", input}})["logits"];
    REQUIRE(logits.shape() == dims{1, 20, 320, 1024});
    const tensor expected = load(dir + "street_1024x320.logits_every_4th.npy");
    tensor every4th(dtype::float32, expected.shape());
    for (std::int64_t c = 0; c < 20; ++c)
        for (std::int64_t y = 0; y < 80; ++y)
            for (std::int64_t x = 0; x < 256; ++x)
                every4th.mutable_data<float>()[(c * 80 + y) * 256 + x] = logits.data<float>()[(c * 320 + 4 * y) * 1024 + 4 * x];
    report("espnet", net, {{"image", input}}, rel(every4th, expected));
    CHECK(rel(every4th, expected) < 2e-5);
    const auto labels = read_npy<std::uint8_t, 2>(dir + "street_1024x320.labels.npy");
    int different = 0;
    for (std::int64_t i = 0; i < 320 * 1024; ++i) {
        std::int64_t best = 0;
        for (std::int64_t c = 1; c < 20; ++c)
            if (logits.data<float>()[c * 320 * 1024 + i] > logits.data<float>()[best * 320 * 1024 + i]) best = c;
        different += best != labels.data()[i];
    }
    CHECK(different <= 3);  // of 327680; two logits may tie within rounding
}

TEST_CASE("osnet gives ONNX Runtime's embeddings") {
    const std::string dir = ocelli_test::fixture("osnet/");
    if (dir.empty()) return;
    const session net(read_onnx(dir + "osnet_x0_25_msmt17.onnx"));
    const tensor input = load(dir + "persons.input.npy"), expected = load(dir + "persons.embeddings.npy");
    double error = 0;
    for (std::int64_t i = 0; i < 10; ++i) error = std::max(error, rel(net.run({{"images", image_of(input, i)}})["output"], image_of(expected, i)));
    report("osnet", net, {{"images", image_of(input, 0)}}, error);
    CHECK(error < 1e-5);
}

TEST_CASE("nanotrack runs on both crop sizes of its backbone, and its head") {
    const std::string dir = ocelli_test::fixture("nanotrack/");
    if (dir.empty()) return;
    const session backbone(read_onnx(dir + "nanotrack_v2_backbone.onnx"));
    const tensor small = load(dir + "template.input.npy"), large = load(dir + "search.input.npy");
    const tensor f1 = load(dir + "template.features.npy"), f2 = load(dir + "search.features.npy");
    const double e2 = rel(backbone.run({{"input", large}})["output"], f2), e1 = rel(backbone.run({{"input", small}})["output"], f1);
    report("nanotrack backbone 255", backbone, {{"input", large}}, e2);
    report("nanotrack backbone 127", backbone, {{"input", small}}, e1);
    CHECK(e1 < 1e-5);
    CHECK(e2 < 1e-5);
    const session head(read_onnx(dir + "nanotrack_v2_head.onnx"));
    const auto out = head.run({{"input1", f1}, {"input2", f2}});
    const double e3 = std::max(rel(out["output1"], load(dir + "head.output1.npy")), rel(out["output2"], load(dir + "head.output2.npy")));
    report("nanotrack head", head, {{"input1", f1}, {"input2", f2}}, e3);
    CHECK(e3 < 1e-5);
}
