/* SPDX-License-Identifier: MIT */
/*
 * C++ thread_local objects: built on first use in each thread, destroyed when it ends, after much
 * of the thread is gone. Their destructors free and allocate; the main thread's run at exit.
 */
#include "target.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

static int destroyed;

extern "C" NOINLINE void *block_of_tls_destructor() { return keep_pointer(operator new(160)); }

struct Cache {
    std::vector<std::string> lines;
    std::unique_ptr<int[]> numbers{new int[100]};
    ~Cache()
    {
        lines.clear();
        lines.emplace_back(500, 'x');
        block_of_tls_destructor();
        __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
    }
};

static thread_local Cache cache;

static void fill()
{
    for (int i = 0; i < 50; i++)
        cache.lines.emplace_back(static_cast<size_t>(i) * 10, 'y');
}

int main()
{
    fill();
    for (int round = 0; round < 50; round++) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; i++)
            threads.emplace_back(fill);
        for (std::thread &thread : threads)
            thread.join();
    }
    check_equal(200, destroyed, "the destructors of 200 threads ran");
    return finish();
}
