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

// weight: blocks of 16 outputs. float32: [n / 16][k][16]; bfloat16 and int8: [n / 16][k / 2][16][2]; int8 where WHOLE:
// [n / 16][k / 4][16][4], 128 more.
struct Linear {
    const void* weight;
    const float* scale;  // of each output; int8 only
    const float* bias;   // of each output, or null
    int32_t n, k;        // outputs rounded up to 16, inputs rounded up to 2, where WHOLE to 32
};
}

// Whether whole numbers are multiplied as such, inputs rounded to them too.
#if defined(__AVX512VNNI__)
constexpr bool WHOLE = true;
#else
constexpr bool WHOLE = false;
#endif

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

// Rows of inputs as whole numbers from -127 to 127, in blocks of 32 with a scale each, as q8_0 of llama.cpp has them.
struct Rounded {
    static constexpr int BLOCK = 32;

    Rounded(int rows, int k)
        : blocks((k + BLOCK - 1) / BLOCK), stride(int64_t(blocks) * BLOCK), whole(rows * stride),
          scale(size_t(rows) * blocks), begin(size_t(rows) * blocks) {}

    // x: the row's k numbers.
    template <class Kept>
    void round(int row, const Kept* x, int k) {
        for (int block = 0; block < blocks; block++) {
            const int at = block * BLOCK, second = std::max(0, std::min(k - at - LANES, LANES));
            const Vec a = widen(x + at, k - at), b = second ? widen(x + at + LANES, second) : Vec{};
            const float most = greatest(choose(abs(a) > abs(b), abs(a), abs(b)));
            const Vec turn = splat(most > 0 ? 127 / most : 0.0f);
            const IntVec first = nearest(a * turn), last = nearest(b * turn);
            int8_t* out = whole.data() + row * stride + at;
            narrow(out, first);
            narrow(out + LANES, last);
            // what is no number stays so
            scale[size_t(row) * blocks + block] = most / 127 + sum(a * 0.0f + b * 0.0f);
            begin[size_t(row) * blocks + block] = -128 * sum(first + last);
        }
    }

    const int blocks;
    const int64_t stride;
    std::vector<int8_t> whole;
    std::vector<float> scale;
    std::vector<int32_t> begin;  // what takes away the 128 that weights have more
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

// Sums of BLOCKS blocks of outputs over k inputs for ROWS rows; `weight` and `x` are those of the first. A block begins
// `size` weights after the one before.
template <int TYPE, int ROWS, int BLOCKS, class Weight>
inline void multiply(const Weight* weight, int64_t k, const typename Input<TYPE>::Element* x, int64_t stride,
                     Vec (&sums)[BLOCKS][ROWS], int64_t size) {
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

// Of ROWS rows from `row` on, with weights that lie together.
template <int TYPE, int ROWS, int BLOCKS>
inline void multiply(const void* weight, int64_t k, const Inputs<TYPE>& x, int row, Vec (&sums)[BLOCKS][ROWS]) {
    typedef std::conditional_t<TYPE == FLOAT32, float, std::conditional_t<TYPE == INT8, int8_t, uint16_t>> Weight;
    multiply<TYPE, ROWS, BLOCKS>(static_cast<const Weight*>(weight), k, x.row(row), x.stride, sums, k * LANES);
}

// The same for whole numbers; `weight` has 128 more.
template <int TYPE, int ROWS, int BLOCKS>
inline void multiply(const void* packed, int64_t k, const Rounded& x, int row, Vec (&sums)[BLOCKS][ROWS]) {
#if defined(__AVX512VNNI__)
    const uint8_t* weight = static_cast<const uint8_t*>(packed);
    const int64_t size = k * LANES;
    const int8_t* whole = x.whole.data() + row * x.stride;
    const float* scale = x.scale.data() + int64_t(row) * x.blocks;
    const int32_t* begin = x.begin.data() + int64_t(row) * x.blocks;
    Vec local[BLOCKS][ROWS] = {};
    for (int block = 0; block < x.blocks; block++) {
        __m512i part[BLOCKS][ROWS];
        for (int m = 0; m < ROWS; m++)
            for (int b = 0; b < BLOCKS; b++) part[b][m] = _mm512_set1_epi32(begin[m * x.blocks + block]);
        for (int i = 0; i < Rounded::BLOCK; i += 4) {
            const int64_t at = block * Rounded::BLOCK + i;
            __m512i w[BLOCKS];
            for (int b = 0; b < BLOCKS; b++) w[b] = _mm512_loadu_si512(weight + b * size + at * LANES);
            for (int m = 0; m < ROWS; m++) {
                int32_t four;
                std::memcpy(&four, whole + m * x.stride + at, 4);
                for (int b = 0; b < BLOCKS; b++) part[b][m] = _mm512_dpbusd_epi32(part[b][m], w[b], _mm512_set1_epi32(four));
            }
        }
        for (int m = 0; m < ROWS; m++)
            for (int b = 0; b < BLOCKS; b++)
                local[b][m] += (Vec)_mm512_cvtepi32_ps(part[b][m]) * splat(scale[m * x.blocks + block]);
    }
    for (int b = 0; b < BLOCKS; b++)
        for (int m = 0; m < ROWS; m++) sums[b][m] = local[b][m];
#endif
}

// work(first row, how many) over `rows`, as many at a time as registers hold.
template <int MOST = MOST_ROWS, class Work>
inline void by_rows(int rows, const Work& work) {
    int row = 0;
    for (; row + MOST <= rows; row += MOST) work(row, std::integral_constant<int, MOST>());
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

template <int TYPE, int BLOCKS, int MOST, class X, class Take>
inline void some_blocks(const Linear& map, int block, const X& x, int first, int rows, const Take& take) {
    constexpr int SIZE = TYPE == FLOAT32 ? 4 : TYPE == BFLOAT16 ? 2 : 1;
    const uint8_t* weight = static_cast<const uint8_t*>(map.weight) + int64_t(block) * map.k * LANES * SIZE;
    by_rows<MOST>(rows, [&](int at, auto n) {
        constexpr int ROWS = n;
        const int row = first + at;
        Vec sums[BLOCKS][ROWS];
        multiply<TYPE, ROWS, BLOCKS>(weight, map.k, x, row, sums);
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

// take(block, row, sums, sums of the next block or null) for the blocks from `from`, which is even, to `to` and the
// rows from `first` on. Two blocks at a time: these weights stay in the cache until the last row has used them.
template <int TYPE, class X, class Take>
void product(const Linear& map, int from, int to, const X& x, int first, int rows, const Take& take) {
    constexpr bool whole = std::is_same_v<X, Rounded>;
    constexpr int MOST = whole ? 4 : MOST_ROWS, FEW = whole ? 3 : ACCUMULATORS / 4;
    int block = from;
    if (rows <= FEW)  // more weights under way at a time
        for (; block + 4 <= to; block += 4) some_blocks<TYPE, 4, FEW>(map, block, x, first, rows, take);
    for (; block + 2 <= to; block += 2) some_blocks<TYPE, 2, MOST>(map, block, x, first, rows, take);
    for (; block < to; block++) some_blocks<TYPE, 1, MOST>(map, block, x, first, rows, take);
}
