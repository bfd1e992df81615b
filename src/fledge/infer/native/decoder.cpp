// What of a decoder's work on a CPU is not a product of large matrices: decoder.py packs the weights and calls this.
//
// step() takes a few tokens through all layers, mostly one of each request. Reading the weights is what it waits for:
// they lie in blocks of 16 outputs in the order in which they are used, each is read once for all rows, and the threads
// meet only where one needs what another computed. normalise(), attend_chunks() and activate() are what lies between
// the products of a longer text. Which thread computes a value never changes it.

#include <cstdint>

#include "attention.h"
#include "draws.h"
#include "team.h"

enum Mlp : int32_t { SWIGLU = 0, RELU2 = 1, GELU = 2 };

extern "C" {

struct Norm {
    const float* weight;
    const float* bias;  // null: RMS norm
};

struct Heads {
    int32_t n_heads, n_kv_heads, head_dim, window;
    float eps;
};

// up: with SWIGLU blocks of gate and up in turn.
struct Layer {
    Norm before_attention, before_mlp;
    const float *q_norm, *k_norm;  // or null
    Linear qkv, out, up, down;
};

struct Model {
    int32_t type, mlp, n_layers, d_model, d_ff;
    Heads heads;
    Norm norm;
    Linear head;
    const Layer* layers;
};

struct Cache {
    void *keys, *values;                              // float32 or bfloat16, head_dim contiguous
    int64_t by_layer, by_slot, by_head, by_position;  // strides, in elements
};

struct Angles {
    const float *cosine, *sine;  // (positions, head_dim / 2), or null
};

struct Step {
    int32_t rows, n_outputs;
    float* x;  // (rows, d_model): the embedded tokens; overwritten
    Angles angles;
    const int64_t *slot, *position;  // (rows): several of one slot only where there are fewer outputs
    const int64_t* output;           // (n_outputs): the rows that have logits
    Cache cache;
    float* logits;  // (n_outputs, head.n)
};

// `count` tokens from row `row` on, at the positions from `start` on of one slot.
struct Chunk {
    int64_t slot, start, row, count;
};
}

namespace {

template <class Kept>
void normalise_row(const Norm& norm, const float* x, int d, float eps, Kept* out) {
    float mean = 0;
    Vec total{}, squares{};
    if (norm.bias) {
        for (int i = 0; i < d; i += LANES) total += widen(x + i, d - i);
        mean = sum(total) / float(d);
    }
    for (int i = 0; i < d; i += LANES) {
        Vec v = widen(x + i, d - i) - splat(mean);
        if (i + LANES > d)
            for (int j = d - i; j < LANES; j++) v[j] = 0;
        squares += v * v;
    }
    const float scale = 1.0f / std::sqrt(sum(squares) / float(d) + eps);
    for (int i = 0; i < d; i += LANES) {
        Vec y = (widen(x + i, d - i) - splat(mean)) * scale * widen(norm.weight + i, d - i);
        if (norm.bias) y += widen(norm.bias + i, d - i);
        narrow(out + i, y, d - i);
    }
}

struct Turn {  // at one position
    const float *cosine, *sine;
    Turn(const Angles& angles, int64_t position, int head_dim)
        : cosine(angles.cosine ? angles.cosine + position * head_dim / 2 : nullptr),
          sine(angles.cosine ? angles.sine + position * head_dim / 2 : nullptr) {}
};

// A thread's shares of the product of n rows with `map`; see product().
template <int TYPE, class Take>
void through(const Linear& map, const Inputs<TYPE>& x, int n, Phases::Walk& walk, const Team& team, const Take& take) {
    const int blocks = map.n / LANES, share = std::max(4, (blocks / (team.size() * 6) + 3) / 4 * 4);
    auto shares = [&](const auto& inputs) {
        walk.share(blocks, share, [&](int from, int to) { product<TYPE>(map, from, to, inputs, 0, n, take); });
    };
    if constexpr (WHOLE && TYPE == INT8) {
        Rounded rounded(n, map.k);
        for (int row = 0; row < n; row++) rounded.round(row, x.row(row), int(x.stride));
        shares(rounded);
    } else {
        shares(x);
    }
}

// take() that puts the sums of rows of n outputs side by side.
inline auto laid(float* out, int n) {
    return [=](int block, int row, Vec a, const Vec* b) {
        float* to = out + int64_t(row) * n + block * LANES;
        store(to, a);
        if (b) store(to + LANES, *b);
    };
}

// give(block, vector) of what the blocks of Layer.up become.
template <class Give>
void activated(int mlp, int block, Vec a, const Vec* b, const Give& give) {
    if (mlp == SWIGLU) return give(block / 2, silu(a) * *b);
    auto bent = [&](Vec v) { return mlp == GELU ? gelu(v) : relu2(v); };
    give(block, bent(a));
    if (b) give(block + 1, bent(*b));
}

template <int TYPE>
void step_as(const Model& model, const Step& s, Team& team) {
    typedef std::conditional_t<TYPE == FLOAT32, float, uint16_t> Kept;  // keys and values
    const Heads heads = model.heads;
    const int rows = s.rows, d = model.d_model, head_dim = heads.head_dim, group = heads.n_heads / heads.n_kv_heads;
    const int n_q = heads.n_heads * head_dim, n_kv = heads.n_kv_heads * head_dim, n_qkv = model.layers[0].qkv.n;
    std::vector<float> qkv(size_t(rows) * n_qkv);
    Inputs<TYPE> mixed(rows, n_q), hidden(rows, model.d_ff);
    Phases phases(model.n_layers * 6 + 1);
    const bool follow = s.n_outputs < rows;  // rows see what others of their slot keep in this step
    const int64_t longest = *std::max_element(s.position, s.position + rows) + 1;

    team.run([&] {
        Inputs<TYPE> h(rows, d);
        std::vector<float> scores(longest + LANES), vector(head_dim);
        Phases::Walk walk(phases);
        auto normalised = [&](const Norm& norm) {
            for (int row = 0; row < rows; row++) normalise_row(norm, s.x + int64_t(row) * d, d, heads.eps, h.row(row));
        };
        auto linear = [&](const Linear& map, const Inputs<TYPE>& x, int n, const auto& take) {
            through<TYPE>(map, x, n, walk, team, take);
        };
        auto added = [&](int block, int row, Vec a, const Vec* b) {
            auto add = [&](int at, Vec v) {
                float* x = s.x + int64_t(row) * d + at;
                if (at < d) narrow(x, widen(x, d - at) + v, d - at);
            };
            add(block * LANES, a);
            if (b) add((block + 1) * LANES, *b);
        };

        for (int number = 0; number < model.n_layers; number++) {
            const Layer& layer = model.layers[number];
            normalised(layer.before_attention);
            linear(layer.qkv, h, rows, laid(qkv.data(), n_qkv));
            team.meet();
            const int64_t stride = s.cache.by_position;
            auto head_of = [&](void* kept, int row, int kv) {
                return static_cast<Kept*>(kept) + number * s.cache.by_layer + s.slot[row] * s.cache.by_slot + kv * s.cache.by_head;
            };
            auto keep = [&](int row, int kv) {
                const float* of_row = qkv.data() + int64_t(row) * n_qkv + n_q + kv * head_dim;
                const Turn angle(s.angles, s.position[row], head_dim);
                const int64_t to = s.position[row] * stride;
                turn(of_row, layer.k_norm, angle.cosine, angle.sine, head_dim, heads.eps, vector.data());
                copy(vector.data(), head_of(s.cache.keys, row, kv) + to, head_dim);
                copy(of_row + n_kv, head_of(s.cache.values, row, kv) + to, head_dim);
            };
            auto look = [&](int row, int kv) {
                const float* of_row = qkv.data() + int64_t(row) * n_qkv;
                const Turn angle(s.angles, s.position[row], head_dim);
                const Kept *keys = head_of(s.cache.keys, row, kv), *values = head_of(s.cache.values, row, kv);
                const int64_t end = s.position[row] + 1, from = heads.window ? std::max<int64_t>(0, end - heads.window) : 0;
                for (int head = kv * group; head < (kv + 1) * group; head++) {
                    turn(of_row + head * head_dim, layer.q_norm, angle.cosine, angle.sine, head_dim, heads.eps, vector.data());
                    for (auto& each : vector) each /= std::sqrt(float(head_dim));
                    attend(vector.data(), keys, values, stride, from, end, head_dim, scores.data(), vector.data());
                    copy(vector.data(), mixed.row(row) + head * head_dim, head_dim);
                }
            };
            auto over_heads = [&](const auto& work) {
                walk.share(rows * heads.n_kv_heads, 1, [&](int at, int) { work(at / heads.n_kv_heads, at % heads.n_kv_heads); });
            };
            if (follow) {
                over_heads(keep);
                team.meet();
                over_heads(look);
            } else {
                over_heads([&](int row, int kv) { keep(row, kv), look(row, kv); });
            }
            team.meet();
            linear(layer.out, mixed, rows, added);
            team.meet();
            normalised(layer.before_mlp);
            linear(layer.up, h, rows, [&](int block, int row, Vec a, const Vec* b) {
                activated(model.mlp, block, a, b, [&](int of_block, Vec v) {
                    const int at = of_block * LANES;
                    if (at < model.d_ff) narrow(hidden.row(row) + at, v, model.d_ff - at);
                });
            });
            team.meet();
            linear(layer.down, hidden, rows, added);
            team.meet();
        }
        for (int i = 0; i < s.n_outputs; i++) normalise_row(model.norm, s.x + s.output[i] * d, d, heads.eps, h.row(i));
        linear(model.head, h, s.n_outputs, laid(s.logits, model.head.n));
    });
}

template <int TYPE, class Kept>
void head_as(const Linear& head, const Kept* states, int rows, int d, float* logits, Team& team) {
    Inputs<TYPE> h(rows, d);
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < d; i += LANES) narrow(h.row(row) + i, widen(states + int64_t(row) * d + i, d - i), d - i);
    Phases phases(1);
    team.run([&] {
        Phases::Walk walk(phases);
        through<TYPE>(head, h, rows, walk, team, laid(logits, head.n));
    });
}

template <int TYPE>
void attend_chunks_as(const Heads& heads, const float* q_norm, const float* k_norm, const Angles& angles,
                      const Cache& cache, int64_t number, const Chunk* chunks, int n_chunks, const void* qkv_of_rows,
                      void* mixed, Team& team) {
    typedef typename PackedHead<TYPE>::Kept Kept;
    constexpr int QUERIES = 4 * MOST_ROWS;  // of a share
    const int head_dim = heads.head_dim, n_kv = heads.n_kv_heads, group = heads.n_heads / n_kv;
    const int n_q = heads.n_heads * head_dim, n_qkv = n_q + 2 * n_kv * head_dim;
    const Kept* qkv = static_cast<const Kept*>(qkv_of_rows);
    std::vector<PackedHead<TYPE>> packed(size_t(n_chunks) * n_kv);
    std::vector<Chunk> shares;
    int64_t longest = 0;
    for (int i = 0; i < n_chunks; i++) {
        longest = std::max(longest, chunks[i].start + chunks[i].count);
        for (int64_t at = 0; at < chunks[i].count; at += QUERIES)
            shares.push_back({i, chunks[i].start + at, chunks[i].row + at, std::min<int64_t>(QUERIES, chunks[i].count - at)});
    }
    Phases phases(2);

    team.run([&] {
        Phases::Walk walk(phases);
        std::vector<float> vector(head_dim);
        walk.share(n_chunks * n_kv, 1, [&](int at, int) {
            const Chunk& chunk = chunks[at / n_kv];
            const int kv = at % n_kv;
            const int64_t place = number * cache.by_layer + chunk.slot * cache.by_slot + kv * cache.by_head;
            Kept *keys = static_cast<Kept*>(cache.keys) + place, *values = static_cast<Kept*>(cache.values) + place;
            for (int64_t i = 0; i < chunk.count; i++) {
                const Kept* of_row = qkv + (chunk.row + i) * n_qkv + n_q + kv * head_dim;
                const Turn angle(angles, chunk.start + i, head_dim);
                const int64_t to = (chunk.start + i) * cache.by_position;
                turn(of_row, k_norm, angle.cosine, angle.sine, head_dim, heads.eps, vector.data());
                copy(vector.data(), keys + to, head_dim);
                copy(of_row + n_kv * head_dim, values + to, head_dim);
            }
            packed[at].pack(keys, values, cache.by_position, chunk.start + chunk.count, head_dim);
        });
        team.meet();
        const int64_t padded = (longest + 2 * LANES) / (2 * LANES) * (2 * LANES);
        std::vector<float> scores(MOST_ROWS * padded);
        Inputs<TYPE> queries(QUERIES, head_dim), weights(MOST_ROWS, int(padded));
        walk.share(int(shares.size()) * heads.n_heads, 1, [&](int at, int) {
            const Chunk& share = shares[at / heads.n_heads];
            const int head = at % heads.n_heads;
            for (int64_t i = 0; i < share.count; i++) {
                const Turn angle(angles, share.start + i, head_dim);
                const Kept* q = qkv + (share.row + i) * n_qkv + head * head_dim;
                turn(q, q_norm, angle.cosine, angle.sine, head_dim, heads.eps, vector.data());
                for (auto& each : vector) each /= std::sqrt(float(head_dim));
                copy(vector.data(), queries.row(int(i)), head_dim);
            }
            const PackedHead<TYPE>& of_head = packed[share.slot * n_kv + head / group];
            by_rows(int(share.count), [&](int first, auto n) {
                attend_rows<TYPE, n>(of_head, queries.row(first), queries.stride, share.start + first, heads.window,
                                     head_dim, scores, weights, [&](int m, int i, Vec v) {
                    narrow(static_cast<Kept*>(mixed) + (share.row + first + m) * n_q + head * head_dim + i, v);
                });
            });
        });
    });
}

// work(from, to) over rows, on all threads.
template <class Work>
void over_rows(int rows, Team& team, const Work& work) {
    Phases phases(1);
    team.run([&] { Phases::Walk(phases).share(rows, std::max(1, rows / (team.size() * 4)), work); });
}

template <class Kept>
void normalise_as(float* x, const Kept* addend, const Norm& norm, float eps, int rows, int d, Kept* out, Team& team) {
    over_rows(rows, team, [&](int from, int to) {
        for (int64_t row = from; row < to; row++) {
            float* of_row = x + row * d;
            if (addend)
                for (int i = 0; i < d; i += LANES)
                    narrow(of_row + i, widen(of_row + i, d - i) + widen(addend + row * d + i, d - i), d - i);
            normalise_row(norm, of_row, d, eps, out + row * d);
        }
    });
}

template <class Kept>
void activate_as(int mlp, const Kept* up, int rows, int d_ff, Kept* out, Team& team) {
    over_rows(rows, team, [&](int from, int to) {
        for (int64_t row = from; row < to; row++) {
            const Kept* of_row = up + row * d_ff * (mlp == SWIGLU ? 2 : 1);
            for (int i = 0; i < d_ff; i += LANES) {
                Vec v = widen(of_row + i, d_ff - i);
                v = mlp == SWIGLU ? silu(v) * widen(of_row + d_ff + i, d_ff - i) : mlp == GELU ? gelu(v) : relu2(v);
                narrow(out + row * d_ff + i, v, d_ff - i);
            }
        }
    });
}

// x (rows, k) through `map`; give(row, block, sums, sums of the next block or null).
template <class Give>
void rows_through(const Linear& map, const uint16_t* x, int rows, int k, Team& team, const Give& give) {
    constexpr int PAIRS = 4;  // of blocks, in a share
    const int blocks = map.n / LANES, shares = (blocks + 2 * PAIRS - 1) / (2 * PAIRS);
    const int tile = std::max(48, (1 << 19) / map.k / 48 * 48);  // rows whose inputs stay in a cache
    Rounded rounded(rows, map.k);
    Phases phases(2);
    team.run([&] {
        Phases::Walk walk(phases);
        walk.share(rows, 16, [&](int from, int to) {
            for (int row = from; row < to; row++) rounded.round(row, x + int64_t(row) * k, k);
        });
        team.meet();
        walk.share((rows + tile - 1) / tile * shares, 1, [&](int at, int) {
            const int first = at / shares * tile, block = at % shares * 2 * PAIRS;
            product<INT8>(map, block, std::min(block + 2 * PAIRS, blocks), rounded, first, std::min(tile, rows - first), give);
        });
    });
}

Team& of(void* threads) { return *static_cast<Team*>(threads); }

}  // namespace

extern "C" {

void* team(int32_t n_threads) { return new Team(n_threads); }

void step(const Model* model, const Step* s, void* threads) {
    switch (model->type) {
        case FLOAT32: return step_as<FLOAT32>(*model, *s, of(threads));
        case BFLOAT16: return step_as<BFLOAT16>(*model, *s, of(threads));
        case INT8: return step_as<INT8>(*model, *s, of(threads));
    }
}

// logits (rows, head.n) of normalised last states (rows, d_model), float32 or bfloat16 as the cache is.
void head(const Model* model, const void* states, int32_t rows, float* logits, void* threads) {
    const uint16_t* short_states = static_cast<const uint16_t*>(states);
    const int d = model->d_model;
    switch (model->type) {
        case FLOAT32: return head_as<FLOAT32>(model->head, static_cast<const float*>(states), rows, d, logits, of(threads));
        case BFLOAT16: return head_as<BFLOAT16>(model->head, short_states, rows, d, logits, of(threads));
        case INT8: return head_as<INT8>(model->head, short_states, rows, d, logits, of(threads));
    }
}

// In the functions below `type` FLOAT32 means float32 arrays, all others bfloat16.

// x (rows, d) += addend, or nothing where that is null; out = its norm.
void normalise(int32_t type, float* x, const void* addend, const Norm* norm, float eps, int32_t rows, int32_t d, void* out,
               void* threads) {
    if (type == FLOAT32)
        return normalise_as(x, static_cast<const float*>(addend), *norm, eps, rows, d, static_cast<float*>(out), of(threads));
    normalise_as(x, static_cast<const uint16_t*>(addend), *norm, eps, rows, d, static_cast<uint16_t*>(out), of(threads));
}

// qkv (rows, n): queries, keys and values of all heads side by side. Keys and values go into layer `number` of the
// cache; mixed (rows, n_heads · head_dim) is what each token gathers.
void attend_chunks(int32_t type, const Heads* heads, const float* q_norm, const float* k_norm, const Angles* angles,
                   const Cache* cache, int64_t number, const Chunk* chunks, int32_t n_chunks, const void* qkv, void* mixed,
                   void* threads) {
    auto work = type == FLOAT32 ? attend_chunks_as<FLOAT32> : attend_chunks_as<BFLOAT16>;
    work(*heads, q_norm, k_norm, *angles, *cache, number, chunks, n_chunks, qkv, mixed, of(threads));
}

// up (rows, d_ff), with SWIGLU (rows, 2 · d_ff): gates, then what they multiply; out (rows, d_ff).
void activate(int32_t type, int32_t mlp, const void* up, int32_t rows, int32_t d_ff, void* out, void* threads) {
    if (type == FLOAT32)
        return activate_as(mlp, static_cast<const float*>(up), rows, d_ff, static_cast<float*>(out), of(threads));
    activate_as(mlp, static_cast<const uint16_t*>(up), rows, d_ff, static_cast<uint16_t*>(out), of(threads));
}

int32_t multiplies_whole_numbers() { return WHOLE; }

// Where whole numbers are multiplied: out (rows, n) = x (rows, k) through `map`, Layer.up where `mlp` is not negative.
void multiply_rows(const Linear* map, int32_t mlp, const uint16_t* x, int32_t rows, int32_t k, int32_t n, uint16_t* out,
                   void* threads) {
    rows_through(*map, x, rows, k, of(threads), [&](int block, int row, Vec a, const Vec* b) {
        auto give = [&](int of_block, Vec v) {
            const int at = of_block * LANES;
            if (at < n) narrow(out + int64_t(row) * n + at, v, n - at);
        };
        if (mlp >= 0) return activated(mlp, block, a, b, give);
        give(block, a);
        if (b) give(block + 1, *b);
    });
}

// logits, raw (rows, n) with these strides, the same array where no rule changes anything.
void draw(const float* logits, int64_t stride, const float* raw, int64_t raw_stride, int32_t rows, int32_t n,
          const Draw* wanted, Drawn* drawn, void* threads) {
    Phases phases(1);
    of(threads).run([&] {
        Drawing drawing(n);
        Phases::Walk(phases).share(rows, 1, [&](int row, int) {
            drawn[row] = drawing.draw(logits + row * stride, raw + row * raw_stride, wanted[row]);
        });
    });
}
}
