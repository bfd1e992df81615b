// Threads that wait between calls, and meet within one by spinning.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

class Team {
   public:
    explicit Team(int n) : n_(n) {
        for (int i = 1; i < n; i++) std::thread([this] { serve(); }).detach();
    }

    int size() const { return n_; }

    // work() on every thread, this one too.
    template <class Work>
    void run(Work&& work) {
        work_ = [](void* f) { (*static_cast<std::remove_reference_t<Work>*>(f))(); };
        argument_ = &work;
        finished_.store(0);
        {
            std::lock_guard<std::mutex> lock(mutex_);
            generation_.fetch_add(1);
        }
        wake_.notify_all();
        work();
        for (int spins = 0; finished_.load(std::memory_order_acquire) < n_ - 1; spins++) rest(spins);
    }

    // Returns when all threads have called it.
    void meet() {
        if (n_ == 1) return;
        int turn = turn_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_ - 1) {
            arrived_.store(0, std::memory_order_relaxed);
            turn_.store(turn + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; turn_.load(std::memory_order_acquire) == turn; spins++) rest(spins);
    }

   private:
    static void rest(int spins) {
        if (spins > 4000) std::this_thread::yield();  // somebody else needs the processor
#if defined(__x86_64__)
        else
            __builtin_ia32_pause();
#endif
    }

    void serve() {
        unsigned seen = 0;
        for (;;) {
            for (int spins = 0; generation_.load(std::memory_order_acquire) == seen && spins < 2000; spins++) rest(0);
            if (generation_.load(std::memory_order_acquire) == seen) {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return generation_.load() != seen; });
            }
            seen = generation_.load();
            work_(argument_);
            finished_.fetch_add(1, std::memory_order_release);
        }
    }

    const int n_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<unsigned> generation_{0};
    std::atomic<int> finished_{0}, arrived_{0}, turn_{0};
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
