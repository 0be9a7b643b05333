#pragma once

/// @file
/// Runs Ocelli's loops on an Eigen thread pool the program already has.

#include <ocelli/core/parallel.hpp>

#if __has_include(<Eigen/ThreadPool>)
#    include <Eigen/ThreadPool>
#else
#    include <unsupported/Eigen/CXX11/ThreadPool>
#endif

namespace ocelli {

/// Adapts an Eigen::ThreadPoolInterface; install it with set_executor(). The pool is not owned and must outlive its use.
class eigen_executor final : public executor {
public:
    explicit eigen_executor(Eigen::ThreadPoolInterface& pool) noexcept : pool_(pool) {}

    /// The pool's threads and the caller.
    std::size_t concurrency() const noexcept override { return static_cast<std::size_t>(pool_.NumThreads()) + 1; }

    void run(std::size_t count, const std::function<void()>& task) override {
        for (std::size_t i = 0; i < count; ++i) pool_.Schedule(task);
    }

private:
    Eigen::ThreadPoolInterface& pool_;
};

}  // namespace ocelli
