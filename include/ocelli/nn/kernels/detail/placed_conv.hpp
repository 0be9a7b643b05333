#pragma once

/// @file
/// The convolution behind all of those on blocks: how it is cut into tasks, and tasks into tiles. Part of impl/blocked.inl.

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/kernels/detail/blocked_groups.hpp>
#include <ocelli/nn/kernels/detail/blocked_pairs.hpp>
#include <ocelli/nn/kernels/detail/epilogue.hpp>
#include <ocelli/nn/kernels/detail/taps.hpp>
#include <ocelli/nn/kernels/detail/tasks.hpp>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace ocelli::nn::detail {

/// Rows of some planes or blocks that the tiles of a task ask for piece by piece, because the next task reads them.
struct rows_ahead {
    const float* at = nullptr;          ///< the rows of the first plane, or null
    std::int64_t plane = 0, bytes = 0;  ///< floats from one plane to the next, bytes of its rows
    std::int64_t piece = 0, done = 0;   ///< bytes for a tile, and of this plane so far

    /// For the next tile, which makes so many steps.
    ocelli::detail::memory_ahead next(std::int64_t steps) {
        const ocelli::detail::memory_ahead here = ocelli::detail::ahead_of(at + done / 4, piece, steps);
        done += piece;
        if (done >= bytes) {
            done -= bytes;
            at += plane;
        }
        return here;
    }
};

/// A convolution as its tasks see it. The constructor decides; run() only reads what it has decided.
///
/// A task has some rows of the result, and some pairs of blocks of filters. Tiles read pixels that lie `pixel_step_` floats apart: where the image does not have them
/// so (padding, strides, numbers to be rounded), the task unrolls the rows it needs into memory of its own (`copies_`).
class placed_conv {
public:
    placed_conv(const conv_layer& layer, const float* x, bool planes, blocked_form form, const float* packed, const blocked_epilogue& e, float* y,
                const blocked_placement& place)
        : t_(get_blocked_kernels()), e_(e), clamp_(clamp_of(e)), place_(place), form_(form), planes_(planes), rounds_(is_pairs(form)), x_(x), packed_(packed), y_(y),
          lanes_(t_.lanes), real_channels_(layer.channels), groups_(groups_in_blocks(layer, lanes_)), l_(layer) {
        if (rounds_) {
            groups_.channels = (groups_.channels + 1) / 2;
            l_.channels = (l_.channels + 1) / 2;
        }
        empty_ = l_.batch == 0 || l_.filters == 0 || l_.out_depth * l_.out_height * l_.out_width == 0;
        if (empty_) return;
        read_layer();
        cut_rows();
        list_segments();
    }

    void run() const {
        if (empty_) return;
        parallel_for(static_cast<std::size_t>(tasks_), even_grain(tasks_, all_work_ / tasks_), [this](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) run_task(static_cast<std::int64_t>(i), i + 1 < end);
        });
    }

private:
    /// What a task works on.
    struct task_part {
        std::int64_t index, pair0, pair1, row0, row1, z, group, n;
        std::int64_t kz0, kz1;       ///< frames of taps that lie inside
        const float* image;          ///< the group's channels of x
        const float* source;         ///< the first row under the first row of taps, in x or unrolled
        std::int64_t source_frame;   ///< from there to the frame under the first tap, which may lie outside: only those of taps inside are read
        std::int64_t first_block;    ///< of y's blocks of an image
        float* out;                  ///< the first of those blocks
        const float* addend;         ///< as `out`, or null
        rows_ahead pixels_ahead;
    };
    /// A pair of blocks of filters, and the tiles that it takes.
    struct filter_part {
        std::int64_t b0;
        int wide;              ///< blocks
        bool unused_are_zero;  ///< behind the tiles
        const blocked_tile_function* tiles;
        std::int64_t most;  ///< pixels of a tile
        const float* bias;
        const float* weights;
    };
    /// The taps that some columns of a row see.
    struct row_part {
        const float* x;
        const float* weights;
        std::int64_t first_segment, stretches, length;  ///< stretches of so many segments that follow each other, in a frame
        std::int64_t all;                               ///< stretches of all frames
    };

    /// How x lies, and how its pixels are read.
    void read_layer() {
        plane_taps_ = l_.kernel_height * l_.kernel_width;
        taps_ = l_.kernel_depth * plane_taps_;
        packed_group_ = blocked_packed_group(l_, groups_, lanes_);
        // One plane of x: a block, or a channel.
        each_ = form_ == floats_in_planes ? 1 : rounds_ ? lanes_ / 2 : lanes_;
        depth_ = block_count(groups_.channels, each_);
        all_depth_ = planes_ ? real_channels_ : block_count(l_.channels, each_);
        frame_ = l_.height * l_.width * (planes_ ? 1 : lanes_);
        plane_ = l_.depth * frame_;
        reach_y_ = (l_.kernel_height - 1) * l_.dilation_y + 1;
        reach_x_ = (l_.kernel_width - 1) * l_.dilation_x + 1;
        // Columns are dealt out, so that a tile's pixels are neighbours; not where tiles take every other float.
        every_other_ = form_ == floats_in_planes && l_.stride_x == 2;
        deals_ = every_other_ ? 1 : l_.stride_x;
        pixel_step_ = l_.stride_x / deals_ * each_;
        tiles_ = t_.tile[every_other_ ? every_other_in_planes : form_];
        direct_ = !(rounds_ && planes_) && deals_ == 1 && l_.pad_top == 0 && l_.pad_left == 0 && (l_.out_height - 1) * l_.stride_y + reach_y_ <= l_.height &&
                  (l_.out_width - 1) * l_.stride_x + reach_x_ <= l_.width;
        copies_ = !direct_ || rounds_;
        out_pixels_ = l_.out_height * l_.out_width;
        out_row_step_ = place_.row;
        // Where a tap covers the same rows whole, the image is one long row, cut anew.
        flat_ = direct_ && plane_taps_ == 1 && l_.stride_y == 1 && l_.stride_x == 1 && l_.out_height == l_.height && l_.out_width == l_.width && place_.step == 1 &&
                place_.row == l_.out_width;
        if (flat_) {
            const std::int64_t wanted = 8 * t_.pixels;
            l_.out_height = even_parts((out_pixels_ + wanted - 1) / wanted, out_pixels_ / t_.pixels);
            l_.out_width = l_.width = (out_pixels_ + l_.out_height - 1) / l_.out_height;
            l_.out_height = l_.height = (out_pixels_ + l_.out_width - 1) / l_.out_width;
            out_row_step_ = l_.out_width;
        }
        // Two small rows make a tile: the same two for any number of threads, because long sums are cut where both have terms.
        small_rows_ = t_.pair[form_][0][0] != nullptr && !flat_ && 2 * l_.out_width <= t_.pixels;
        // More padding, so that whole vectors are stored to aligned memory.
        const bool aligns = !direct_ && form_ == floats_in_planes && deals_ == 1;
        lead_ = aligns ? (lanes_ - l_.pad_left % lanes_) % lanes_ : 0;
        const std::int64_t columns = (l_.out_width - 1) * l_.stride_x + reach_x_;
        part_ = direct_ ? 0 : aligns ? block_count(lead_ + columns, lanes_) * lanes_ : block_count(columns, deals_);
        row_floats_ = direct_ ? l_.width * each_ : part_ * deals_ * each_;
    }

    std::int64_t rows_under(std::int64_t rows) const { return (rows - 1) * l_.stride_y + reach_y_; }

    /// Tasks: enough for threads, as far as there is work for them; where rows do not give them, filters do.
    void cut_rows() {
        constexpr std::int64_t least_work = std::int64_t{1} << 17;
        blocks_ = block_count(groups_.filters, lanes_);
        pairs_ = (blocks_ + 1) / 2;
        const std::int64_t row_work = l_.out_width * blocks_ * lanes_ * groups_.channels * taps_;  // unused lanes are multiplied as well
        // Unrolled rows stay in the second-level cache. Those of few planes stay in the first-level one: there are enough of them, and copying them again costs little.
        const bool few = form_ == floats_in_planes && row_floats_ * depth_ * l_.kernel_depth * reach_y_ < std::int64_t{3} << 12;
        const std::int64_t budget = few ? std::int64_t{3} << 12 : std::int64_t{3} << 15;
        const auto has_room = [&](std::int64_t rows) {
            return std::min(rows_under(rows), rows * l_.kernel_height) * row_floats_ * depth_ * l_.kernel_depth <= budget;
        };
        const auto has_time = [&](std::int64_t rows) { return rows * row_work <= 32 * least_work; };
        chunk_ = 1;
        while (chunk_ < l_.out_height && (!direct_ || has_time(chunk_ + 1)) && (!copies_ || has_room(chunk_ + 1))) ++chunk_;
        images_ = l_.batch * groups_.count * l_.out_depth;
        // Few pixels' work is reading the weights.
        all_work_ = images_ * std::max<std::int64_t>(l_.out_height * l_.out_width, t_.pixels) * (row_work / l_.out_width);
        const std::int64_t wanted = std::clamp<std::int64_t>(all_work_ / least_work, 1, std::clamp<std::int64_t>(all_work_ / (4 * least_work), 4, 16));
        chunk_ = std::max<std::int64_t>(std::min<std::int64_t>(chunk_, l_.out_height * images_ / wanted), std::min<std::int64_t>(4, chunk_));
        chunks_ = (l_.out_height + chunk_ - 1) / chunk_;
        const auto filters_of = [&](std::int64_t chunks) {
            const std::int64_t tasks = std::clamp<std::int64_t>(wanted / (images_ * chunks), 1, pairs_);
            return copies_ ? std::min(tasks, tasks_for_threads(images_ * chunks)) : tasks;  // each unrolls or rounds its rows again
        };
        even_chunks(std::min(l_.out_height, all_work_ / least_work), row_work, filters_of);
        filter_tasks_ = filters_of(chunks_);
        pairs_each_ = (pairs_ + filter_tasks_ - 1) / filter_tasks_;
        tasks_ = images_ * chunks_ * filter_tasks_;
    }

    /// A few tasks are cut smaller where the threads at hand have the same to do then.
    template <class FiltersOf>
    void even_chunks(std::int64_t most, std::int64_t row_work, const FiltersOf& filters_of) {
        const std::int64_t threads = threads_at_hand();
        const std::int64_t first = chunks_;
        const std::int64_t weights = blocks_ * lanes_ * groups_.channels * taps_, pixels = images_ * out_pixels_ * (groups_.channels + groups_.filters);
        std::int64_t best_time = 0;
        for (std::int64_t n = first; n == first || (n <= most && threads != 1); ++n) {
            std::int64_t chunk = (l_.out_height + n - 1) / n;
            if (small_rows_) chunk += chunk % 2;
            const std::int64_t chunks = (l_.out_height + chunk - 1) / chunk;
            if (n != first && chunks != n) continue;
            const std::int64_t filters = filters_of(chunks), tasks = images_ * chunks * filters;
            if (n != first && tasks > 8 * threads) return;
            // Rows that are copied for it, weights that are read, a few operations each float, and what a task takes beside.
            const std::int64_t copied = copies_ ? 3 * rows_under(chunk) * row_floats_ * depth_ * l_.kernel_depth : 0;
            const std::int64_t read = (weights > std::int64_t{1} << 17 ? 8 : 2) * weights;
            std::int64_t time = (tasks + threads - 1) / threads * ((chunk * row_work + read) / pairs_ * ((pairs_ + filters - 1) / filters) + copied + (1 << 12));
            // Threads that share filters of the same rows leave them in several cores' caches, and the next layer reads them together.
            if (images_ * chunks % threads != 0 && pixels > weights) time += time / 32;
            if (n != first && time >= best_time - best_time / 64) continue;
            best_time = time;
            chunk_ = chunk;
            chunks_ = chunks;
            if (tasks >= 8 * threads) return;  // enough to be dealt out
        }
    }

    /// Where the channels under each tap stand, and which taps columns see.
    void list_segments() {
        // Rows that taps share are unrolled once; far apart, each tap's rows alone.
        shared_ = direct_ || rows_under(chunk_) <= chunk_ * l_.kernel_height;
        rows_here_ = shared_ ? rows_under(chunk_) : chunk_ * l_.kernel_height;
        plane_here_ = copies_ ? rows_here_ * row_floats_ : plane_;
        tap_row_ = shared_ ? l_.dilation_y * row_floats_ : chunk_ * row_floats_;
        out_row_ = shared_ ? l_.stride_y * row_floats_ : row_floats_;
        tap_frame_ = copies_ ? depth_ * plane_here_ : l_.dilation_z * frame_;
        thread_local std::vector<blocked_segment> segments;
        segments.clear();
        for (std::int64_t ky = 0; ky < l_.kernel_height; ++ky)
            for (std::int64_t kx = 0; kx < l_.kernel_width; ++kx)
                for (std::int64_t c = 0; c < depth_; ++c) {
                    const std::int64_t at = kx * l_.dilation_x;
                    segments.push_back({c * plane_here_ + ky * tap_row_ + (at % deals_ * part_ + at / deals_) * each_, std::min(each_, groups_.channels - c * each_)});
                }
        segments_ = segments.data();
        thread_local std::vector<tap_run> runs;
        if (direct_ || small_rows_) runs.assign(1, {0, l_.out_width, 0, l_.kernel_width});
        else find_column_runs(l_, t_.pixels, runs);
        runs_ = runs.data();
        runs_end_ = runs_ + runs.size();
        part_segments_ = std::max<std::int64_t>(1, 256 / each_);
        // Three taps beside each other at once, where a sum is made at once.
        near_ = every_other_ && t_.near[0] != nullptr && l_.out_width >= t_.pixels && l_.kernel_width == 3 && l_.dilation_x == 1 && l_.kernel_depth == 1 && fits_one_part(taps_ * depth_) &&
                runs.size() == 1 && runs_->tap0 == 0 && runs_->tap1 == 3;
        // What tiles fetch meanwhile: where all weights stay in the second-level cache beside two tasks' pixels, the next task's pixels; else the next weights.
        tiles_of_row_ = block_count(l_.out_width, largest_tile(blocks_ == 1 ? 1 : 2));
        pixel_rows_ = copies_ ? chunk_ * l_.stride_y : chunk_;
        row_bytes_ = 4 * (copies_ ? l_.width * (planes_ ? 1 : lanes_) : row_floats_);
        fetches_pixels_ = (direct_ ? taps_ == 1 : form_ == floats_in_planes) && !rounds_ && filter_tasks_ == 1 && groups_.count == 1 && l_.depth == 1 &&
                          fits_one_part(taps_ * depth_) &&
                          4 * blocks_ * lanes_ * groups_.channels * taps_ + 2 * depth_ * pixel_rows_ * row_bytes_ <= std::int64_t{3} << 18;
    }

    std::int64_t largest_tile(int vectors) const { return form_ == pairs_widened ? blocked_widened_pixels : near_ && vectors == 1 ? 2 * t_.pixels : t_.pixels; }
    /// Long sums are made in parts of `part_segments_`, the last of which may be longer.
    bool fits_one_part(std::int64_t segments) const { return segments <= part_segments_ + part_segments_ / 2; }

    void run_task(std::int64_t index, bool another_follows) const {
        task_part p{};
        p.index = index;
        p.pair0 = index % filter_tasks_ * pairs_each_;
        p.pair1 = std::min(pairs_, p.pair0 + pairs_each_);
        p.row0 = index / filter_tasks_ % chunks_ * chunk_;
        p.row1 = std::min(l_.out_height, p.row0 + chunk_);
        p.z = index / (filter_tasks_ * chunks_) % l_.out_depth;
        p.group = index / (filter_tasks_ * chunks_ * l_.out_depth) % groups_.count;
        p.n = index / (filter_tasks_ * chunks_ * l_.out_depth * groups_.count);
        if (p.pair0 >= p.pair1 || p.row0 >= p.row1) return;
        const std::int64_t front = p.z * l_.stride_z - l_.pad_front;
        std::tie(p.kz0, p.kz1) = taps_inside(front, l_.dilation_z, l_.kernel_depth, l_.depth);
        p.image = x_ + (p.n * all_depth_ + p.group * depth_) * plane_;
        p.source = p.image + p.row0 * out_row_;
        p.source_frame = front * frame_;
        if (copies_) unroll(p);
        p.first_block = p.group * (groups_.filters / lanes_);
        p.out = y_ + (p.n * block_count(l_.filters, lanes_) + p.first_block) * place_.plane * lanes_ + (place_.first + p.z * place_.frame) * lanes_;
        p.addend = e_.addend == nullptr ? nullptr : e_.addend + (p.out - y_);
        if (fetches_pixels_ && p.row1 < l_.out_height) fetch_pixels(p);
        for (std::int64_t pair = p.pair0; pair < p.pair1; ++pair) {
            // The weights of the next filters, or of those that this thread's next task begins with.
            const std::int64_t next = pair + 1 < p.pair1 ? pair + 1 : another_follows ? (index + 1) % filter_tasks_ * pairs_each_ : pair;
            run_filters(p, pair, next);
        }
    }

    /// The rows that a task reads, between zeros, in memory of this thread.
    void unroll(task_part& p) const {
        float* const to = ocelli::detail::thread_scratch(static_cast<std::size_t>(l_.kernel_depth * depth_ * plane_here_), 1);
        float* const apart = rounds_ ? ocelli::detail::thread_scratch(static_cast<std::size_t>(2 * plane_here_), 3) : nullptr;
        const auto round = ocelli::detail::get_gemm_bf16_kernels(form_ == pairs_by_instruction).round_bf16;
        const std::int64_t image_frame = p.source_frame;
        for (std::int64_t kz = p.kz0; kz < p.kz1; ++kz) {
            const float* const frame = p.image + (image_frame + kz * l_.dilation_z * frame_);
            if (rounds_ && planes_) {
                const auto unroll_channel = [&](std::int64_t c, float* channel) { unroll_plane(p.row0, frame + c * plane_, channel, tap_row_ / each_); };
                pair_planes(unroll_channel, round, real_channels_, plane_here_ / each_, each_, apart, to + kz * tap_frame_);
                continue;
            }
            for (std::int64_t c = 0; c < depth_; ++c) {
                const float* const from = frame + c * plane_;
                float* const here = to + kz * tap_frame_ + c * plane_here_;
                if (!rounds_) {
                    unroll_plane(p.row0, from, here, tap_row_);
                    continue;
                }
                const std::int64_t first = p.row0 * l_.stride_y * l_.width * lanes_;
                if (!direct_) unroll_plane(p.row0, from, apart, 2 * tap_row_);
                round(direct_ ? std::min(2 * plane_here_, frame_ - first) : 2 * plane_here_, direct_ ? from + first : apart, reinterpret_cast<std::uint16_t*>(here));
            }
        }
        p.source = to + lead_;
        p.source_frame = 0;
    }
    /// One plane or block of x; `tap_floats` from the rows of one tap to those of the next, where they are apart.
    void unroll_plane(std::int64_t row0, const float* from, float* to, std::int64_t tap_floats) const {
        blocked_rows rows{rows_here_, row0 * l_.stride_y - l_.pad_top, 1, l_.height, l_.width, lead_ + l_.pad_left, deals_, part_};
        if (shared_) return t_.unroll[planes_](rows, from, to);
        rows.rows = chunk_;
        rows.step = l_.stride_y;
        for (std::int64_t ky = 0; ky < l_.kernel_height; ++ky) {
            rows.first = row0 * l_.stride_y + ky * l_.dilation_y - l_.pad_top;
            t_.unroll[planes_](rows, from, to + ky * tap_floats);
        }
    }

    /// The pixels that the next task of this thread reads and this one does not.
    void fetch_pixels(task_part& p) const {
        const std::int64_t first = copies_ ? (p.row0 + chunk_ - 1) * l_.stride_y - l_.pad_top + reach_y_ : p.row0 + chunk_;
        const std::int64_t rows = std::min(pixel_rows_, copies_ ? l_.height - first : pixel_rows_);
        if (first < 0 || rows <= 0) return;
        p.pixels_ahead.at = copies_ ? p.image + first * row_bytes_ / 4 : p.source + (p.row1 - p.row0) * out_row_;
        p.pixels_ahead.plane = plane_;
        p.pixels_ahead.bytes = rows * row_bytes_;
        p.pixels_ahead.piece = depth_ * p.pixels_ahead.bytes / ((p.pair1 - p.pair0) * (p.row1 - p.row0) * tiles_of_row_);
    }

    /// All rows of a task by a pair of blocks of filters.
    void run_filters(task_part& p, std::int64_t pair, std::int64_t next_pair) const {
        const float* const group = packed_ + p.group * packed_group_;
        filter_part f{};
        f.b0 = 2 * pair;
        f.wide = f.b0 + 2 <= blocks_ ? 2 : 1;
        const std::int64_t used = std::min(f.wide * lanes_, groups_.filters - f.b0 * lanes_);
        const bool half = f.wide == 2 && !small_rows_ && tiles_[2][0] != nullptr && used <= lanes_ + lanes_ / 2;
        f.unused_are_zero = used == f.wide * lanes_ || (half && used == lanes_ + lanes_ / 2);
        f.tiles = near_ && f.wide == 1 ? t_.near : tiles_[half ? 2 : f.wide - 1];
        f.most = largest_tile(f.wide);
        f.bias = e_.bias + (p.first_block + f.b0) * lanes_;
        f.weights = group + f.b0 * lanes_ * groups_.channels * taps_;
        blocked_tile tile{};
        if (next_pair != pair && next_pair < pairs_ && p.pixels_ahead.at == nullptr) {
            const std::int64_t steps = groups_.channels * taps_, row = std::min<std::int64_t>(2, blocks_ - 2 * next_pair) * lanes_;
            const std::int64_t pixel_tiles = ((p.row1 - p.row0) * l_.out_width + t_.pixels - 1) / t_.pixels;
            tile.ahead = ocelli::detail::ahead_of(group + 2 * next_pair * lanes_ * steps, 4 * row * steps, pixel_tiles * steps);
        }
        tile.x_jump = out_row_;
        tile.y_block = place_.plane * lanes_;
        tile.y_jump = out_row_step_ * lanes_;
        tile.y_step = place_.step * lanes_;
        tile.depth = depth_;
        tile.low = clamp_.low;
        tile.high = clamp_.high;
        for (std::int64_t row = p.row0, rows; row < p.row1; row += rows) {
            rows = small_rows_ && row + 1 < p.row1 ? 2 : 1;
            const std::int64_t pixels = flat_ ? std::min(l_.out_width, out_pixels_ - row * l_.out_width) : l_.out_width;
            run_row(p, f, tile, row, rows, pixels);
            if (clamp_.finish || !f.unused_are_zero) finish_row(p, f, row, rows, pixels);
        }
    }

    /// The rows of taps that lie inside for a row of results, or for either of two.
    std::pair<std::int64_t, std::int64_t> rows_of_taps(std::int64_t row, std::int64_t rows) const {
        auto [ky0, ky1] = taps_inside(row * l_.stride_y - l_.pad_top, l_.dilation_y, l_.kernel_height, l_.height);
        if (rows == 2) {
            const auto [next0, next1] = taps_inside((row + 1) * l_.stride_y - l_.pad_top, l_.dilation_y, l_.kernel_height, l_.height);
            if (ky0 == ky1) ky0 = next0;
            else if (next0 != next1) ky0 = std::min(ky0, next0);
            ky1 = std::max(ky1, next1);
        }
        return {ky0, ky1};
    }

    /// A row of results, or two small ones, by tiles as wide as each other, but for one pixel.
    void run_row(task_part& p, const filter_part& f, blocked_tile& tile, std::int64_t row, std::int64_t rows, std::int64_t pixels) const {
        const auto [ky0, ky1] = rows_of_taps(row, rows);
        const std::int64_t wide = f.wide * lanes_;
        float* const to = p.out + f.b0 * tile.y_block + row * out_row_step_ * lanes_;
        for (const tap_run* together = runs_; together != runs_end_; ++together) {
            row_part r{};
            // Segments that follow each other: those of all rows of taps, or, where columns are left out, of one.
            const std::int64_t taps = together->tap1 - together->tap0;
            r.stretches = taps == l_.kernel_width ? 1 : std::max<std::int64_t>(1, ky1 - ky0);
            r.length = (ky1 - ky0) * taps * depth_ / r.stretches;
            r.all = r.length == 0 ? 0 : (p.kz1 - p.kz0) * r.stretches;
            r.x = p.source + (row - p.row0) * out_row_ + (p.source_frame + p.kz0 * tap_frame_);
            r.weights = f.weights + p.kz0 * plane_taps_ * groups_.channels * wide;
            const std::int64_t first_tap = ky0 * l_.kernel_width + together->tap0;
            r.first_segment = first_tap * depth_;
            const bool at_once = r.all <= 1 && fits_one_part(r.length);  // most sums
            tile.bias = f.bias;
            tile.count = r.all == 0 ? 0 : r.length;
            tile.segments = segments_ + r.first_segment;
            tile.weights = r.weights + first_tap * groups_.channels * wide;
            tile.clamps = clamp_.clamps;
            const std::int64_t here = std::min(together->end, pixels) - together->first;
            std::int64_t cuts = rows == 2 ? 1 : (here + f.most - 1) / f.most;
            if (rows == 1 && here < f.most && f.tiles[here - 1] == nullptr) cuts = here;  // a very narrow image
            const std::int64_t narrow = here / cuts, wider = here % cuts;
            for (std::int64_t cut = 0, p0 = together->first, p1; cut < cuts; ++cut, p0 = p1) {
                p1 = p0 + narrow + (cut < wider);
                const blocked_tile_function function = rows == 2 ? t_.pair[form_][f.wide - 1][p1 - p0 - 1] : f.tiles[p1 - p0 - 1];
                tile.x = r.x + p0 * pixel_step_;
                tile.y = to + p0 * place_.step * lanes_;
                tile.addend = p.addend == nullptr ? nullptr : p.addend + (tile.y - p.out);
                if (!at_once) {
                    run_parts(f, r, tile, function);
                    continue;
                }
                if (p.pixels_ahead.at != nullptr) tile.ahead = p.pixels_ahead.next(tile.count * each_);
                function(tile);
                tile.ahead.advance(tile.count * each_);
            }
        }
    }

    /// A long sum is made in parts: rounding errors stay small, and a part's weights stay in the first-level cache.
    void run_parts(const filter_part& f, const row_part& r, blocked_tile& tile, blocked_tile_function function) const {
        static constexpr float zeros[2 * 16] = {};
        const float* const x = tile.x;
        tile.bias = f.bias;
        for (std::int64_t stretch = 0, done = 0;;) {
            const std::int64_t left = r.length - done, kz = stretch / r.stretches, ky = stretch % r.stretches;
            const std::int64_t segment = r.first_segment + ky * l_.kernel_width * depth_ + done;
            tile.count = fits_one_part(left) ? left : part_segments_;
            tile.segments = segments_ + segment;
            tile.weights = r.weights + ((kz * plane_taps_ + segment / depth_) * groups_.channels + segment % depth_ * each_) * f.wide * lanes_;
            tile.x = x + kz * tap_frame_;
            const bool last = stretch + 1 >= r.all && tile.count == left;
            tile.clamps = last && clamp_.clamps;
            function(tile);
            tile.ahead.advance(tile.count * each_);
            if (last) return;
            done += tile.count;
            if (done >= r.length) {
                done = 0;
                ++stretch;
            }
            tile.bias = zeros;
            tile.addend = tile.y;
        }
    }

    /// What tiles do not do of the epilogue.
    void finish_row(const task_part& p, const filter_part& f, std::int64_t row, std::int64_t rows, std::int64_t pixels) const {
        for (std::int64_t b = f.b0; b < f.b0 + f.wide; ++b) {
            float* const at = p.out + (b * place_.plane + row * out_row_step_) * lanes_;
            const std::int64_t channel = (p.first_block + b) * lanes_;
            if (place_.step == 1 && out_row_step_ == l_.out_width) {
                finish_block(t_, e_, clamp_.finish, channel, l_.filters, rows * pixels, at);
                continue;
            }
            for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t i = 0; i < pixels; ++i) finish_block(t_, e_, clamp_.finish, channel, l_.filters, 1, at + (r * out_row_step_ + i * place_.step) * lanes_);
        }
    }

    const blocked_kernels& t_;
    const blocked_epilogue& e_;
    const blocked_clamp clamp_;
    const blocked_placement place_;
    const blocked_form form_;
    const bool planes_, rounds_;
    const float* const x_;
    const float* const packed_;
    float* const y_;
    const std::int64_t lanes_, real_channels_;
    blocked_groups groups_;
    conv_layer l_;  ///< in pairs of channels, where they are rounded; its rows cut anew, where it is flat
    bool empty_ = false;

    // x
    const blocked_tile_function (*tiles_)[blocked_max_pixels] = nullptr;
    std::int64_t taps_ = 0, plane_taps_ = 0, packed_group_ = 0;
    std::int64_t each_ = 0;                  ///< floats of a pixel in a plane
    std::int64_t depth_ = 0, all_depth_ = 0;  ///< planes of a group, and of x
    std::int64_t frame_ = 0, plane_ = 0;
    std::int64_t reach_y_ = 0, reach_x_ = 0;  ///< rows and columns under a window
    std::int64_t deals_ = 1, pixel_step_ = 0, out_pixels_ = 0, out_row_step_ = 0;
    std::int64_t lead_ = 0, part_ = 0, row_floats_ = 0;  ///< of an unrolled row: columns in front, columns of a deal, all floats
    bool every_other_ = false, direct_ = false, copies_ = false, flat_ = false, small_rows_ = false;

    // Tasks
    std::int64_t blocks_ = 0, pairs_ = 0, pairs_each_ = 0, chunk_ = 0, chunks_ = 0, filter_tasks_ = 0, images_ = 0, tasks_ = 0, all_work_ = 0;

    // A task's rows
    bool shared_ = false, near_ = false, fetches_pixels_ = false;
    std::int64_t rows_here_ = 0, plane_here_ = 0, tap_row_ = 0, out_row_ = 0, tap_frame_ = 0;
    const blocked_segment* segments_ = nullptr;  ///< of the thread that has called
    const tap_run *runs_ = nullptr, *runs_end_ = nullptr;
    std::int64_t part_segments_ = 1, tiles_of_row_ = 0, pixel_rows_ = 0, row_bytes_ = 0;
};

}  // namespace ocelli::nn::detail
