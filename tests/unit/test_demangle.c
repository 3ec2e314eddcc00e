/* SPDX-License-Identifier: MIT */
/*
 * Demangled names: what each scheme and suffix must come out as, and that no name, however long or
 * hostile, crashes, hangs or grows without bound. Run under a sanitizer it also looks for overruns.
 */
#include "demangle.h"
#include "unit_check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FUZZ_ROUNDS 200000
#define LIMIT_MS 10

struct pair {
    const char *mangled, *expected;
};
struct group {
    const char *what;
    struct pair pairs[16];
};

static const struct group groups[] = {
    {"demangles C++ without parameters, with template arguments",
     {{"_ZN3foo3barIiEEvi", "foo::bar<int>"},
      {"_ZNK3Foo3barEv", "Foo::bar"},
      {"_ZN12_GLOBAL__N_14funcEv", "(anonymous namespace)::func"},
      {"_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()"},
      {"_ZN3FooC2Ev", "Foo::Foo"},
      {"_ZN3FooD0Ev", "Foo::~Foo"},
      {"_ZNSt6vectorIiSaIiEE17_M_realloc_insertIJRKiEEEvN9__gnu_cxx17"
       "__normal_iteratorIPiS1_EEDpOT_",
       "std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>"},
      {"_ZN3Foo3barB5cxx11Ev", "Foo::bar[abi:cxx11]"},
      {"_Znwm", "operator new"},
      {"_ZlsRSoRK3Foo", "operator<<"},
      {"_ZThn16_N3Foo3barEv", "non-virtual thunk to Foo::bar()"}}},
    {"demangles Rust's legacy names without their hash",
     {{"_ZN4core3ptr4read17h0123456789abcdefE", "core::ptr::read"},
      {"_ZN63_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..clone..Clone$GT$5clone"
       "17h0123456789abcdefE",
       "<alloc::vec::Vec<T> as core::clone::Clone>::clone"},
      {"_ZN4main4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
       "main::main::{{closure}}"},
      {"_ZN4core3ptr4read17h0123456789abcdefE.llvm.1234567890", "core::ptr::read"}}},
    {"demangles Rust's v0 names: generics, closures, consts, back references, punycode",
     {{"_RNvC5crate4main", "crate::main"},
      {"_RNvCs15kBYyAo9fc_7mycrate7example", "mycrate::example"},
      {"_RINvCs15kBYyAo9fc_7mycrate7genericlKj3_E", "mycrate::generic::<i32, 3>"},
      {"_RNCNvC5crate4main0", "crate::main::{closure#0}"},
      {"_RNCNvC5crate4mains_0", "crate::main::{closure#1}"},
      {"_RNvMs_C5crateINtB4_3VecmE3new", "<crate::Vec<u32>>::new"},
      {"_RNvXC5crateNtB2_3FooNtNtC4core3fmt5Debug3fmt", "<crate::Foo as core::fmt::Debug>::fmt"},
      {"_RNvNtC5crateu8gdel_5qa4main", "crate::g\303\266del::main"},
      {"_RNvC5crate4main.llvm.99", "crate::main"},
      {"_RINvC5crate3fooKb1_Kc61_E", "crate::foo::<true, 'a'>"}}},
    {"leaves versions and compilers' clones out, and keeps what tells code apart",
     {{"memcpy@@GLIBC_2.14", "memcpy"},
      {"memcpy@GLIBC_2.2.5", "memcpy"},
      {"malloc@plt", "malloc@plt"},
      {"_Z3fooi@plt", "foo@plt"},
      {"_Z3fooi.cold", "foo"},
      {"parse.part.0.cold", "parse"},
      {"_Z3fooi.isra.0.constprop.3", "foo"},
      {"foo.llvm.1234567", "foo"},
      {"foo.lto_priv.0", "foo"},
      {"inner.1", "inner.1"},
      {"_Z3fooi.avx2.cold", "foo.avx2"},
      {"_Z3fooi.avx2", "foo.avx2"},
      {"kernel.avx2", "kernel.avx2"}}},
    {"leaves names that are not mangled, or badly, as they are",
     {{"main", "main"},
      {"", ""},
      {"_", "_"},
      {"_Z", "_Z"},
      {"_R", "_R"},
      {"_Zebra", "_Zebra"},
      {"_Restart", "_Restart"},
      {"_Z3fooJUNK", "_Z3fooJUNK"},
      {"_ZN3foo", "_ZN3foo"},
      {"main.main", "main.main"},
      {".hidden", ".hidden"},
      {"@x", "@x"},
      {"i", "i"},
      {"__mod_MOD_sub", "__mod_MOD_sub"}}},
};

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void check_group(const struct group *group)
{
    char problem[1024] = "";
    for (const struct pair *pair = group->pairs; pair->mangled && !*problem; pair++) {
        char *name = kp_demangle(pair->mangled);
        if (!name || strcmp(name, pair->expected) != 0)
            snprintf(problem, sizeof problem, "%s is %s, not %s", pair->mangled, pair->expected,
                     name ? name : "(null)");
        free(name);
    }
    kp_say(group->what, problem);
}

/* CPU time of one name; the problem, if there is one, goes into `problem`. */
static void check_hostile(const char *name, double *worst_ms, char *problem, size_t room)
{
    double start = now_ms();
    char *readable = kp_demangle(name);
    double spent = now_ms() - start;
    if (!readable)
        snprintf(problem, room, "no answer for %.100s", name);
    else if (strlen(readable) > KP_DEMANGLED_MAX)
        snprintf(problem, room, "%zu bytes for %.100s", strlen(readable), name);
    if (spent > *worst_ms) {
        *worst_ms = spent;
        if (spent > LIMIT_MS)
            snprintf(problem, room, "%.1f ms for %.200s", spent, name);
    }
    free(readable);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Pieces of both grammars in any order: far more of it parses than of random letters. */
static void make_name(uint64_t *state, char *name, size_t room)
{
    static const char *const pieces[] = {
        "N",    "E",   "I",  "S_", "S0_", "T_", "T0_", "3foo", "1a", "St", "Sa", "Ul", "vE_",
        "K",    "R",   "P",  "F",  "i",   "v",  "J",   "Dp",   "DT", "L",  "X",  "cl", "sr",
        "Z",    "B",   "B_", "B0_", "C",  "Nv", "Nt",  "M",    "Y",  "T",  "D",  "G",  "p",
        "h1_",  "u",   "_",  ".",  "Cs_", "Xs_", "..", "s_",   "n",  "0",  "9",  "A",  "W",
        "$LT$", "f",   "O",  "Dn", "U",   "DO", "Tn",  "17h0123456789abcdefE"};
    size_t used = (size_t)snprintf(name, room, "%s", next_random(state) & 1 ? "_Z" : "_R");
    size_t count = next_random(state) % 60;
    for (size_t i = 0; i < count && used + 32 < room; i++)
        used += (size_t)snprintf(name + used, room - used, "%s",
                                 pieces[next_random(state) % (sizeof pieces / sizeof *pieces)]);
}

/* Real names with some bytes changed, cut out or doubled. */
static void mutate(uint64_t *state, char *name, size_t room)
{
    const struct group *group = &groups[next_random(state) % 3];
    size_t count = 0;
    while (group->pairs[count].mangled)
        count++;
    snprintf(name, room, "%s", group->pairs[next_random(state) % count].mangled);
    for (uint64_t changes = next_random(state) % 6; changes > 0 && strlen(name) > 4; changes--) {
        size_t length = strlen(name), at = 2 + next_random(state) % (length - 2);
        switch (next_random(state) % 3) {
        case 0: name[at] = (char)(33 + next_random(state) % 94); break;
        case 1: memmove(name + at, name + at + 1, length - at); break;
        default:
            if (2 * length - at + 1 < room) {
                memmove(name + length + (length - at), name + length, 1);
                memcpy(name + length, name + at, length - at);
            }
        }
    }
}

static void check_fuzz(void)
{
    char what[160], problem[1024] = "", name[2048];
    double worst_ms = 0;
    uint64_t state = 0x9e3779b97f4a7c15;
    const char *seed = getenv("KPROF_TEST_SEED");
    if (seed)
        state ^= strtoull(seed, NULL, 0) * 0x2545f4914f6cdd1d;
    for (int i = 0; i < FUZZ_ROUNDS && !*problem; i++) {
        if (i & 1)
            make_name(&state, name, sizeof name);
        else
            mutate(&state, name, sizeof name);
        check_hostile(name, &worst_ms, problem, sizeof problem);
    }
    snprintf(what, sizeof what, "bears %d random names", FUZZ_ROUNDS);
    kp_say(what, problem);
}

/* name = head, then `piece` count times, then tail */
static void check_repeated(const char *head, const char *piece, int count, const char *tail,
                           double *worst_ms, char *problem, size_t room)
{
    size_t bytes = strlen(head) + strlen(piece) * (size_t)count + strlen(tail) + 1;
    char *name = malloc(bytes), *end = name;
    end = stpcpy(end, head);
    for (int i = 0; i < count; i++)
        end = stpcpy(end, piece);
    stpcpy(end, tail);
    check_hostile(name, worst_ms, problem, room);
    free(name);
}

static void check_long(void)
{
    char problem[1024] = "";
    double worst_ms = 0;
    static const int counts[] = {10, 30, 100, 300, 1000, 3000, 30000, 1000000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int count = counts[i];
        check_repeated("_Z3foo", "P", count, "i", &worst_ms, problem, sizeof problem);
        check_repeated("_ZN", "1a", count, "Ev", &worst_ms, problem, sizeof problem);
        check_repeated("_Z1fI", "1aI", count, "iE", &worst_ms, problem, sizeof problem);
        check_repeated("_Z1f", "M1a", count, "i", &worst_ms, problem, sizeof problem);
        check_repeated("_RNvC1a1", "R", count, "u", &worst_ms, problem, sizeof problem);
        check_repeated("_RINvC1a1b", "R", count, "uE", &worst_ms, problem, sizeof problem);
        check_repeated("_RINvC1a1b", "T", count, "uE", &worst_ms, problem, sizeof problem);
        check_repeated("_R", "Nv", count, "C1a", &worst_ms, problem, sizeof problem);
        check_repeated("a", ".cold", count, "", &worst_ms, problem, sizeof problem);
        check_repeated("a", ".cold", count, ".x", &worst_ms, problem, sizeof problem);
        check_repeated("a", ".1", count, "", &worst_ms, problem, sizeof problem);
        check_repeated("_ZN", "..", count, "17h0123456789abcdefE", &worst_ms, problem,
                       sizeof problem);
    }
    kp_say("bears names of up to a million bytes, nested as deep", problem);
}

/* A number as both grammars write it: "_" is 0, "0_" is 1. */
static const char *in_base(unsigned number, unsigned base)
{
    static char text[16];
    char *at = text + sizeof text - 1;
    *--at = '_';
    for (bool more = number-- > 0; more; number /= base) {
        *--at = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[number % base];
        if (base == 36 && *at >= 'a')
            *at = (char)(*at - 'a' + 'A');
        more = number >= base;
    }
    return at;
}

/* Each level stands for two of the level before: 2^levels pieces out of some hundred bytes. */
static void check_doubling(void)
{
    char problem[1024] = "", name[2][2048], number[16], piece[64];
    char rust[2000] = "_RINvC1a1bTuuE", cplus[2000] = "_Z1fISt4pairIiiE";
    double worst_ms = 0;
    size_t before = strlen("INvC1a1b");
    for (unsigned level = 1; level < 60 && !*problem; level++) {
        size_t here = strlen(rust) - strlen("_R");
        snprintf(number, sizeof number, "%s", in_base((unsigned)before, 62));
        snprintf(piece, sizeof piece, "TB%sB%sE", number, number);
        strcat(rust, piece);
        before = here;
        snprintf(number, sizeof number, "%s", in_base(level + 1, 36));
        snprintf(piece, sizeof piece, "S0_IS%sS%sE", number, number);
        strcat(cplus, piece);
        snprintf(name[0], sizeof name[0], "%sE", rust);
        snprintf(name[1], sizeof name[1], "%sEvv", cplus);
        for (int i = 0; i < 2; i++)
            check_hostile(name[i], &worst_ms, problem, sizeof problem);
    }
    for (int i = 0; i < 2; i++) {
        char *last = kp_demangle(name[i]);
        if (!*problem && strlen(last) != KP_DEMANGLED_MAX)
            snprintf(problem, sizeof problem, "it does not double: %.200s", last);
        free(last);
    }
    kp_say("bears back references that double again and again", problem);
}

int main(void)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        check_group(&groups[i]);
    check_long();
    check_doubling();
    check_fuzz();
    return kp_checks_failed();
}
