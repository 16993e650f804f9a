// scan.cu for a processor, compiled by a C++ compiler with this before it: the blocks of a grid run
// one after another, and a block's 32 lanes take turns, changing at each shuffle. Arguments come as
// the CUDA driver takes them.
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <ucontext.h>

#define __device__
#define __restrict__ __restrict
#define __shared__ static
#define KERNEL extern "C" void

struct float4 { float x, y, z, w; };
struct Place { int x, y; };
static Place blockIdx, threadIdx;

namespace warp {
const int SIZE = 32;
const size_t STACK = 1 << 18;
ucontext_t scheduler, lanes[SIZE];
bool done[SIZE];
float given[SIZE];
void (*body)(void**);
void** arguments;

void enter() {
    body(arguments);
    done[threadIdx.x] = true;
}

// Give the turn away; on return every lane has come as far.
void wait() {
    int lane = threadIdx.x;
    swapcontext(&lanes[lane], &scheduler);
}

void run_block(char* stacks) {
    for (int lane = 0; lane < SIZE; ++lane) {
        getcontext(&lanes[lane]);
        lanes[lane].uc_stack.ss_sp = stacks + lane * STACK;
        lanes[lane].uc_stack.ss_size = STACK;
        lanes[lane].uc_link = &scheduler;
        makecontext(&lanes[lane], enter, 0);
        done[lane] = false;
    }
    for (int left = SIZE; left > 0;) {
        left = 0;
        for (int lane = 0; lane < SIZE; ++lane) {
            if (done[lane]) continue;
            threadIdx.x = lane;
            swapcontext(&scheduler, &lanes[lane]);
            left += !done[lane];
        }
    }
}

template <class... A, size_t... I>
void call(void (*kernel)(A...), void** values, std::index_sequence<I...>) {
    kernel(*static_cast<A*>(values[I])...);
}

template <class... A>
void call(void (*kernel)(A...), void** values) {
    call(kernel, values, std::index_sequence_for<A...>{});
}
}  // namespace warp

static float __shfl_xor_sync(unsigned, float value, int mask) {
    int lane = threadIdx.x;
    warp::given[lane] = value;
    warp::wait();
    float got = warp::given[lane ^ mask];
    warp::wait();
    return got;
}

#include SOURCE

extern "C" int start(const char* name, int width, int height, void** arguments) {
    static const struct { const char* name; void (*body)(void**); } kernels[] = {
        {"ends", [](void** values) { warp::call(ends, values); }},
        {"carry", [](void** values) { warp::call(carry, values); }},
        {"outputs", [](void** values) { warp::call(outputs, values); }},
        {"adjoint_ends", [](void** values) { warp::call(adjoint_ends, values); }},
        {"gradients", [](void** values) { warp::call(gradients, values); }},
    };
    warp::body = nullptr;
    for (const auto& kernel : kernels)
        if (!std::strcmp(kernel.name, name)) warp::body = kernel.body;
    char* stacks = static_cast<char*>(std::malloc(warp::SIZE * warp::STACK));
    if (!warp::body || !stacks) return 1;
    warp::arguments = arguments;
    for (blockIdx.y = 0; blockIdx.y < height; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < width; ++blockIdx.x) warp::run_block(stacks);
    std::free(stacks);
    return 0;
}
