// SPDX-License-Identifier: MIT
// C++: namespaces, templates, lambdas, constructors, operators, local classes, inlining.
#include "here.h"

#include <string>
#include <vector>

volatile int zero;

namespace {
__attribute__((noinline)) void nameless()
{
    HERE("(anonymous namespace)::nameless");
    zero++;
}
inline __attribute__((always_inline)) void nameless_leaf()
{
    HERE("(anonymous namespace)::nameless_leaf in geo::Box<int>::grow in geo::Box<int>::Box");
    zero++;
}
} // namespace

namespace geo {
template <class T> struct Box {
    T value;
    __attribute__((noinline)) explicit Box(T v) : value(v)
    {
        grow(v);
        HERE("geo::Box<int>::Box");
    }
    __attribute__((always_inline)) void grow(T by)
    {
        nameless_leaf();
        value += by;
    }
    __attribute__((noinline)) bool operator<(const Box &other) const
    {
        HERE("geo::Box<int>::operator<");
        return value < other.value + zero;
    }
    __attribute__((noinline)) ~Box()
    {
        HERE("geo::Box<int>::~Box");
        zero++;
    }
};
template <class A, int N> __attribute__((noinline)) A *pick(std::vector<A> &all)
{
    HERE("geo::pick<std::pair<int, char>, 3>");
    zero++;
    return &all[N];
}
inline namespace v1 {
__attribute__((noinline)) void versioned()
{
    HERE("geo::v1::versioned");
    zero++;
}
} // namespace v1
} // namespace geo

__attribute__((noinline)) static void local_class()
{
    struct Inner {
        __attribute__((noinline)) void work() const
        {
            HERE("local_class::Inner::work/local_class()::Inner::work");
            zero++;
        }
    };
    Inner().work();
    zero++;
}
__attribute__((noinline)) static void call(void (*function)())
{
    void (*volatile opaque)() = function;
    opaque();
    zero++;
}
extern "C" __attribute__((noinline)) void c_name()
{
    HERE("c_name");
    zero++;
}

// From debug information, from symbols, and as clang names it.
static const char lambda_names[] = "main::{lambda}::operator() in main::{lambda}::_FUN/"
                                   "main::{lambda()#1}::operator() in main::{lambda()#1}::_FUN/"
                                   "main::$_0::operator() in main::$_0::__invoke";

int main()
{
    std::vector<std::pair<int, char>> pairs(4);
    geo::Box<int> a(1), b(2);
    nameless();
    geo::pick<std::pair<int, char>, 3>(pairs);
    geo::versioned();
    local_class();
    c_name();
    call([]() {
        HERE(lambda_names);
        zero++;
    });
    zero += a < b;
    return 0;
}
