/* SPDX-License-Identifier: MIT */
/*
 * C++ exceptions that pass hooked frames: bad_alloc out of operator new, thousands of them thrown
 * from a callback under qsort, in threads, rethrown and nested. Also built with a static libstdc++
 * (exceptions_static), where the unwinder is in the program itself.
 */
#include "target.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int compare_and_throw(const void *left, const void *right)
{
    static thread_local int calls;
    if (++calls % 7 == 0)
        throw std::runtime_error("from " + std::to_string(calls) + std::string(200, '.'));
    return *static_cast<const int *>(left) - *static_cast<const int *>(right);
}

static int throw_under_qsort(int rounds)
{
    int caught = 0;
    for (int round = 0; round < rounds; round++) {
        int numbers[16];
        for (int i = 0; i < 16; i++)
            numbers[i] = (i * 7 + round) % 16;
        try {
            qsort(numbers, 16, sizeof numbers[0], compare_and_throw);
        } catch (const std::runtime_error &error) {
            caught += error.what()[0] == 'f';
        }
    }
    return caught;
}

static int bad_allocs(int rounds)
{
    int caught = 0;
    volatile size_t huge = PTRDIFF_MAX - 100;
    for (int round = 0; round < rounds; round++) {
        try {
            keep_pointer(::operator new(huge));
        } catch (const std::bad_alloc &) {
            caught++;
        }
        try {
            keep_pointer(::operator new(huge, std::align_val_t(64)));
        } catch (const std::bad_alloc &) {
            caught++;
        }
    }
    return caught;
}

static void nested(int depth)
{
    std::vector<std::string> held(3, std::string(100, 'h'));
    if (depth == 0)
        throw std::out_of_range("deep");
    try {
        nested(depth - 1);
    } catch (...) {
        std::throw_with_nested(std::logic_error("level " + std::to_string(depth)));
    }
}

static int new_handler_calls;

static void give_up()
{
    if (++new_handler_calls == 3)
        std::set_new_handler(nullptr);
}

int main()
{
    check_equal(2000, bad_allocs(1000), "operator new throws bad_alloc, plain and aligned");
    volatile size_t huge = PTRDIFF_MAX - 100;
    check(::operator new(huge, std::nothrow) == nullptr, "nothrow new returns null");
    std::set_new_handler(give_up);
    check_equal(2, bad_allocs(1), "bad_alloc after the new handler has given up");
    check_equal(3, new_handler_calls, "the new handler is called until it gives up");
    check_equal(3000, throw_under_qsort(3000), "exceptions thrown under qsort arrive");
    int caught[4] = {0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&caught, i] { caught[i] = throw_under_qsort(1000); });
    for (std::thread &thread : threads)
        thread.join();
    check_equal(4000, caught[0] + caught[1] + caught[2] + caught[3], "and in four threads at once");
    int deep = 0;
    for (int i = 0; i < 50; i++) {
        try {
            nested(30);
        } catch (const std::logic_error &) {
            deep++;
        }
    }
    check_equal(50, deep, "nested exceptions, 30 levels");
    return finish();
}
