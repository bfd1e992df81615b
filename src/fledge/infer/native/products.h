// Products of a few rows with packed weights. Sums are in float32; how rows or blocks are grouped never changes one.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "vectors.h"

#if defined(__AVX512F__)
constexpr int MOST_ROWS = 8;  // rows whose sums are in registers together
constexpr int ACCUMULATORS = 16;
#else
constexpr int MOST_ROWS = 4;
constexpr int ACCUMULATORS = 4;
#endif

enum Type : int32_t { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2 };

extern "C" {

// weight: blocks of 16 outputs. float32: [n / 16][k][16]; bfloat16 and int8: [n / 16][k / 2][16][2].
struct Linear {
    const void* weight;
    const float* scale;  // of each output; int8 only
    const float* bias;   // of each output, or null
    int32_t n, k;        // outputs rounded up to 16, inputs rounded up to 2
};
}

// What weights of a type are multiplied with: bfloat16 where its units take that, else float32.
template <int TYPE>
struct Input {
#if defined(__AVX512BF16__)
    typedef std::conditional_t<TYPE == FLOAT32, float, uint16_t> Element;
#else
    typedef float Element;
#endif
};

// Rows of inputs, each padded with a zero to an even number.
template <int TYPE>
struct Inputs {
    typedef typename Input<TYPE>::Element Element;

    Inputs(int rows, int k) : stride((k + 1) / 2 * 2), values(size_t(rows) * stride) {}
    Element* row(int i) { return values.data() + int64_t(i) * stride; }
    const Element* row(int i) const { return values.data() + int64_t(i) * stride; }

    const int64_t stride;
    std::vector<Element> values;
};

#if defined(__AVX512BF16__)
inline __m512bh pairs(const uint16_t* p) { return (__m512bh)_mm512_loadu_si512(p); }
inline __m512bh pairs(const int8_t* p) {  // whole numbers up to 127 are exact in bfloat16
    auto floats = [](const int8_t* from) {
        __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    };
    return _mm512_cvtne2ps_pbh(floats(p + LANES), floats(p));
}
#else
struct Pairs {
    Vec first, second;
};
inline Pairs pairs(const uint16_t* p) {
    UintVec both = *reinterpret_cast<const UintVec*>(p);
    return {reinterpret_cast<Vec>(both << 16), reinterpret_cast<Vec>(both & 0xffff0000u)};
}
inline Pairs pairs(const int8_t* p) {
    IntVec both = __builtin_convertvector(*reinterpret_cast<const ShortVec*>(p), IntVec);
    return {__builtin_convertvector(both << 24 >> 24, Vec), __builtin_convertvector(both >> 8, Vec)};
}
#endif

// Sums of BLOCKS blocks of outputs over k inputs for ROWS rows; `weight` and `x` are those of the first.
template <int TYPE, int ROWS, int BLOCKS, class Weight>
inline void multiply(const Weight* weight, int64_t k, const typename Input<TYPE>::Element* x, int64_t stride,
                     Vec (&sums)[BLOCKS][ROWS]) {
    const int64_t size = k * LANES;
    Vec local[BLOCKS][ROWS] = {};  // in registers: `sums` may be the memory that x lies in, for all the compiler knows
    if constexpr (TYPE == FLOAT32) {
        for (int64_t i = 0; i < k; i++) {
            Vec w[BLOCKS];
            for (int b = 0; b < BLOCKS; b++) w[b] = load(weight + b * size + i * LANES);
            for (int m = 0; m < ROWS; m++)
                for (int b = 0; b < BLOCKS; b++) local[b][m] += w[b] * x[m * stride + i];
        }
    } else {
        for (int64_t i = 0; i < k; i += 2) {
#if defined(__AVX512BF16__)
            __m512bh w[BLOCKS];
            for (int b = 0; b < BLOCKS; b++) w[b] = pairs(weight + b * size + i * LANES);
            for (int m = 0; m < ROWS; m++) {
                int32_t pair;
                std::memcpy(&pair, x + m * stride + i, 4);
                __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
                for (int b = 0; b < BLOCKS; b++) local[b][m] = (Vec)_mm512_dpbf16_ps((__m512)local[b][m], w[b], both);
            }
#else
            for (int b = 0; b < BLOCKS; b++) {
                Pairs w = pairs(weight + b * size + i * LANES);
                for (int m = 0; m < ROWS; m++)
                    local[b][m] += w.first * x[m * stride + i] + w.second * x[m * stride + i + 1];
            }
#endif
        }
    }
    for (int b = 0; b < BLOCKS; b++)
        for (int m = 0; m < ROWS; m++) sums[b][m] = local[b][m];
}

// work(first row, how many) over `rows`, as many at a time as registers hold.
template <class Work>
inline void by_rows(int rows, const Work& work) {
    int row = 0;
    for (; row + MOST_ROWS <= rows; row += MOST_ROWS) work(row, std::integral_constant<int, MOST_ROWS>());
    switch (rows - row) {
        case 1: work(row, std::integral_constant<int, 1>()); break;
        case 2: work(row, std::integral_constant<int, 2>()); break;
        case 3: work(row, std::integral_constant<int, 3>()); break;
#if defined(__AVX512F__)
        case 4: work(row, std::integral_constant<int, 4>()); break;
        case 5: work(row, std::integral_constant<int, 5>()); break;
        case 6: work(row, std::integral_constant<int, 6>()); break;
        case 7: work(row, std::integral_constant<int, 7>()); break;
#endif
    }
}

template <int TYPE, int BLOCKS, class Take>
inline void some_blocks(const Linear& map, int block, const Inputs<TYPE>& x, int rows, const Take& take) {
    typedef std::conditional_t<TYPE == FLOAT32, float, std::conditional_t<TYPE == INT8, int8_t, uint16_t>> Weight;
    const Weight* weight = static_cast<const Weight*>(map.weight) + int64_t(block) * map.k * LANES;
    by_rows(rows, [&](int row, auto n) {
        constexpr int ROWS = n;
        Vec sums[BLOCKS][ROWS];
        multiply<TYPE, ROWS, BLOCKS>(weight, map.k, x.row(row), x.stride, sums);
        for (int b = 0; b < BLOCKS; b++) {
            const int output = (block + b) * LANES;
            for (int m = 0; m < ROWS; m++) {
                if (TYPE == INT8) sums[b][m] *= load(map.scale + output);
                if (map.bias) sums[b][m] += load(map.bias + output);
            }
        }
        for (int m = 0; m < ROWS; m++)
            for (int b = 0; b < BLOCKS; b += 2)
                take(block + b, row + m, sums[b][m], BLOCKS > 1 ? &sums[(b + 1) % BLOCKS][m] : nullptr);
    });
}

// take(block, row, sums, sums of the next block or null) for the blocks from `from`, which is even, to `to` and all
// rows. Two blocks at a time: these weights stay in the cache until the last row has used them.
template <int TYPE, class Take>
void product(const Linear& map, int from, int to, const Inputs<TYPE>& x, int rows, const Take& take) {
    int block = from;
    if (rows * 4 <= ACCUMULATORS)  // few rows: more weights under way at a time
        for (; block + 4 <= to; block += 4) some_blocks<TYPE, 4>(map, block, x, rows, take);
    for (; block + 2 <= to; block += 2) some_blocks<TYPE, 2>(map, block, x, rows, take);
    for (; block < to; block++) some_blocks<TYPE, 1>(map, block, x, rows, take);
}
