// Attention with keys and values in a cache: of single queries, and of many that follow each other.
#pragma once

#include <cmath>

#include "products.h"

// A query or key (d): its own norm, then its turn.
template <class Kept>
inline void turn(const Kept* x, const float* weight, const float* cosine, const float* sine, int d, float eps, float* out) {
    for (int i = 0; i < d; i += LANES) store(out + i, widen(x + i));
    if (weight) {
        Vec squares{};
        for (int i = 0; i < d; i += LANES) squares += load(out + i) * load(out + i);
        const float scale = 1.0f / std::sqrt(sum(squares) / float(d) + eps);
        for (int i = 0; i < d; i += LANES) store(out + i, load(out + i) * scale * load(weight + i));
    }
    if (!cosine) return;
    for (int i = 0; i < d / 2; i++) {
        const float a = out[i], b = out[i + d / 2];
        out[i] = a * cosine[i] - b * sine[i];
        out[i + d / 2] = b * cosine[i] + a * sine[i];
    }
}

template <class From, class To>
inline void copy(const From* from, To* to, int n) {
    for (int i = 0; i < n; i += LANES) narrow(to + i, widen(from + i));
}

// Turns scores at the positions from `from` to `to` into e^(score - greatest) and returns 1 / their sum; zeros around
// them, from 0 up to `padded`.
template <class Kept>
inline float soften(const float* scores, int64_t from, int64_t to, int64_t padded, Kept* out) {
    const Vec most = splat(greatest(scores + from, to - from));
    Vec total{};
    IntVec place;
    for (int i = 0; i < LANES; i++) place[i] = i;
    for (int64_t s = 0; s < padded; s += LANES) {
        IntVec at = place + int32_t(s);
        IntVec outside = (at < int32_t(from)) | (at >= int32_t(to));
        Vec p = choose(outside, Vec{}, exponential(load(scores + s) - most));
        total += p;
        narrow(out + s, p);
    }
    return 1.0f / sum(total);
}

// Scores of N vectors of a query with those of the keys at the positions from `from` to `to`, added.
template <int N, class Kept>
inline void compare(const float* q, const Kept* keys, int64_t stride, int64_t from, int64_t to, float* scores) {
    Vec query[N];
    for (int i = 0; i < N; i++) query[i] = load(q + i * LANES);
    for (int64_t s = from; s < to; s++) {
        Vec total{};
        for (int i = 0; i < N; i++) total += query[i] * widen(keys + s * stride + i * LANES);
        scores[s] += sum(total);
    }
}

// The weighted sums of N vectors of the values at the positions from `from` to `to`.
template <int N, class Kept>
inline void gather(const float* weights, const Kept* values, int64_t stride, int64_t from, int64_t to, float scale, float* out) {
    Vec total[N] = {};
    for (int64_t s = from; s < to; s++)
        for (int i = 0; i < N; i++) total[i] += weights[s] * widen(values + s * stride + i * LANES);
    for (int i = 0; i < N; i++) store(out + i * LANES, total[i] * scale);
}

// work(first dimension, how many vectors) over d dimensions, four vectors at a time.
template <class Work>
inline void by_four(int d, const Work& work) {
    int i = 0;
    for (; i + 4 * LANES <= d; i += 4 * LANES) work(i, std::integral_constant<int, 4>());
    for (; i < d; i += LANES) work(i, std::integral_constant<int, 1>());
}

// One query (d, scaled) over the positions from `from` to `to` of one head. `scores` has room for `to` and 16 more.
template <class Kept>
void attend(const float* q, const Kept* keys, const Kept* values, int64_t stride, int64_t from, int64_t to, int d,
            float* scores, float* out) {
    const int64_t padded = (to + LANES - 1) / LANES * LANES;
    std::fill(scores, scores + padded, 0.0f);
    by_four(d, [&](int i, auto n) { compare<n>(q + i, keys + i, stride, from, to, scores); });
    const float scale = soften(scores, from, to, padded, scores);
    by_four(d, [&](int i, auto n) { gather<n>(scores, values + i, stride, from, to, scale, out + i); });
}

// The keys and values of one head as packed weights: `n_positions` outputs from `d` inputs, and the other way round.
template <int TYPE>
struct PackedHead {
    typedef std::conditional_t<TYPE == FLOAT32, float, uint16_t> Kept;

    void pack(const Kept* keys, const Kept* values, int64_t stride, int64_t n_positions, int d) {
        padded = (n_positions + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
        k.assign(padded * d, Kept());
        v.assign(padded * d, Kept());
        constexpr int PAIR = TYPE == FLOAT32 ? 1 : 2;
        for (int64_t s = 0; s < n_positions; s++) {
            Kept* column = k.data() + s / LANES * d * LANES + s % LANES * PAIR;
            for (int i = 0; i < d; i += PAIR) std::memcpy(column + i * LANES, keys + s * stride + i, PAIR * sizeof(Kept));
            for (int block = 0; block < d / LANES; block++) {
                Kept* row = v.data() + block * padded * LANES + s / PAIR * PAIR * LANES + s % PAIR;
                for (int i = 0; i < LANES; i++) row[i * PAIR] = values[s * stride + block * LANES + i];
            }
        }
    }

    int64_t padded = 0;
    std::vector<Kept> k, v;
};

// ROWS queries (d, scaled) at positions that follow `first`, in one head of which a query sees the last `window`
// positions (0 = all) up to its own. take(row, dimension, vector).
template <int TYPE, int ROWS, class Take>
void attend_rows(const PackedHead<TYPE>& head, const typename Input<TYPE>::Element* q, int64_t stride, int64_t first,
                 int64_t window, int d, std::vector<float>& scores, Inputs<TYPE>& weights, const Take& take) {
    const int64_t seen = std::min((first + ROWS + 2 * LANES - 1) / (2 * LANES) * (2 * LANES), head.padded);
    const int64_t begin = window ? std::max<int64_t>(0, first + 1 - window) / (2 * LANES) * (2 * LANES) : 0;
    for (int64_t s = begin; s < seen; s += 2 * LANES) {
        Vec sums[2][ROWS];
        multiply<TYPE, ROWS, 2>(head.k.data() + s * d, d, q, stride, sums, d * LANES);
        for (int m = 0; m < ROWS; m++)
            for (int b = 0; b < 2; b++) store(scores.data() + m * head.padded + s + b * LANES, sums[b][m]);
    }
    float scale[ROWS];
    for (int m = 0; m < ROWS; m++) {
        const int64_t to = first + m + 1, from = window ? std::max<int64_t>(0, to - window) : 0;
        scale[m] = soften(scores.data() + m * head.padded + begin, from - begin, to - begin, seen - begin, weights.row(m));
    }
    auto gather = [&](int block, auto n) {
        constexpr int BLOCKS = n;
        Vec sums[BLOCKS][ROWS];
        const auto* values = head.v.data() + (block * head.padded + begin) * LANES;
        multiply<TYPE, ROWS, BLOCKS>(values, seen - begin, weights.row(0), weights.stride, sums, head.padded * LANES);
        for (int m = 0; m < ROWS; m++)
            for (int b = 0; b < BLOCKS; b++) take(m, (block + b) * LANES, sums[b][m] * scale[m]);
    };
    int block = 0;
    if (TYPE != FLOAT32)  // two blocks of values of 512 positions in float32 leave the nearest cache
        for (; block + 2 <= d / LANES; block += 2) gather(block, std::integral_constant<int, 2>());
    for (; block < d / LANES; block++) gather(block, std::integral_constant<int, 1>());
}
