#pragma once

// Working memory that blocks of a parallel loop hand on to each other.

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace ocelli::detail {

/// Lends objects and takes them back: there are as many as are in use at once.
template <class T>
class scratch_pool {
public:
    class loan {
    public:
        loan(scratch_pool& pool, std::unique_ptr<T> object) : pool_(pool), object_(std::move(object)) {}
        ~loan() {
            const std::lock_guard lock(pool_.mutex_);
            pool_.idle_.push_back(std::move(object_));
        }
        loan(const loan&) = delete;
        loan& operator=(const loan&) = delete;
        T* operator->() const noexcept { return object_.get(); }
        T& operator*() const noexcept { return *object_; }

    private:
        scratch_pool& pool_;
        std::unique_ptr<T> object_;
    };

    /// An idle object, or a new one by make().
    template <class F>
    loan lease(F&& make) {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                auto object = std::move(idle_.back());
                idle_.pop_back();
                return loan(*this, std::move(object));
            }
        }
        auto made = make();
        {
            const std::lock_guard lock(mutex_);
            idle_.reserve(++made_);  // giving back never allocates
        }
        return loan(*this, std::move(made));
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<T>> idle_;
    std::size_t made_ = 0;
};

}  // namespace ocelli::detail
