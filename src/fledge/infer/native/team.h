// Threads that wait between calls, and meet within one.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

class Team {
   public:
    explicit Team(int n) : n_(n) {
        for (int i = 1; i < n; i++) std::thread([this] { serve(); }).detach();
    }

    int size() const { return n_; }

    // work() on every thread, this one too. Callers on several threads of their own wait for each other.
    template <class Work>
    void run(Work&& work) {
        std::lock_guard<std::mutex> alone(running_);
        work_ = [](void* f) { (*static_cast<std::remove_reference_t<Work>*>(f))(); };
        argument_ = &work;
        left_.store(n_ - 1, std::memory_order_relaxed);
        generation_.fetch_add(1, std::memory_order_release);
        generation_.notify_all();
        work();
        for (int left; (left = left_.load(std::memory_order_acquire));) await(left_, left);
    }

    // Returns when all threads have called it.
    void meet() {
        if (n_ == 1) return;
        const int turn = turn_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_ - 1) {
            arrived_.store(0, std::memory_order_relaxed);
            turn_.store(turn + 1, std::memory_order_release);
            turn_.notify_all();
        } else {
            await(turn_, turn);
        }
    }

   private:
    // Returns when `value` is no longer `old`: a moment by looking, since the others are mostly as far, then asleep, since
    // somebody else has their processor.
    static void await(std::atomic<int>& value, int old) {
        for (int looks = 0; looks < 3000; looks++) {
            if (value.load(std::memory_order_acquire) != old) return;
#if defined(__x86_64__)
            _mm_pause();
#endif
        }
        value.wait(old, std::memory_order_acquire);
    }

    void serve() {
        for (int seen = 0;; seen++) {
            await(generation_, seen);
            work_(argument_);
            if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_all();
        }
    }

    const int n_;
    std::mutex running_;
    std::atomic<int> generation_{0}, left_{0}, arrived_{0}, turn_{0};
    void (*work_)(void*) = nullptr;
    void* argument_ = nullptr;
};

// Shares of one phase after another, taken as threads get to them: another program may have one of the processors.
class Phases {
   public:
    explicit Phases(int n) : taken_(n) {
        for (auto& each : taken_) each.store(0, std::memory_order_relaxed);
    }

    // One thread's way through the phases.
    class Walk {
       public:
        explicit Walk(Phases& phases) : next_(phases.taken_.data()) {}

        // work(from, to) for shares of `size` of the next phase's n.
        template <class Work>
        void share(int n, int size, const Work& work) {
            for (int at; (at = next_->fetch_add(size, std::memory_order_relaxed)) < n;) work(at, std::min(at + size, n));
            next_++;
        }

       private:
        std::atomic<int>* next_;
    };

   private:
    std::vector<std::atomic<int>> taken_;
};
