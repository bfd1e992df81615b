// One token for each of some rows through a decoder, on a CPU: step.py packs the weights and calls step().
//
// Reading the weights is what a step waits for. They lie in blocks of 16 outputs in the order in which they are used,
// every weight is read once for all rows, and the threads meet only where one needs what another computed. Sums are in
// float32; which thread computes a value never changes it.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

constexpr int LANES = 16;
typedef float Vec __attribute__((vector_size(64), aligned(4)));
typedef int32_t IntVec __attribute__((vector_size(64), aligned(4)));
typedef uint32_t UintVec __attribute__((vector_size(64), aligned(4)));
typedef int8_t ByteVec __attribute__((vector_size(16), aligned(1)));
typedef uint16_t HalfVec __attribute__((vector_size(32), aligned(2)));

#if defined(__AVX512F__)
constexpr int MOST_ROWS = 8;  // rows whose sums are in registers together
constexpr int ACCUMULATORS = 16;
#else
constexpr int MOST_ROWS = 4;
constexpr int ACCUMULATORS = 4;
#endif

enum Type : int32_t { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2 };
enum Mlp : int32_t { SWIGLU = 0, RELU2 = 1, GELU = 2 };

}  // namespace

extern "C" {

// weight: blocks of 16 outputs. float32 and int8: [n / 16][k][16]; bfloat16: [n / 16][k / 2][16][2].
struct Linear {
    const void* weight;
    const float* scale;  // of each output; int8 only
    const float* bias;   // of each output, or null
    int32_t n, k;        // outputs rounded up to 16, inputs rounded up to 2
};

struct Norm {
    const float* weight;
    const float* bias;  // null: RMS norm
};

// up: with SWIGLU blocks of gate and up in turn.
struct Layer {
    Norm before_attention, before_mlp;
    const float *q_norm, *k_norm;  // or null
    Linear qkv, out, up, down;
};

struct Model {
    int32_t type, mlp;
    int32_t n_layers, d_model, n_heads, n_kv_heads, head_dim, d_ff, window;
    float eps;
    Norm norm;
    Linear head;
    const Layer* layers;
};

struct Step {
    int32_t rows;
    float* x;                          // (rows, d_model): the embedded tokens; overwritten
    const float *cosine, *sine;        // (rows, head_dim / 2), or null
    const int64_t *slot, *position;    // (rows)
    void *keys, *values;               // the cache, head_dim contiguous
    int64_t by_layer, by_slot, by_head, by_position;  // its strides, in elements
    float* logits;                     // (rows, head.n)
};

}  // extern "C"

namespace {

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline Vec splat(float x) { return x - Vec{}; }

inline float sum(Vec v) {
    float total = 0;
    for (int width = LANES / 2; width; width /= 2)
        for (int i = 0; i < width; i++) v[i] += v[i + width];
    total = v[0];
    return total;
}

inline Vec widen(const uint16_t* p) {
    return reinterpret_cast<Vec>(__builtin_convertvector(*reinterpret_cast<const HalfVec*>(p), UintVec) << 16);
}

inline uint16_t narrow(float x) {  // to the nearest, ties to even; what is no number stays so
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;
    return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline Vec widen(const float* p) { return load(p); }
inline void put(float* p, float x) { *p = x; }
inline void put(uint16_t* p, float x) { *p = narrow(x); }

inline Vec choose(IntVec mask, Vec a, Vec b) {
    return reinterpret_cast<Vec>((mask & reinterpret_cast<IntVec>(a)) | (~mask & reinterpret_cast<IntVec>(b)));
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

inline Vec gelu(Vec x) {  // the tanh form: x · σ(2z)
    Vec z = 0.7978845608f * (x + 0.044715f * x * x * x);
    return x / (splat(1.0f) + exponential(-2.0f * z));
}

// ---------------------------------------------------------------- threads

// Threads that wait between steps, and meet within one by spinning.
class Team {
   public:
    explicit Team(int n) : n_(n) {
        for (int i = 1; i < n; i++)
            std::thread([this, i] { serve(i); }).detach();
    }

    int size() const { return n_; }

    template <class Work>
    void run(Work&& work) {
        work_ = [](void* f, int i) { (*static_cast<std::remove_reference_t<Work>*>(f))(i); };
        argument_ = &work;
        finished_.store(0);
        {
            std::lock_guard<std::mutex> lock(mutex_);
            generation_.fetch_add(1);
        }
        wake_.notify_all();
        work(0);
        for (int spins = 0; finished_.load(std::memory_order_acquire) < n_ - 1; spins++) rest(spins);
    }

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

    void serve(int i) {
        unsigned seen = 0;
        for (;;) {
            for (int spins = 0; generation_.load(std::memory_order_acquire) == seen && spins < 20000; spins++) rest(0);
            if (generation_.load(std::memory_order_acquire) == seen) {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return generation_.load() != seen; });
            }
            seen = generation_.load();
            work_(argument_, i);
            finished_.fetch_add(1, std::memory_order_release);
        }
    }

    const int n_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<unsigned> generation_{0};
    std::atomic<int> finished_{0}, arrived_{0}, turn_{0};
    void (*work_)(void*, int) = nullptr;
    void* argument_ = nullptr;
};

// ---------------------------------------------------------------- products

// What a product reads, in the order in which it does: of up to MOST_ROWS rows together the first `PAIR` inputs of each
// row, then the next ones. float32, or bfloat16 by pairs where its units take these.
template <int TYPE>
struct Input {
    typedef float Element;
    static constexpr int PAIR = 1;
};
#if defined(__AVX512BF16__)
template <>
struct Input<BFLOAT16> {
    typedef uint16_t Element;
    static constexpr int PAIR = 2;
};
#endif

template <int TYPE>
class Inputs {
   public:
    typedef typename Input<TYPE>::Element Element;
    static constexpr int PAIR = Input<TYPE>::PAIR;

    Inputs(int rows, int k) : rows_(rows), k_((k + 1) / 2 * 2), values_(size_t(rows) * k_) {}

    void put(int row, int i, float value) { ::put(&values_[index(row, i)], value); }
    void put(int row, int i, int n, const float* values) {
        for (int j = 0; j < n; j++) put(row, i + j, values[j]);
    }
    const Element* of(int first_row) const { return values_.data() + size_t(first_row) * k_; }

   private:
    size_t index(int row, int i) const {
        int first = row / MOST_ROWS * MOST_ROWS, together = std::min(MOST_ROWS, rows_ - first);
        return size_t(first) * k_ + (size_t(i / PAIR) * together + (row - first)) * PAIR + i % PAIR;
    }

    const int rows_, k_;
    std::vector<Element> values_;
};

inline Vec widen(const int8_t* p) {
#if defined(__AVX512F__)
    return (Vec)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
    return __builtin_convertvector(__builtin_convertvector(*reinterpret_cast<const ByteVec*>(p), IntVec), Vec);
#endif
}

// Sums of BLOCKS blocks of outputs for ROWS rows.
template <int TYPE, int ROWS, int BLOCKS>
inline void multiply(const Linear& map, int block, const typename Input<TYPE>::Element* x, Vec (&sums)[BLOCKS][ROWS]) {
    const int64_t k = map.k, size = k * LANES;
    Vec local[BLOCKS][ROWS] = {};  // in registers: `sums` may be the memory that x lies in, for all the compiler knows
    if constexpr (TYPE == BFLOAT16) {
        const uint16_t* weight = static_cast<const uint16_t*>(map.weight) + block * size;
        for (int64_t i = 0; i < k; i += 2) {
#if defined(__AVX512BF16__)
            __m512bh w[BLOCKS];
            for (int b = 0; b < BLOCKS; b++) w[b] = (__m512bh)_mm512_loadu_si512(weight + b * size + i * LANES);
            for (int m = 0; m < ROWS; m++) {
                int32_t pair;
                std::memcpy(&pair, x + i * ROWS + m * 2, 4);
                __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
                for (int b = 0; b < BLOCKS; b++) local[b][m] = (Vec)_mm512_dpbf16_ps((__m512)local[b][m], w[b], both);
            }
#else
            for (int b = 0; b < BLOCKS; b++) {
                UintVec both = *reinterpret_cast<const UintVec*>(weight + b * size + i * LANES);
                Vec first = reinterpret_cast<Vec>(both << 16), second = reinterpret_cast<Vec>(both & 0xffff0000u);
                for (int m = 0; m < ROWS; m++) local[b][m] += first * x[i * ROWS + m] + second * x[(i + 1) * ROWS + m];
            }
#endif
        }
    } else {
        typedef std::conditional_t<TYPE == FLOAT32, float, int8_t> Weight;
        const Weight* weight = static_cast<const Weight*>(map.weight) + block * size;
        for (int64_t i = 0; i < k; i++) {
            Vec w[BLOCKS];
            for (int b = 0; b < BLOCKS; b++) w[b] = widen(weight + b * size + i * LANES);
            for (int m = 0; m < ROWS; m++)
                for (int b = 0; b < BLOCKS; b++) local[b][m] += w[b] * x[i * ROWS + m];
        }
    }
    for (int b = 0; b < BLOCKS; b++) {
        int n = (block + b) * LANES;
        for (int m = 0; m < ROWS; m++) {
            sums[b][m] = TYPE == INT8 ? local[b][m] * load(map.scale + n) : local[b][m];
            if (map.bias) sums[b][m] += load(map.bias + n);
        }
    }
}

template <int TYPE, int ROWS, class Take>
inline void some_rows(const Linear& map, int from, int to, const Inputs<TYPE>& x, int row, const Take& take) {
    constexpr int BLOCKS = ACCUMULATORS / ROWS >= 4 ? 4 : 2;
    int block = from;
    for (; block + BLOCKS <= to; block += BLOCKS) {
        Vec sums[BLOCKS][ROWS];
        multiply<TYPE, ROWS, BLOCKS>(map, block, x.of(row), sums);
        for (int m = 0; m < ROWS; m++)
            for (int b = 0; b < BLOCKS; b += 2) take(block + b, row + m, sums[b][m], &sums[b + 1][m]);
    }
    for (; block < to; block += 2) {
        if (to - block >= 2) {
            Vec sums[2][ROWS];
            multiply<TYPE, ROWS, 2>(map, block, x.of(row), sums);
            for (int m = 0; m < ROWS; m++) take(block, row + m, sums[0][m], &sums[1][m]);
        } else {
            Vec sums[1][ROWS];
            multiply<TYPE, ROWS, 1>(map, block, x.of(row), sums);
            for (int m = 0; m < ROWS; m++) take(block, row + m, sums[0][m], nullptr);
        }
    }
}

// take(block, row, sums, sums of the next block or null) for the blocks from `from` to `to`, and all rows.
template <int TYPE, class Take>
void product(const Linear& map, int from, int to, const Inputs<TYPE>& x, int rows, const Take& take) {
    for (int row = 0; row < rows;) {
        switch (std::min(rows - row, MOST_ROWS)) {
            case 1: some_rows<TYPE, 1>(map, from, to, x, row, take); row += 1; break;
            case 2: some_rows<TYPE, 2>(map, from, to, x, row, take); row += 2; break;
            case 3: some_rows<TYPE, 3>(map, from, to, x, row, take); row += 3; break;
            case 4: some_rows<TYPE, 4>(map, from, to, x, row, take); row += 4; break;
#if defined(__AVX512F__)
            case 5: some_rows<TYPE, 5>(map, from, to, x, row, take); row += 5; break;
            case 6: some_rows<TYPE, 6>(map, from, to, x, row, take); row += 6; break;
            case 7: some_rows<TYPE, 7>(map, from, to, x, row, take); row += 7; break;
            default: some_rows<TYPE, 8>(map, from, to, x, row, take); row += 8; break;
#endif
        }
    }
}

// ---------------------------------------------------------------- one step

template <int TYPE>
void normalise(const Norm& norm, const float* x, int d, float eps, Inputs<TYPE>& out, int row) {
    Vec total{}, squares{};
    int i = 0;
    float mean = 0, tail = 0;
    if (norm.bias) {
        for (i = 0; i + LANES <= d; i += LANES) total += load(x + i);
        for (; i < d; i++) tail += x[i];
        mean = (sum(total) + tail) / float(d);
        tail = 0;
    }
    for (i = 0; i + LANES <= d; i += LANES) {
        Vec v = load(x + i) - splat(mean);
        squares += v * v;
    }
    for (; i < d; i++) tail += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / std::sqrt((sum(squares) + tail) / float(d) + eps);
    for (i = 0; i < d; i++) out.put(row, i, (x[i] - mean) * scale * norm.weight[i] + (norm.bias ? norm.bias[i] : 0.0f));
}

// A query or key (d): its own norm, then its turn.
inline void turn(const float* x, const float* weight, const float* cosine, const float* sine, int d, float eps,
                 float* out) {
    float scale = 1;
    if (weight) {
        Vec squares{};
        for (int i = 0; i < d; i += LANES) squares += load(x + i) * load(x + i);
        scale = 1.0f / std::sqrt(sum(squares) / float(d) + eps);
    }
    for (int i = 0; i < d; i++) out[i] = weight ? x[i] * scale * weight[i] : x[i];
    if (!cosine) return;
    for (int i = 0; i < d / 2; i++) {
        float a = out[i], b = out[i + d / 2];
        out[i] = a * cosine[i] - b * sine[i];
        out[i + d / 2] = b * cosine[i] + a * sine[i];
    }
}

// One query (d, scaled) over the positions from `from` to `to` of one head's keys and values.
template <class Stored>
void attend(const float* q, const Stored* keys, const Stored* values, int64_t stride, int64_t from, int64_t to, int d,
            float* scores, float* out) {
    float greatest = -INFINITY;
    for (int64_t s = from; s < to; s++) {
        Vec total{};
        for (int i = 0; i < d; i += LANES) total += load(q + i) * widen(keys + s * stride + i);
        scores[s - from] = sum(total);
        greatest = std::max(greatest, scores[s - from]);
    }
    int64_t n = to - from, padded = (n + LANES - 1) / LANES * LANES;
    for (int64_t s = n; s < padded; s++) scores[s] = -INFINITY;
    Vec total{};
    for (int64_t s = 0; s < padded; s += LANES) {
        Vec p = exponential(load(scores + s) - splat(greatest));
        if (s + LANES > n)
            for (int i = int(n - s); i < LANES; i++) p[i] = 0;
        store(scores + s, p);
        total += p;
    }
    float scale = 1.0f / sum(total);
    for (int i = 0; i < d; i += LANES) {
        Vec y{};
        for (int64_t s = from; s < to; s++) y += scores[s - from] * widen(values + s * stride + i);
        store(out + i, y * scale);
    }
}

template <int TYPE>
void step(const Model& model, const Step& s, Team& team) {
    typedef std::conditional_t<TYPE == FLOAT32, float, uint16_t> Stored;  // keys and values
    const int rows = s.rows, d = model.d_model, head_dim = model.head_dim;
    const int n_q = model.n_heads * head_dim, n_kv = model.n_kv_heads * head_dim, group = model.n_heads / model.n_kv_heads;
    const int n_qkv = model.layers[0].qkv.n;
    std::vector<float> qkv(size_t(rows) * n_qkv);
    Inputs<TYPE> mixed(rows, n_q), hidden(rows, model.d_ff);
    std::vector<std::atomic<int>> counters(model.n_layers * 5 + 1);
    for (auto& each : counters) each.store(0, std::memory_order_relaxed);
    int64_t longest = 0;
    for (int row = 0; row < rows; row++) longest = std::max(longest, s.position[row] + 1);

    team.run([&](int) {
        Inputs<TYPE> h(rows, d);
        std::vector<float> scores(longest + LANES), q(head_dim), k(head_dim), y(head_dim);
        auto* counter = counters.data();
        auto normalised = [&](const Norm& norm) {
            for (int row = 0; row < rows; row++) normalise(norm, s.x + int64_t(row) * d, d, model.eps, h, row);
        };
        // Shares of a phase, taken as threads get to them: another program may have one of the processors.
        auto shared = [&](int n, int size, const auto& work) {
            for (int at; (at = counter->fetch_add(size, std::memory_order_relaxed)) < n;) work(at, std::min(at + size, n));
            counter++;
        };
        auto size_of = [&](int blocks) { return std::max(4, (blocks / (team.size() * 6) + 3) / 4 * 4); };
        auto linear = [&](const Linear& map, const Inputs<TYPE>& x, const auto& take) {
            int blocks = map.n / LANES;
            shared(blocks, size_of(blocks), [&](int from, int to) { product<TYPE>(map, from, to, x, rows, take); });
        };
        auto added = [&](int block, int row, Vec a, const Vec* b) {
            float* x = s.x + int64_t(row) * d;
            int n = block * LANES;
            auto add = [&](int at, Vec v) {
                if (at + LANES <= d) {
                    store(x + at, load(x + at) + v);
                } else {
                    for (int i = at; i < d; i++) x[i] += v[i - at];
                }
            };
            add(n, a);
            if (b) add(n + LANES, *b);
        };

        for (int number = 0; number < model.n_layers; number++) {
            const Layer& layer = model.layers[number];
            normalised(layer.before_attention);
            linear(layer.qkv, h, [&](int block, int row, Vec a, const Vec* b) {
                float* out = qkv.data() + int64_t(row) * n_qkv + block * LANES;
                store(out, a);
                if (b) store(out + LANES, *b);
            });
            team.meet();
            shared(rows * model.n_kv_heads, 1, [&](int at, int) {
                const int row = at / model.n_kv_heads, kv = at % model.n_kv_heads;
                const float* of_row = qkv.data() + int64_t(row) * n_qkv;
                const float* cosine = s.cosine ? s.cosine + int64_t(row) * head_dim / 2 : nullptr;
                const float* sine = s.cosine ? s.sine + int64_t(row) * head_dim / 2 : nullptr;
                const int64_t place = number * s.by_layer + s.slot[row] * s.by_slot + kv * s.by_head;
                Stored* keys = static_cast<Stored*>(s.keys) + place;
                Stored* values = static_cast<Stored*>(s.values) + place;
                const int64_t now = s.position[row];
                turn(of_row + n_q + kv * head_dim, layer.k_norm, cosine, sine, head_dim, model.eps, k.data());
                for (int i = 0; i < head_dim; i++) {
                    put(keys + now * s.by_position + i, k[i]);
                    put(values + now * s.by_position + i, of_row[n_q + n_kv + kv * head_dim + i]);
                }
                const int64_t from = model.window ? std::max<int64_t>(0, now + 1 - model.window) : 0;
                for (int head = kv * group; head < (kv + 1) * group; head++) {
                    turn(of_row + head * head_dim, layer.q_norm, cosine, sine, head_dim, model.eps, q.data());
                    for (auto& each : q) each /= std::sqrt(float(head_dim));
                    attend(q.data(), keys, values, s.by_position, from, now + 1, head_dim, scores.data(), y.data());
                    mixed.put(row, head * head_dim, head_dim, y.data());
                }
            });
            team.meet();
            linear(layer.out, mixed, added);
            team.meet();
            normalised(layer.before_mlp);
            linear(layer.up, h, [&](int block, int row, Vec a, const Vec* b) {
                auto give = [&](int at, Vec v) {
                    hidden.put(row, at, std::min(LANES, model.d_ff - at), reinterpret_cast<const float*>(&v));
                };
                if (model.mlp == SWIGLU) {
                    give(block / 2 * LANES, silu(a) * *b);
                    return;
                }
                auto bent = [&](Vec v) {
                    if (model.mlp == GELU) return gelu(v);
                    Vec positive = choose(v < Vec{}, Vec{}, v);
                    return positive * positive;
                };
                give(block * LANES, bent(a));
                if (b) give((block + 1) * LANES, bent(*b));
            });
            team.meet();
            linear(layer.down, hidden, added);
            team.meet();
        }
        normalised(model.norm);
        linear(model.head, h, [&](int block, int row, Vec a, const Vec* b) {
            float* out = s.logits + int64_t(row) * model.head.n + block * LANES;
            store(out, a);
            if (b) store(out + LANES, *b);
        });
    });
}

}  // namespace

extern "C" {

void* team(int32_t n_threads) { return new Team(n_threads); }

void step(const Model* model, const Step* s, void* threads) {
    Team& all = *static_cast<Team*>(threads);
    switch (model->type) {
        case FLOAT32: step<FLOAT32>(*model, *s, all); break;
        case BFLOAT16: step<BFLOAT16>(*model, *s, all); break;
        case INT8: step<INT8>(*model, *s, all); break;
    }
}
}
