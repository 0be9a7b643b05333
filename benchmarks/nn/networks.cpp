// Whole networks through a session: the real ones of the fixtures folder (OCELLI_FIXTURES, or shared/fixtures beside the checkout) and the
// bundled detector; with --models FOLDER those in that folder instead, each *.onnx under its own name. Input i there is NAME.in<i>.npy beside the
// model where that exists, otherwise uniform numbers of the stream 1 + i (support/inputs.hpp). --bf16 before all others rounds products to bfloat16. --list prints `case<TAB>model` and runs nothing;
// --save also writes what was fed: <case>.in0.npy, <case>.out0.npy, ... in the model's order.
#include "support/bench.hpp"
#include "support/inputs.hpp"

#include <ocelli/nn/session.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

using namespace ocelli_benchmark;
using ocelli::nn::tensor;

namespace {

struct network {
    std::string name, model;
    /// Files of the inputs, in the model's order; none: uniform numbers of the declared shape.
    std::vector<std::string> inputs;
    /// Only the first image of the file.
    bool first_image = false;
};

const std::vector<network> networks = {
    {"ultraface 320x240", "ultraface/version-RFB-320.onnx", {"ultraface/RFB-320.group.input.npy"}},
    {"fastestdet 352x352", "fastestdet/FastestDet.onnx", {"fastestdet/3.input.npy"}},
    {"mtcnn pnet 342x239", "mtcnn/pnet.onnx", {"mtcnn/pnet.input.npy"}},
    {"mtcnn rnet 10 crops", "mtcnn/rnet.onnx", {"mtcnn/rnet.input.npy"}},
    {"mtcnn onet 10 crops", "mtcnn/onet.onnx", {"mtcnn/onet.input.npy"}},
    {"resnet20 1 image", "resnet_cifar10/resnet20.onnx", {"resnet_cifar10/photos.input.npy"}, true},
    {"resnet20 15 images", "resnet_cifar10/resnet20.onnx", {"resnet_cifar10/photos.input.npy"}},
    {"espnet 1024x320", "espnet/espnet_p2_q8_cityscapes.onnx", {"espnet/street_1024x320.input.npy"}},
    {"osnet 1 person", "osnet/osnet_x0_25_msmt17.onnx", {"osnet/persons.input.npy"}, true},
    {"nanotrack backbone 255", "nanotrack/nanotrack_v2_backbone.onnx", {"nanotrack/search.input.npy"}},
    {"nanotrack backbone 127", "nanotrack/nanotrack_v2_backbone.onnx", {"nanotrack/template.input.npy"}},
    {"nanotrack head", "nanotrack/nanotrack_v2_head.onnx", {"nanotrack/template.features.npy", "nanotrack/search.features.npy"}},
    {"scene_detector", "scene_detector.onnx", {}},
};

std::string path_of(const std::string& file) {
    if (std::filesystem::path(file).is_absolute()) return file;
    const std::string source = OCELLI_SOURCE_DIR;
    if (file == "scene_detector.onnx") return source + "/examples/models/" + file;
    const char* set = std::getenv("OCELLI_FIXTURES");
    return (set != nullptr ? std::string(set) : source + "/../shared/fixtures") + "/" + file;
}

tensor load(const std::string& path, bool first_image) {
    const ocelli::npy_array file = ocelli::read_npy(path);
    ocelli::nn::dims shape(file.shape().begin(), file.shape().end());
    if (first_image) shape[0] = 1;
    tensor t(ocelli::nn::dtype::float32, shape);
    std::memcpy(t.mutable_raw(), file.raw().data(), t.bytes());
    return t;
}

tensor random_input(const ocelli::nn::value_info& v, std::size_t i) {
    ocelli::nn::dims shape;
    for (const auto& d : v.shape.extents()) shape.push_back(d.known() ? d.size : 1);
    tensor t(ocelli::nn::dtype::float32, shape);
    const auto numbers = scores(static_cast<std::size_t>(t.size()), 1 + i);
    std::copy(numbers.begin(), numbers.end(), t.mutable_data<float>());
    return t;
}

void save(const bench& b, const std::string& name, const tensor& any) {
    const tensor t = any.cast(ocelli::nn::dtype::float32);  // labels are small whole numbers
    switch (t.rank()) {
    case 1: return b.save(name, t.view<float, 1>());
    case 2: return b.save(name, t.view<float, 2>());
    case 3: return b.save(name, t.view<float, 3>());
    case 4: return b.save(name, t.view<float, 4>());
    case 5: return b.save(name, t.view<float, 5>());
    default: ocelli::detail::fail(name, " has shape ", text(t));
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<network> wanted = networks;
    ocelli::nn::session_options options;
    if (argc > 1 && std::strcmp(argv[1], "--bf16") == 0) {
        options.precision = ocelli::nn::precision::bf16;
        ++argv;
        --argc;
    }
    if (argc > 2 && std::strcmp(argv[1], "--models") == 0) {
        wanted.clear();
        for (const auto& file : std::filesystem::directory_iterator(argv[2]))
            if (file.path().extension() == ".onnx") {
                const std::string model = std::filesystem::absolute(file.path()).string(), stem = model.substr(0, model.size() - 5);
                wanted.push_back({file.path().stem().string(), model, {}});
                for (int i = 0; std::filesystem::exists(stem + ".in" + std::to_string(i) + ".npy"); ++i)
                    wanted.back().inputs.push_back(stem + ".in" + std::to_string(i) + ".npy");
            }
        std::sort(wanted.begin(), wanted.end(), [](const network& a, const network& b) { return a.name < b.name; });
        argv += 2;
        argc -= 2;
    }
    const bench b(argc, argv);
    const bool list = argc > 1 && std::strcmp(argv[1], "--list") == 0;
    for (const network& n : wanted) {
        const std::string model = path_of(n.model);
        if (!std::filesystem::exists(model)) continue;
        if (list) {
            std::printf("%s\t%s\n", n.name.c_str(), model.c_str());
            continue;
        }
        if (!b.wanted(n.name)) continue;
        const ocelli::nn::session net(ocelli::nn::read_onnx(model), options);
        ocelli::nn::named_tensors feeds;
        for (std::size_t i = 0; i < net.inputs().size(); ++i) {
            if (net.inputs()[i].optional) continue;  // old files list their weights
            feeds.add(net.inputs()[i].name, i < n.inputs.size() ? load(path_of(n.inputs[i]), n.first_image) : random_input(net.inputs()[i], i));
            save(b, n.name + ".in" + std::to_string(i), feeds[i]);
        }
        const auto out = net.run(feeds);
        for (std::size_t i = 0; i < out.size(); ++i) save(b, n.name + ".out" + std::to_string(i), out[i]);
        b.run(n.name, "run", [&] { net.run(feeds); });
    }
}
