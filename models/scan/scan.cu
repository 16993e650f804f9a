// The selective scan on an NVIDIA card: the kernels that chunked.py launches, compiled by NVRTC at
// run time for a number of states, and by a C++ compiler for the tests.
//
// A block is one warp, a lane is one channel with all of its states in registers. Points are rows
// of (N, L, E), maps rows of (N, L, STATES), states (…, STATES, E), so that neighbouring lanes read
// neighbouring numbers. rate is A·log2(e), as (STATES, E). Sums over channels are left to the host
// in one partial sum a warp: no atomics, so the same input gives the same bits.
//
// STATES: a multiple of 4, at most 64. PART: points between two saved states.

#define LANES 32
#define BATCH 16  // states whose gradients of B and C are summed over the warp at once

#if defined(__CUDACC_RTC__) || defined(__CUDACC__)
#define KERNEL extern "C" __global__ void __launch_bounds__(LANES)
#endif

typedef long long Index;

// Which channel of which points a lane has: rows [first, last) of all N·L.
struct Work {
    Index sequence, piece, first, last;
    int group, channel;
    bool there;  // lanes beyond the last channel repeat it and write nothing
};

static __device__ inline Work work_of(int length, int channels, int chunk) {
    Work work;
    int groups = (channels + LANES - 1) / LANES;
    Index chunks = (length + chunk - 1) / chunk;
    work.group = blockIdx.x % groups;
    work.sequence = blockIdx.y;
    Index start = Index(blockIdx.x / groups) * chunk;
    work.piece = work.sequence * chunks + blockIdx.x / groups;
    work.first = work.sequence * length + start;
    work.last = work.sequence * length + (start + chunk < length ? start + chunk : length);
    work.channel = work.group * LANES + threadIdx.x;
    work.there = work.channel < channels;
    if (!work.there) work.channel = channels - 1;
    return work;
}

static __device__ inline float softplus(float x) {
    return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
}

static __device__ inline void read_map(const float* __restrict__ map, Index row, float* values) {
    const float4* quads = reinterpret_cast<const float4*>(map + row * STATES);
#pragma unroll
    for (int s = 0; s < STATES; s += 4) {
        float4 quad = quads[s / 4];
        values[s] = quad.x, values[s + 1] = quad.y, values[s + 2] = quad.z, values[s + 3] = quad.w;
    }
}

static __device__ inline void read_states(
    const float* __restrict__ states, Index row, int channels, int channel, float* values) {
#pragma unroll
    for (int s = 0; s < STATES; ++s) values[s] = states[(row * STATES + s) * channels + channel];
}

static __device__ inline void write_states(
    float* __restrict__ states, Index row, int channels, int channel, const float* values) {
#pragma unroll
    for (int s = 0; s < STATES; ++s) states[(row * STATES + s) * channels + channel] = values[s];
}

// Fold the upper half of 2·HALF numbers into the lower, each lane keeping what is its own.
template <int HALF>
static __device__ inline void fold(float* values, int lane) {
    bool upper = lane & HALF;
#pragma unroll
    for (int i = 0; i < HALF; ++i) {
        float kept = upper ? values[i + HALF] : values[i];
        float given = upper ? values[i] : values[i + HALF];
        values[i] = kept + __shfl_xor_sync(0xffffffffu, given, HALF);
    }
}

// Of 32 numbers a lane, the sum over all lanes of the number whose index is the lane's own.
static __device__ inline float transposed_sum(float* values, int lane) {
    fold<16>(values, lane);
    fold<8>(values, lane);
    fold<4>(values, lane);
    fold<2>(values, lane);
    fold<1>(values, lane);
    return values[0];
}

// The state after each chunk that began from none, (N, chunks, STATES, E), and the sum of its
// steps, (N, chunks, E).
KERNEL ends(
    const float* __restrict__ u, const float* __restrict__ delta, const float* __restrict__ rate,
    const float* __restrict__ B, const float* __restrict__ bias, float* __restrict__ after,
    float* __restrict__ totals, int length, int channels, int chunk) {
    Work work = work_of(length, channels, chunk);
    float rates[STATES], h[STATES] = {}, b[STATES], total = 0.0f;
    read_states(rate, 0, channels, work.channel, rates);
    float offset = bias[work.channel];
    for (Index row = work.first; row < work.last; ++row) {
        Index point = row * channels + work.channel;
        float step = softplus(delta[point] + offset), drive = step * u[point];
        total += step;
        read_map(B, row, b);
#pragma unroll
        for (int s = 0; s < STATES; ++s) h[s] = exp2f(step * rates[s]) * h[s] + drive * b[s];
    }
    if (!work.there) return;
    write_states(after, work.piece, channels, work.channel, h);
    totals[work.piece * channels + work.channel] = total;
}

// What each chunk starts from, given what each gives from nothing: first chunk to last, or, for the
// adjoint, last to first. A thread is one state of one channel.
KERNEL carry(
    const float* __restrict__ after, const float* __restrict__ totals,
    const float* __restrict__ rate, float* __restrict__ starts, int channels, int chunks,
    int reverse) {
    const int ahead = 8;  // chunks read at once: the reading, not the sum, is slow
    int width = STATES * channels, place = blockIdx.x * LANES + threadIdx.x;
    if (place >= width) return;
    float own = rate[place], h = 0.0f;
    Index base = Index(blockIdx.y) * chunks;
    for (int c = 0; c < chunks; c += ahead) {
        float added[ahead], decay[ahead];
        Index rows[ahead];
#pragma unroll
        for (int i = 0; i < ahead; ++i) {
            int step = c + i < chunks ? c + i : chunks - 1;
            rows[i] = base + (reverse ? chunks - 1 - step : step);
            added[i] = after[rows[i] * width + place];
            decay[i] = totals[rows[i] * channels + place % channels];
        }
#pragma unroll
        for (int i = 0; i < ahead; ++i) {
            if (c + i < chunks) starts[rows[i] * width + place] = h;
            h = exp2f(decay[i] * own) * h + added[i];
        }
    }
}

// y from the states that the chunks start from; where `keep`, also the state before every PART-th
// point of a chunk, (N, chunks, chunk / PART, STATES, E).
KERNEL outputs(
    const float* __restrict__ u, const float* __restrict__ delta, const float* __restrict__ rate,
    const float* __restrict__ B, const float* __restrict__ C, const float* __restrict__ D,
    const float* __restrict__ bias, const float* __restrict__ starts, float* __restrict__ y,
    float* __restrict__ saved, int length, int channels, int chunk, int keep) {
    Work work = work_of(length, channels, chunk);
    float rates[STATES], h[STATES], b[STATES], c[STATES];
    read_states(rate, 0, channels, work.channel, rates);
    read_states(starts, work.piece, channels, work.channel, h);
    float offset = bias[work.channel], skip = D[work.channel];
    Index save = work.piece * (chunk / PART);
    for (Index row = work.first; row < work.last; ++row) {
        if (keep && (row - work.first) % PART == 0) {
            if (work.there) write_states(saved, save, channels, work.channel, h);
            ++save;
        }
        Index point = row * channels + work.channel;
        float value = u[point], step = softplus(delta[point] + offset), drive = step * value;
        float sum = skip * value;
        read_map(B, row, b);
        read_map(C, row, c);
#pragma unroll
        for (int s = 0; s < STATES; ++s) {
            h[s] = exp2f(step * rates[s]) * h[s] + drive * b[s];
            sum += h[s] * c[s];
        }
        if (work.there) y[point] = sum;
    }
}

// The gradient that each chunk hands to the state before it, where none reaches it from later.
KERNEL adjoint_ends(
    const float* __restrict__ delta, const float* __restrict__ rate, const float* __restrict__ C,
    const float* __restrict__ bias, const float* __restrict__ dy, float* __restrict__ before,
    int length, int channels, int chunk) {
    Work work = work_of(length, channels, chunk);
    float rates[STATES], g[STATES] = {}, c[STATES];
    read_states(rate, 0, channels, work.channel, rates);
    float offset = bias[work.channel];
    for (Index row = work.last - 1; row >= work.first; --row) {
        Index point = row * channels + work.channel;
        float step = softplus(delta[point] + offset), slope = dy[point];
        read_map(C, row, c);
#pragma unroll
        for (int s = 0; s < STATES; ++s) g[s] = exp2f(step * rates[s]) * (g[s] + slope * c[s]);
    }
    if (work.there) write_states(before, work.piece, channels, work.channel, g);
}

// All gradients, chunk by chunk: of u and delta (N, L, E); of A by chunks (N, chunks, STATES, E);
// of B and C by warps (N, groups, L, STATES). adjoints: (N, chunks, STATES, E), what reaches the
// last state of each chunk from later ones.
KERNEL gradients(
    const float* __restrict__ u, const float* __restrict__ delta, const float* __restrict__ rate,
    const float* __restrict__ B, const float* __restrict__ C, const float* __restrict__ D,
    const float* __restrict__ bias, const float* __restrict__ saved, const float* __restrict__ dy,
    const float* __restrict__ adjoints, float* __restrict__ du, float* __restrict__ ddelta,
    float* __restrict__ dA, float* __restrict__ dB, float* __restrict__ dC, int length,
    int channels, int chunk) {
    __shared__ float before[PART][STATES][LANES];
    Work work = work_of(length, channels, chunk);
    int lane = threadIdx.x, groups = (channels + LANES - 1) / LANES;
    float rates[STATES], h[STATES], g[STATES], da[STATES] = {}, b[STATES], c[STATES];
    read_states(rate, 0, channels, work.channel, rates);
    read_states(adjoints, work.piece, channels, work.channel, g);
    float offset = bias[work.channel], skip = D[work.channel];
    // Where this warp's rows of dB and dC begin, less the rows of the sequences before.
    Index map_row = (work.sequence * groups + work.group - work.sequence) * length;
    for (int part = (work.last - work.first - 1) / PART; part >= 0; --part) {
        Index first = work.first + Index(part) * PART;
        Index last = first + PART < work.last ? first + PART : work.last;
        read_states(saved, work.piece * (chunk / PART) + part, channels, work.channel, h);
        for (Index row = first; row < last; ++row) {
            Index point = row * channels + work.channel;
            float step = softplus(delta[point] + offset), drive = step * u[point];
            read_map(B, row, b);
#pragma unroll
            for (int s = 0; s < STATES; ++s) {
                before[row - first][s][lane] = h[s];
                h[s] = exp2f(step * rates[s]) * h[s] + drive * b[s];
            }
        }
        for (Index row = last - 1; row >= first; --row) {
            Index point = row * channels + work.channel;
            float raw = delta[point] + offset, value = u[point], slope = dy[point];
            float step = softplus(raw), drive = step * value, ddrive = 0.0f, dstep = 0.0f;
            read_map(B, row, b);
            read_map(C, row, c);
#pragma unroll
            for (int batch = 0; batch < STATES; batch += BATCH) {
                float sums[2 * BATCH] = {};
#pragma unroll
                for (int s = batch; s < batch + BATCH; ++s) {
                    if (s >= STATES) break;
                    float total = g[s] + slope * c[s], earlier = before[row - first][s][lane];
                    sums[s - batch] = work.there ? total * drive : 0.0f;
                    sums[s - batch + BATCH] = work.there ? slope * h[s] : 0.0f;
                    ddrive += total * b[s];
                    g[s] = exp2f(step * rates[s]) * total;
                    dstep += g[s] * earlier * rates[s];
                    da[s] += g[s] * earlier * step;
                    h[s] = earlier;
                }
                float sum = transposed_sum(sums, lane);
                int s = batch + lane % BATCH;
                if (s < STATES) (lane < BATCH ? dB : dC)[(map_row + row) * STATES + s] = sum;
            }
            if (!work.there) continue;
            du[point] = ddrive * step + skip * slope;
            dstep = dstep * 0.693147180559945f + ddrive * value;
            ddelta[point] = dstep / (1.0f + expf(-raw));
        }
    }
    if (work.there) write_states(dA, work.piece, channels, work.channel, da);
}
