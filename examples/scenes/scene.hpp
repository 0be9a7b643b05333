#pragma once

/// @file
/// A generator of small moving scenes with known answers: textured backgrounds over which discs, squares, triangles, stars,
/// rings and crosses move, turn, grow, shrink and cover each other. Every frame comes with exact boxes, masks, identities and
/// flow.
///
/// All decisions are taken in whole numbers: a seed gives the same bytes with every compiler, flag and processor.
///
///     scenes::scene scene(7);
///     scenes::frame frame = scene.render(0);     // frame.image, frame.boxes, frame.labels, frame.masks, frame.flow, ...

#include "shapes.hpp"

#include <ocelli/core/tensor.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace scenes {

/// What a scene looks like; lengths in pixels.
struct scene_options {
    int width = 256;
    int height = 192;
    int min_objects = 3;
    int max_objects = 10;
    int min_radius = 8; ///< of the circumscribed circle
    int max_radius = 42;
    int max_speed = 4; ///< pixels per frame
    bool moving_background = true;
};

/// A rendered picture and all that is true about it. N objects are visible (at least one pixel), in drawing order: a later one
/// covers an earlier one.
struct frame {
    xt::xtensor<std::uint8_t, 3> image;  ///< (H, W, 3) red, green, blue
    xt::xtensor<float, 2> boxes;         ///< (N, 4) x1 y1 x2 y2, tight around the *visible* pixels: pixel x spans [x, x + 1]
    xt::xtensor<float, 2> full_boxes;    ///< (N, 4) of the whole object, covered parts and parts outside the frame included
    xt::xtensor<std::int64_t, 1> labels; ///< (N) a `shape`, index into class_names
    xt::xtensor<std::int64_t, 1> ids;    ///< (N) the same object has the same id in every frame of its scene
    xt::xtensor<float, 1> visibility;    ///< (N) visible pixels / all pixels of the object, in (0, 1]
    xt::xtensor<std::uint8_t, 3> masks;  ///< (N, H, W) 1 where the object is what one sees
    xt::xtensor<float, 3> flow;          ///< (H, W, 2) where each pixel's point goes until the next frame, u and v in pixels
};

namespace detail {

using colour = std::array<int, 3>;

constexpr int colour_distance(const colour& a, const colour& b) {
    int sum = 0;
    for (std::size_t k = 0; k < 3; ++k) sum += a[k] < b[k] ? b[k] - a[k] : a[k] - b[k];
    return sum;
}

constexpr colour random_colour(random_stream& random) {
    return {static_cast<int>(random.between(16, 239)), static_cast<int>(random.between(16, 239)),
            static_cast<int>(random.between(16, 239))};
}

constexpr colour blend(const colour& a, const colour& b, std::int64_t weight_of_256) {
    colour out{};
    for (std::size_t k = 0; k < 3; ++k) out[k] = a[k] + static_cast<int>(((b[k] - a[k]) * weight_of_256) >> 8);
    return out;
}

/// A colour `amount` lighter or darker than another.
constexpr colour shade(const colour& base, int amount) {
    colour out{};
    for (std::size_t k = 0; k < 3; ++k) out[k] = std::clamp(base[k] + amount, 0, 255);
    return out;
}

/// Where an object is at a moment: centre and radius in pixels with 16 fractional bits, angle in 65536ths of a turn.
struct pose {
    std::int64_t x, y, radius, sine, cosine;
};

/// What a solid object is: its shape, its paint and how it moves.
struct object {
    shape kind;
    colour paint, second_paint;
    int pattern; // 0 plain, 1 stripes, 2 checks, 3 rings, 4 mottled
    std::int64_t pattern_size;
    std::uint64_t seed;
    std::int64_t x, y, speed_x, speed_y; // 16 fractional bits; x and y counted from the border of the walk
    std::int64_t border;                 // how far the centre may leave the frame (negative: stays inside)
    std::int64_t radius, swell, swell_speed, swell_phase;
    std::int64_t angle, spin;
};

} // namespace detail

/// A scene: a background and objects whose places are known at every time.
class scene {
public:
    /// @param seed     any number; different seeds give unrelated scenes
    /// @throws std::invalid_argument  on sizes below 32 pixels or contradictory limits
    explicit scene(std::uint64_t seed, const scene_options& options = {}) : options_(options), seed_(detail::mix(seed)) {
        if (options.width < 32 || options.height < 32 || options.width > 8192 || options.height > 8192)
            throw std::invalid_argument("scene: width and height must be in [32, 8192]");
        if (options.min_objects < 0 || options.max_objects < options.min_objects || options.max_objects > 1000)
            throw std::invalid_argument("scene: need 0 <= min_objects <= max_objects <= 1000");
        if (options.min_radius < 3 || options.max_radius < options.min_radius || options.max_radius > 2048)
            throw std::invalid_argument("scene: need 3 <= min_radius <= max_radius <= 2048");
        if (options.max_speed < 0 || options.max_speed > 256)
            throw std::invalid_argument("scene: max_speed must be in [0, 256]");
        detail::random_stream random(seed_);
        make_background(random);
        const auto count = random.between(options.min_objects, options.max_objects);
        for (std::int64_t k = 0; k < count; ++k) objects_.push_back(make_object(random));
    }

    /// Number of objects that take part, visible or not.
    std::int64_t object_count() const { return static_cast<std::int64_t>(objects_.size()); }

    /// Renders the picture at a time (any whole number, also negative) and its answers.
    frame render(std::int64_t time) const {
        const auto w = static_cast<std::size_t>(options_.width), h = static_cast<std::size_t>(options_.height);
        std::vector<detail::colour> canvas(w * h);
        paint_background(time, canvas);

        const std::size_t count = objects_.size();
        std::vector<int> owner(w * h, -1);
        std::vector<std::int64_t> all_pixels(count, 0);
        std::vector<std::array<std::int64_t, 4>> full(count);
        for (std::size_t k = 0; k < count; ++k) paint_object(static_cast<int>(k), time, canvas, owner, all_pixels[k], full[k]);
        return answers(time, canvas, owner, all_pixels, full);
    }

private:
    using colour = detail::colour;
    using pose = detail::pose;
    using object = detail::object;
    static constexpr std::int64_t one = detail::one_q16;
    static constexpr std::int64_t half = one / 2;

    void make_background(detail::random_stream& random) {
        ground_ = detail::random_colour(random);
        do {
            second_ground_ = detail::random_colour(random);
        } while (detail::colour_distance(ground_, second_ground_) > 220);
        ground_kind_ = static_cast<int>(random.between(0, 4));
        ground_cell_ = random.between(12, 48);
        ground_angle_ = random.between(0, 65535);
        const std::int64_t most = options_.moving_background ? 3 * one / 2 : 0;
        drift_x_ = random.between(-most, most);
        drift_y_ = random.between(-most, most);
        light_x_ = random.between(-40, 40);
        light_y_ = random.between(-40, 40);
    }

    object make_object(detail::random_stream& random) const {
        object o{};
        o.kind = static_cast<shape>(random.between(0, class_count - 1));
        o.seed = random.next();
        // Small radii are likelier: the square of a uniform number.
        const std::int64_t share = random.between(0, 1024), span = (options_.max_radius - options_.min_radius) * one;
        o.radius = options_.min_radius * one + span * share / 1024 * share / 1024;
        for (int attempt = 0; attempt < 64; ++attempt) { // stands out from the ground and from the other objects
            o.paint = detail::random_colour(random);
            const int wanted = 150 - attempt;
            bool good = detail::colour_distance(o.paint, ground_) >= wanted &&
                        detail::colour_distance(o.paint, second_ground_) >= wanted;
            for (const object& other : objects_) good = good && detail::colour_distance(o.paint, other.paint) >= wanted - 50;
            if (good) break;
        }
        const int tone = static_cast<int>(random.between(35, 60));
        const bool dark = o.paint[0] + o.paint[1] + o.paint[2] > 384;
        o.second_paint = detail::shade(o.paint, dark ? -tone : tone);
        o.pattern = static_cast<int>(random.between(0, 4));
        o.pattern_size = random.between(one / 4, one / 2);
        o.border = o.radius * random.between(-6, 4) / 8;
        for (int attempt = 0; attempt < 24; ++attempt) { // at time 0 most objects keep clear of each other
            o.x = random.between(0, walk(options_.width, o));
            o.y = random.between(0, walk(options_.height, o));
            bool clear = true;
            for (const object& other : objects_) {
                const std::int64_t dx = (o.x - o.border - other.x + other.border) / 256,
                                   dy = (o.y - o.border - other.y + other.border) / 256;
                const std::int64_t reach = (o.radius + other.radius) / 256 * 3 / 4;
                clear = clear && dx * dx + dy * dy > reach * reach;
            }
            if (clear) break;
        }
        o.speed_x = random.between(-options_.max_speed * one, options_.max_speed * one);
        o.speed_y = random.between(-options_.max_speed * one, options_.max_speed * one);
        o.angle = random.between(0, 65535);
        o.spin = random.chance(25) ? 0 : random.between(-1000, 1000);
        o.swell = o.radius * random.between(0, 20) / 100;
        o.swell_speed = random.between(400, 1600);
        o.swell_phase = random.between(0, 65535);
        return o;
    }

    /// The length of the walk of an object's centre along an axis of `extent` pixels.
    static std::int64_t walk(int extent, const object& o) { return std::max(extent * one + 2 * o.border, one); }

    pose pose_at(const object& o, std::int64_t time) const {
        pose p{};
        p.x = detail::bounce(o.x, o.speed_x, time, walk(options_.width, o)) - o.border;
        p.y = detail::bounce(o.y, o.speed_y, time, walk(options_.height, o)) - o.border;
        p.radius = o.radius + ((o.swell * detail::sine_q30(o.swell_phase + o.swell_speed * time)) >> 30);
        p.sine = detail::sine_q30(o.angle + o.spin * time);
        p.cosine = detail::cosine_q30(o.angle + o.spin * time);
        return p;
    }

    /// An offset from the object's centre (16 fractional bits) in its own axes and in units of its radius, 30 fractional bits.
    static void to_local(const pose& p, std::int64_t dx, std::int64_t dy, std::int64_t& u, std::int64_t& v) {
        const std::int64_t c = (p.cosine << 16) / p.radius, s = (p.sine << 16) / p.radius;
        u = (c * dx + s * dy) >> 16;
        v = (c * dy - s * dx) >> 16;
    }

    static bool inside(const object& o, const pose& p, std::int64_t x, std::int64_t y) {
        std::int64_t u = 0, v = 0;
        to_local(p, x - p.x, y - p.y, u, v);
        return detail::contains(o.kind, u >> 14, v >> 14);
    }

    void paint_background(std::int64_t time, std::vector<colour>& canvas) const {
        const std::int64_t w = options_.width, h = options_.height;
        const std::int64_t s = detail::sine_q30(ground_angle_), c = detail::cosine_q30(ground_angle_);
        std::size_t at = 0;
        for (std::int64_t row = 0; row < h; ++row) {
            for (std::int64_t column = 0; column < w; ++column, ++at) {
                const std::int64_t x = column * one + half - drift_x_ * time, y = row * one + half - drift_y_ * time;
                std::int64_t grain = 0; // octaves of halving size and weight
                for (int octave = 0; octave < 4; ++octave) {
                    const auto cell = std::max<std::int64_t>(ground_cell_ >> octave, 2);
                    grain += detail::value_noise(seed_ + static_cast<std::uint64_t>(octave) * 77, x, y, cell) << (3 - octave);
                }
                grain /= 15;
                const std::int64_t along = (c * (x >> 8) + s * (y >> 8)) >> 38, across = (c * (y >> 8) - s * (x >> 8)) >> 38;
                std::int64_t weight = grain;
                switch (ground_kind_) {
                case 1:
                    weight = grain / 2 + (detail::floor_divide(along, ground_cell_ / 2) % 2 != 0 ? 100 : 0);
                    break;
                case 2:
                    weight =
                        grain / 2 +
                        ((detail::floor_divide(along, ground_cell_) + detail::floor_divide(across, ground_cell_)) % 2 != 0 ? 100
                                                                                                                           : 0);
                    break;
                case 3:
                    weight = std::clamp<std::int64_t>((grain - 112) * 8, 0, 200) + grain / 5;
                    break;
                case 4:
                    weight = detail::floor_divide(across, ground_cell_) % 3 != 0 ? grain : 255 - grain;
                    break;
                default:
                    break;
                }
                const std::int64_t light = light_x_ * (2 * column - w) / w + light_y_ * (2 * row - h) / h;
                canvas[at] = detail::shade(detail::blend(ground_, second_ground_, weight), static_cast<int>(light / 2));
            }
        }
    }

    colour paint_at(const object& o, std::int64_t u, std::int64_t v) const { // 16 fractional bits
        bool second = false;
        switch (o.pattern) {
        case 1:
            second = detail::floor_divide(u, o.pattern_size) % 2 != 0;
            break;
        case 2:
            second = (detail::floor_divide(u, o.pattern_size) + detail::floor_divide(v, o.pattern_size)) % 2 != 0;
            break;
        case 3:
            second = (u * u + v * v) / (o.pattern_size * one) % 2 != 0;
            break;
        case 4:
            return detail::blend(o.paint, o.second_paint, detail::value_noise(o.seed, u * 16, v * 16, 5));
        default:
            break;
        }
        return second ? o.second_paint : o.paint;
    }

    void paint_object(int index, std::int64_t time, std::vector<colour>& canvas, std::vector<int>& owner, std::int64_t& pixels,
                      std::array<std::int64_t, 4>& full) const {
        const object& o = objects_[static_cast<std::size_t>(index)];
        const pose p = pose_at(o, time);
        const std::int64_t x0 = ((p.x - p.radius) >> 16) - 1, x1 = ((p.x + p.radius) >> 16) + 2;
        const std::int64_t y0 = ((p.y - p.radius) >> 16) - 1, y1 = ((p.y + p.radius) >> 16) + 2;
        full = {x1, y1, x0, y0};
        for (std::int64_t y = y0; y < y1; ++y) {
            for (std::int64_t x = x0; x < x1; ++x) {
                const std::int64_t px = x * one + half, py = y * one + half;
                const bool centre = inside(o, p, px, py);
                if (centre) {
                    ++pixels;
                    full = {std::min(full[0], x), std::min(full[1], y), std::max(full[2], x + 1), std::max(full[3], y + 1)};
                }
                if (x < 0 || y < 0 || x >= options_.width || y >= options_.height) continue;
                int covered = centre ? 16 : 0;
                if (inside(o, p, px - half, py - half) != centre || inside(o, p, px + half, py - half) != centre ||
                    inside(o, p, px - half, py + half) != centre || inside(o, p, px + half, py + half) != centre) {
                    covered = 0; // an edge: 4 x 4 samples
                    for (std::int64_t i = 0; i < 16; ++i)
                        covered += inside(o, p, x * one + (2 * (i % 4) + 1) * one / 8, y * one + (2 * (i / 4) + 1) * one / 8);
                }
                const auto at = static_cast<std::size_t>(y * options_.width + x);
                if (centre) owner[at] = index;
                if (covered == 0) continue;
                std::int64_t u = 0, v = 0;
                to_local(p, px - p.x, py - p.y, u, v);
                canvas[at] = detail::blend(canvas[at], paint_at(o, u >> 14, v >> 14), covered * 16);
            }
        }
    }

    frame answers(std::int64_t time, const std::vector<colour>& canvas, const std::vector<int>& owner,
                  const std::vector<std::int64_t>& all_pixels, const std::vector<std::array<std::int64_t, 4>>& full) const {
        const auto w = static_cast<std::size_t>(options_.width), h = static_cast<std::size_t>(options_.height);
        const std::size_t count = objects_.size();
        std::vector<std::int64_t> seen(count, 0);
        std::vector<std::array<std::size_t, 4>> tight(count, {w, h, 0, 0});
        for (std::size_t y = 0; y < h; ++y)
            for (std::size_t x = 0; x < w; ++x) {
                const int k = owner[y * w + x];
                if (k < 0) continue;
                ++seen[static_cast<std::size_t>(k)];
                auto& b = tight[static_cast<std::size_t>(k)];
                b = {std::min(b[0], x), std::min(b[1], y), std::max(b[2], x + 1), std::max(b[3], y + 1)};
            }
        std::vector<std::size_t> visible;
        std::vector<pose> now, then;
        for (std::size_t k = 0; k < count; ++k) {
            if (seen[k] > 0) visible.push_back(k);
            now.push_back(pose_at(objects_[k], time));
            then.push_back(pose_at(objects_[k], time + 1));
        }

        const std::size_t n = visible.size();
        frame f;
        f.image = xt::xtensor<std::uint8_t, 3>::from_shape({h, w, 3});
        f.boxes = xt::xtensor<float, 2>::from_shape({n, 4});
        f.full_boxes = xt::xtensor<float, 2>::from_shape({n, 4});
        f.labels = xt::xtensor<std::int64_t, 1>::from_shape({n});
        f.ids = xt::xtensor<std::int64_t, 1>::from_shape({n});
        f.visibility = xt::xtensor<float, 1>::from_shape({n});
        f.masks = xt::xtensor<std::uint8_t, 3>::from_shape({n, h, w});
        f.flow = xt::xtensor<float, 3>::from_shape({h, w, 2});
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t k = visible[i];
            for (std::size_t side = 0; side < 4; ++side) {
                f.boxes(i, side) = static_cast<float>(tight[k][side]);
                f.full_boxes(i, side) = static_cast<float>(full[k][side]);
            }
            f.labels(i) = static_cast<std::int64_t>(objects_[k].kind);
            f.ids(i) = static_cast<std::int64_t>(k);
            f.visibility(i) = static_cast<float>(seen[k]) / static_cast<float>(all_pixels[k]);
            std::uint8_t* mask = f.masks.data() + i * h * w;
            for (std::size_t at = 0; at < h * w; ++at) mask[at] = owner[at] == static_cast<int>(k) ? 1 : 0;
        }
        const std::uint64_t sensor = detail::mix(seed_ ^ detail::mix(static_cast<std::uint64_t>(time)));
        for (std::size_t y = 0; y < h; ++y) {
            for (std::size_t x = 0; x < w; ++x) {
                const std::size_t at = y * w + x;
                const std::uint64_t noise = detail::mix(sensor + at);
                for (std::size_t k = 0; k < 3; ++k) {
                    const int grain =
                        static_cast<int>((noise >> (8 * k)) & 7) + static_cast<int>((noise >> (8 * k + 32)) & 7) - 7;
                    f.image(y, x, k) = static_cast<std::uint8_t>(std::clamp(canvas[at][k] + grain, 0, 255));
                }
                std::int64_t move_x = drift_x_, move_y = drift_y_;
                if (owner[at] >= 0) {
                    const auto k = static_cast<std::size_t>(owner[at]);
                    const std::int64_t px = static_cast<std::int64_t>(x) * one + half,
                                       py = static_cast<std::int64_t>(y) * one + half;
                    std::int64_t u = 0, v = 0;
                    to_local(now[k], px - now[k].x, py - now[k].y, u, v);
                    const std::int64_t turned_u = (then[k].cosine * u - then[k].sine * v) >> 30;
                    const std::int64_t turned_v = (then[k].sine * u + then[k].cosine * v) >> 30;
                    move_x = then[k].x + ((turned_u * then[k].radius) >> 30) - px;
                    move_y = then[k].y + ((turned_v * then[k].radius) >> 30) - py;
                }
                f.flow(y, x, 0) = static_cast<float>(move_x) / static_cast<float>(one);
                f.flow(y, x, 1) = static_cast<float>(move_y) / static_cast<float>(one);
            }
        }
        return f;
    }

    scene_options options_;
    std::uint64_t seed_;
    colour ground_{}, second_ground_{};
    int ground_kind_ = 0;
    std::int64_t ground_cell_ = 0, ground_angle_ = 0, drift_x_ = 0, drift_y_ = 0, light_x_ = 0, light_y_ = 0;
    std::vector<object> objects_;
};

} // namespace scenes
