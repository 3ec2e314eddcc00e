/* SPDX-License-Identifier: MIT */
/*
 * A C++ program: containers, aligned and sized new and delete, nothrow, arrays, in two threads.
 * kept_objects() leaves 2,000 objects of 120 bytes alive.
 */
#include "target.h"

#include <list>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

struct Object { char bytes[120]; };
struct alignas(128) Aligned { char bytes[300]; };

extern "C" NOINLINE void kept_objects()
{
    for (int i = 0; i < 2000; i++)
        keep_pointer(new Object);
}

static size_t work(int rounds)
{
    std::map<int, std::string> tree;
    std::unordered_map<std::string, std::vector<int>> table;
    std::list<std::unique_ptr<Aligned>> list;
    size_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        tree[i % 500] = std::string(static_cast<size_t>(i % 90), 'a');
        table["key" + std::to_string(i % 300)].push_back(i);
        list.push_back(std::make_unique<Aligned>());
        sum += reinterpret_cast<uintptr_t>(list.back().get()) % 128;
        if (list.size() > 100)
            list.pop_front();
        Object *array = new (std::nothrow) Object[i % 10 + 1];
        keep_pointer(array);
        delete[] array;
    }
    for (const auto &entry : table)
        sum += entry.second.size();
    return sum;
}

int main()
{
    size_t other = 0;
    std::thread thread([&other] { other = work(5000); });
    size_t mine = work(5000);
    thread.join();
    kept_objects();
    check_equal(5000, static_cast<long long>(mine), "containers hold what was put into them");
    check_equal(5000, static_cast<long long>(other), "in a thread as well");
    return finish();
}
