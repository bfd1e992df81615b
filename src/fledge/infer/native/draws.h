// The next token of a row of logits: temperature, top-k, top-p, min-p, a draw. What holds for sampling.py holds here:
// ties at a border are all kept, and the cumulated distribution is inverted in the order of the tokens.
//
// A border is found without sorting everything: numbers are counted by their first bits, then only those are sorted
// that share these bits with the border.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "vectors.h"

extern "C" {

struct Draw {
    double uniform;     // in [0, 1)
    float temperature;  // 0: the likeliest token
    float top_p, min_p;
    int32_t top_k;  // 0: all
};

enum Fault : int32_t { NONE = 0, NO_TOKEN = 1, NO_NUMBERS = 2 };

// Log-probabilities of the distribution drawn from (at temperature 0: of the one at 1), and of the raw logits.
struct Drawn {
    int64_t token;
    float logprob, raw_logprob;
    int32_t fault;
};
}

class Drawing {
   public:
    explicit Drawing(int n) : n_(n), weight_((n + LANES - 1) / LANES * LANES), block_((n + BLOCK - 1) / BLOCK) {}

    // raw: the logits before rules and biases, or the same array.
    Drawn draw(const float* logits, const float* raw, const Draw& wanted) {
        Drawn drawn{};
        const Weights of_raw = weigh(raw, 1.0f);
        const Weights plain = logits == raw ? of_raw : weigh(logits, 1.0f);
        if (!plain.numbers()) {
            drawn.fault = of_raw.numbers() ? NO_TOKEN : NO_NUMBERS;
            return drawn;
        }
        if (wanted.temperature == 0) {
            drawn.token = std::find(logits, logits + n_, plain.greatest) - logits;
            drawn.logprob = -float(std::log(plain.total));
        } else {
            const Weights warm = weigh(logits, wanted.temperature);
            const float border = this->border(wanted, warm.total);
            double total = 0;
            for (int at = 0, block = 0; at < n_; at += BLOCK, block++) total += block_[block] = kept(at, border);
            drawn.token = invert(wanted.uniform * total, total, border);
            drawn.logprob = (logits[drawn.token] - warm.greatest) / wanted.temperature - float(std::log(total));
        }
        drawn.raw_logprob = raw[drawn.token] - of_raw.greatest - float(std::log(of_raw.total));
        return drawn;
    }

   private:
    static constexpr int BLOCK = 256, SHIFT = 19, BUCKETS = (0x3f800000 >> SHIFT) + 1;  // of weights up to 1

    struct Weights {
        float greatest;
        double total;
        bool numbers() const { return std::isfinite(greatest) && std::isfinite(total); }
    };

    // weight_[i] = e^((logits[i] - greatest) / temperature), 0 where that is as good as 0.
    Weights weigh(const float* logits, float temperature) {
        const float greatest = ::greatest(logits, n_);
        double total = 0;
        for (int from = 0; from < n_; from += BLOCK) {
            Vec sums{};
            for (int i = from; i < std::min(from + BLOCK, n_); i += LANES) {
                Vec x = (widen(logits + i, n_ - i) - greatest) / temperature;
                Vec e = choose(x < splat(-87.0f), Vec{}, exponential(x));
                if (n_ - i < LANES)
                    for (int lane = n_ - i; lane < LANES; lane++) e[lane] = 0;
                store(weight_.data() + i, e);
                sums += e;
            }
            total += sum(sums);
        }
        return {greatest, total};
    }

    static int bucket(float weight) {
        uint32_t bits;
        std::memcpy(&bits, &weight, 4);
        return int(bits >> SHIFT);
    }

    // The least weight that the cuts leave; the greatest is 1.
    float border(const Draw& wanted, double total) {
        float least = wanted.min_p > 0 ? wanted.min_p : 0.0f;
        const bool cuts_k = wanted.top_k > 0 && wanted.top_k < n_, cuts_p = wanted.top_p < 1;
        if (!cuts_k && !cuts_p) return least;
        count_.assign(BUCKETS, 0);
        mass_.assign(BUCKETS, 0.0);
        for (int i = 0; i < n_; i++) {
            const int b = bucket(weight_[i]);
            count_[b]++;
            mass_[b] += weight_[i];
        }
        float by_k = 0;
        if (cuts_k) {
            int b = BUCKETS - 1, left = wanted.top_k;
            for (total = 0; left > count_[b]; b--) left -= count_[b], total += mass_[b];
            gather(b, 0.0f);
            std::nth_element(some_.begin(), some_.begin() + (left - 1), some_.end(), std::greater<float>());
            by_k = some_[left - 1];
            for (float each : some_) total += each >= by_k ? each : 0.0f;
        }
        float by_p = 0;
        if (cuts_p) {
            const double target = double(wanted.top_p) * total;
            const int last = bucket(by_k);
            double before = 0;
            int b = BUCKETS - 1;
            for (; b > last && before + mass_[b] < target; b--) before += mass_[b];
            gather(b, by_k);
            std::sort(some_.begin(), some_.end(), std::greater<float>());
            for (float each : some_) {
                if (before >= target && by_p > 0) break;
                by_p = each;
                before += each;
            }
            if (some_.empty()) by_p = by_k;
        }
        return std::max({least, by_k, by_p});
    }

    void gather(int b, float least) {
        some_.clear();
        for (int i = 0; i < n_; i++)
            if (bucket(weight_[i]) == b && weight_[i] >= least) some_.push_back(weight_[i]);
    }

    double kept(int from, float border) const {
        Vec sums{};
        const Vec least = splat(border);
        for (int i = from; i < std::min(from + BLOCK, n_); i += LANES) {
            Vec e = load(weight_.data() + i);
            sums += choose(e < least, Vec{}, e);
        }
        return sum(sums);
    }

    // The token at which the cumulated weights pass `target`.
    int invert(double target, double total, float border) const {
        target = std::min(target, std::nextafter(total, 0.0));
        int block = 0;
        double before = 0;
        while (block + 1 < int(block_.size()) && before + block_[block] <= target) before += block_[block++];
        while (block_[block] == 0) before -= block_[--block];  // rounding may lead beyond the last that has some weight
        int token = -1;
        for (int i = block * BLOCK; i < std::min((block + 1) * BLOCK, n_); i++) {
            if (weight_[i] < border || weight_[i] == 0) continue;
            token = i;
            if ((before += weight_[i]) > target) break;
        }
        return token;
    }

    const int n_;
    std::vector<float> weight_, some_;
    std::vector<double> block_, mass_;
    std::vector<int> count_;
};
