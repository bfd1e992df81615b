// Sixteen numbers at a time, in whatever registers the processor has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

constexpr int LANES = 16;
typedef float Vec __attribute__((vector_size(64), aligned(4)));
typedef int32_t IntVec __attribute__((vector_size(64), aligned(4)));
typedef uint32_t UintVec __attribute__((vector_size(64), aligned(4)));
typedef int16_t ShortVec __attribute__((vector_size(32), aligned(1)));
typedef uint16_t HalfVec __attribute__((vector_size(32), aligned(1)));

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline Vec splat(float x) { return x - Vec{}; }

inline float sum(Vec v) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)v);
#else
    float total = 0;
    for (int i = 0; i < LANES; i++) total += v[i];
    return total;
#endif
}

inline int32_t sum(IntVec v) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_epi32((__m512i)v);
#else
    int32_t total = 0;
    for (int i = 0; i < LANES; i++) total += v[i];
    return total;
#endif
}

inline float greatest(Vec v) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)v);
#else
    float most = v[0];
    for (int i = 1; i < LANES; i++) most = v[i] > most ? v[i] : most;
    return most;
#endif
}

inline Vec abs(Vec v) { return reinterpret_cast<Vec>(reinterpret_cast<UintVec>(v) & 0x7fffffffu); }

// The nearest whole numbers, ties to even, of numbers below 2^22.
inline IntVec nearest(Vec v) { return reinterpret_cast<IntVec>(v + splat(12582912.0f)) - 0x4b400000; }

inline void narrow(int8_t* p, IntVec v) {
    typedef int8_t Bytes __attribute__((vector_size(16), aligned(1)));
    *reinterpret_cast<Bytes*>(p) = __builtin_convertvector(v, Bytes);
}

inline Vec choose(IntVec mask, Vec a, Vec b) {
    return reinterpret_cast<Vec>((mask & reinterpret_cast<IntVec>(a)) | (~mask & reinterpret_cast<IntVec>(b)));
}

// Of n numbers, not counting what is none.
inline float greatest(const float* x, int64_t n) {
    Vec most = splat(-std::numeric_limits<float>::infinity());
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) most = choose(load(x + i) > most, load(x + i), most);
    float found = greatest(most);
    for (; i < n; i++) found = std::max(found, x[i]);
    return found;
}

// Numbers as they are kept, float32 or bfloat16, to float32 and back: to the nearest, ties to even.
inline Vec widen(const float* p) { return load(p); }
inline Vec widen(const uint16_t* p) {
    return reinterpret_cast<Vec>(__builtin_convertvector(*reinterpret_cast<const HalfVec*>(p), UintVec) << 16);
}
inline float widen_one(const float* p) { return *p; }
inline float widen_one(const uint16_t* p) {
    uint32_t bits = uint32_t(*p) << 16;
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

inline void narrow(float* p, Vec v) { store(p, v); }
inline void narrow(uint16_t* p, Vec v) {
#if defined(__AVX512BF16__)
    __m256bh half = _mm512_cvtneps_pbh((__m512)v);
    std::memcpy(p, &half, sizeof half);
#else
    UintVec bits = reinterpret_cast<UintVec>(v);
    UintVec rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    IntVec no_number = (bits & 0x7fffffffu) > 0x7f800000u;
    UintVec chosen = (reinterpret_cast<UintVec>(no_number) & 0x7fc0u) | (~reinterpret_cast<UintVec>(no_number) & rounded);
    *reinterpret_cast<HalfVec*>(p) = __builtin_convertvector(chosen, HalfVec);
#endif
}

// The first n of v; of a matrix whose width is no multiple of 16 the last ones.
template <class Kept>
inline void narrow(Kept* p, Vec v, int n) {
    if (n >= LANES) return narrow(p, v);
    Kept all[LANES];
    narrow(all, v);
    std::memcpy(p, all, n * sizeof(Kept));
}
template <class Kept>
inline Vec widen(const Kept* p, int n) {
    if (n >= LANES) return widen(p);
    Kept all[LANES] = {};
    std::memcpy(all, p, n * sizeof(Kept));
    return widen(all);
}

// e^x to about 2 units in the last place (the reduction and polynomial of Cephes' expf).
inline Vec exponential(Vec x) {
    x = choose(x > splat(88.0f), splat(88.0f), x);
    x = choose(x < splat(-87.0f), splat(-87.0f), x);
    Vec rounded = x * 1.44269504f + splat(12582912.0f);
    Vec n = rounded - splat(12582912.0f);
    Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
    Vec p = splat(1.9875691500e-4f);
    for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        p = p * r + c;
    p = p * r * r + r + splat(1.0f);
    IntVec power = (reinterpret_cast<IntVec>(rounded) - 0x4b400000 + 127) << 23;
    return p * reinterpret_cast<Vec>(power);
}

inline Vec silu(Vec x) { return x / (splat(1.0f) + exponential(-x)); }
inline Vec relu2(Vec x) { return choose(x < Vec{}, Vec{}, x) * x; }
inline Vec gelu(Vec x) {  // the tanh form: x · σ(2z)
    Vec z = 0.7978845608f * (x + 0.044715f * x * x * x);
    return x / (splat(1.0f) + exponential(-2.0f * z));
}
