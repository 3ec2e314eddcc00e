/* SPDX-License-Identifier: MIT */
/*
 * Lines of Python's instructions against the interpreters themselves: for every code object of some
 * standard modules and of a source with awkward statements, and for every offset in it, we must say
 * what PyCode_Addr2Line() says. Interpreters are those of pyenv and of the system, one of each
 * version; what is not there is skipped. Then tables that are made up, cut and damaged.
 */
#include "collect_case.h"
#include "linetable.h"
#include "record.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes for each code object: kind, first line, its table in hex, then per offset a line. The
 * offset before the first instruction comes first. */
static const char dump[] =
    "import sys, ctypes, types, glob, os\n"
    "line = ctypes.pythonapi.PyCode_Addr2Line\n"
    "line.argtypes = [ctypes.py_object, ctypes.c_int]\n"
    "new = sys.version_info >= (3, 10)\n"
    "kind = 3 if sys.version_info >= (3, 11) else 2 if new else 1\n"
    "def show(code):\n"
    "    table = code.co_linetable if new else code.co_lnotab\n"
    "    lines = [line(code, at) for at in range(-2, len(code.co_code), 2)]\n"
    "    print(kind, code.co_firstlineno, table.hex() or '-', len(lines), *lines)\n"
    "    for constant in code.co_consts:\n"
    "        if isinstance(constant, types.CodeType): show(constant)\n"
    "here = os.path.dirname(os.__file__)\n"
    "names = sorted(glob.glob(here + '/[a-d]*.py') + glob.glob(here + '/asyncio/*.py'))\n"
    "for name in names:\n"
    "    with open(name, 'rb') as file: show(compile(file.read(), name, 'exec'))\n"
    "gap = '\\n' * 400\n"
    "show(compile(f'''\n"
    "def f(a,{gap} b=(1,\n 2)):\n"
    "    try:\n        with open(a) as x, open({gap}b\n) as y:\n"
    "            return [i{gap} for i in x if (lambda: i)()\n]\n"
    "    except (OSError,\n ValueError) as e:\n        pass\n"
    "    finally:\n        g(1,\n 2,\n  h(\n a))\n"
    "async def c(z):\n    async with z as q:\n        async for i in q: await i; yield (\n i)\n"
    "@f\n@f(1,\n 2)\nclass K(\n object):\n    x: int = ({gap} 5)\n    def m(s): return s\n'''"
    ", 'gap', 'exec'))\n"
    "show(compile('x = 1\\n' * 3000 + 'f(' + '\\n' * 70000 + 'x, y)\\n', 'long', 'exec'))\n";

struct tally {
    unsigned codes, offsets, wrong;
    char why[256];
};

static size_t unhex(uint8_t *bytes, const char *hex)
{
    size_t count = strlen(hex) / 2;

    for (size_t i = 0; i < count; i++) {
        unsigned value = 0;
        sscanf(hex + 2 * i, "%2x", &value);
        bytes[i] = (uint8_t)value;
    }
    return count;
}

/* One line of the dump. */
static void compare(char *text, struct tally *tally)
{
    char *rest = NULL;
    struct kp_linetable table = {.kind = (unsigned)atoi(strtok_r(text, " ", &rest))};
    table.first_line = (uint32_t)atoi(strtok_r(NULL, " ", &rest));
    const char *hex = strtok_r(NULL, " ", &rest);
    uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
    table.bytes = bytes;
    table.count = *hex == '-' ? 0 : unhex(bytes, hex);
    int count = atoi(strtok_r(NULL, " ", &rest));
    tally->codes++;
    for (int i = 0; i < count; i++, tally->offsets++) {
        uint32_t offset = i ? 2u * (uint32_t)(i - 1) : UINT32_MAX;
        uint32_t got = kp_linetable_line(&table, offset);
        int wanted = atoi(strtok_r(NULL, " \n", &rest));
        if (got == (wanted < 0 ? 0u : (uint32_t)wanted))
            continue;
        if (!tally->wrong++)
            snprintf(tally->why, sizeof tally->why, "first line %u, offset %d: %u, not %d",
                     table.first_line, (int)offset, got, wanted);
    }
    free(bytes);
}

/* False: there is no such interpreter, or one that cannot tell. */
static bool ask(const char *python, struct tally *tally)
{
    char command[8192], *text = NULL;
    size_t size = 0;

    setenv("KP_DUMP", dump, 1);
    snprintf(command, sizeof command, "%s -c \"$KP_DUMP\" 2>/dev/null", python);
    FILE *from = popen(command, "r");
    while (from && getline(&text, &size, from) > 0)
        compare(text, tally);
    free(text);
    return from && pclose(from) == 0 && tally->codes;
}

/* "3.9", as the interpreter says; "" when it does not run. */
static void version_of(const char *python, char version[16])
{
    char command[4300];

    snprintf(command, sizeof command,
             "%s -c 'import sys; print(\"%%d.%%d\" %% sys.version_info[:2])' 2>/dev/null", python);
    FILE *from = popen(command, "r");
    if (!from || fscanf(from, "%15s", version) != 1)
        version[0] = 0;
    if (from)
        pclose(from);
}

static void find_interpreters(glob_t *found)
{
    const char *home = getenv("HOME");
    char pattern[4096];

    snprintf(pattern, sizeof pattern, "%s/.pyenv/versions/3*/bin/python3", home ? home : "");
    glob("/usr/bin/python3.[0-9]*[0-9]", GLOB_NOSORT, NULL, found);
    glob("/usr/local/bin/python3.[0-9]*[0-9]", GLOB_NOSORT | GLOB_APPEND, NULL, found);
    glob(pattern, GLOB_NOSORT | GLOB_APPEND, NULL, found);
}

static void against_interpreters(void)
{
    static const char *const versions[] = {"3.9", "3.10", "3.11", "3.12", "3.13", "3.14"};
    glob_t found = {0};
    char(*have)[16];

    find_interpreters(&found);
    have = calloc(found.gl_pathc + 1, sizeof *have);
    for (size_t i = 0; i < found.gl_pathc; i++)
        version_of(found.gl_pathv[i], have[i]);
    for (size_t v = 0; v < sizeof versions / sizeof *versions; v++) {
        struct tally tally = {0};
        char what[128];
        size_t i = 0;
        snprintf(what, sizeof what, "lines of every instruction are those of Python %s",
                 versions[v]);
        while (i < found.gl_pathc && strcmp(have[i], versions[v]))
            i++;
        if (i == found.gl_pathc || !ask(found.gl_pathv[i], &tally))
            printf("skip - %s: there is none\n", what);
        else
            kp_check(tally.offsets > 10000 && !tally.wrong, what,
                     "%u of %u in %u codes are wrong: %s", tally.wrong, tally.offsets, tally.codes,
                     tally.why);
    }
    free(have);
    globfree(&found);
}

static void made_up(void)
{
    static const struct {
        unsigned kind;
        const char *bytes;
        size_t count;
        uint32_t offset, line;
        const char *what;
    } cases[] = {
        {KP_LINES_NONE, "\x02\x01", 2, 0, 10, "no table: the first line"},
        {77, "\x02\x01", 2, 0, 10, "a table of an unknown kind: the first line"},
        {KP_LINES_LNOTAB, "", 0, 6, 10, "an empty lnotab: the first line"},
        {KP_LINES_LNOTAB, "\x04\x02\x04\xfe\x06\x05", 6, 8, 10, "lnotab steps back"},
        {KP_LINES_LNOTAB, "\x04\x02\x04\xfe\x06\x05", 6, 200, 15, "the last of lnotab goes on"},
        {KP_LINES_LNOTAB, "\x04\x02\x04", 3, 200, 12, "half an entry of lnotab is none"},
        {KP_LINES_LNOTAB, "\x04\x80", 2, 4, 10, "a line below 0 is none"},
        {KP_LINES_PEP626, "\x04\x02\x02\x80\x04\x01", 6, 2, 12, "a range of 3.10"},
        {KP_LINES_PEP626, "\x04\x02\x02\x80\x04\x01", 6, 4, 0, "a range of 3.10 without a line"},
        {KP_LINES_PEP626, "\x04\x02\x02\x80\x04\x01", 6, 6, 13, "a range of 3.10 behind it"},
        {KP_LINES_PEP626, "\x00\x7f\x04\x02", 4, 0, 139, "an empty range of 3.10 steps"},
        {KP_LINES_PEP626, "\x04\x02\x02", 3, 4, 10, "beyond a table of 3.10: the first line"},
        {KP_LINES_LOCATIONS, "\x80\x00\xd9\x00\x00", 5, 0, 10, "a short form of 3.11"},
        {KP_LINES_LOCATIONS, "\x80\x00\xd9\x00\x00", 5, 4, 11, "a one-line form of 3.11"},
        {KP_LINES_LOCATIONS, "\xf8\xe8\x06", 3, 0, 0, "an entry of 3.11 without a place"},
        {KP_LINES_LOCATIONS, "\xf8\xe8\x06", 3, 2, 13, "an entry of 3.11 without columns"},
        {KP_LINES_LOCATIONS, "\xf0\x48\x02\x00\x00\x00", 6, 0, 78, "a long form of 3.11"},
        {KP_LINES_LOCATIONS, "\xe8\x07", 2, 0, 7, "3.11 steps back"},
        {KP_LINES_LOCATIONS, "\xe8\x07", 2, 2, 10, "beyond a table of 3.11: the first line"},
        {KP_LINES_LOCATIONS, "\xe8\x7f\x7f\x7f\x7f\x7f\x7f\x7f", 8, 0, 10, "a step without end"},
        {KP_LINES_LOCATIONS, "\xe8", 1, 0, 10, "a step that is cut off"},
        {KP_LINES_LOCATIONS, "\x01\x02\x03", 3, 0, 10, "bytes that are no entries"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* A copy of its own, so that a sanitizer sees a read beyond. */
        uint8_t *bytes = malloc(cases[i].count ? cases[i].count : 1);
        memcpy(bytes, cases[i].bytes, cases[i].count);
        struct kp_linetable table = {cases[i].kind, 10, bytes, cases[i].count};
        uint32_t got = kp_linetable_line(&table, cases[i].offset);
        kp_check(got == cases[i].line, cases[i].what, "line %u, not %u", got, cases[i].line);
        free(bytes);
    }
}

static void random_bytes(void)
{
    uint64_t state = 7, sum = 0;

    for (unsigned round = 0; round < 30000; round++) {
        size_t count = round % 60;
        uint8_t *bytes = malloc(count + 1);
        for (size_t i = 0; i < count; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (uint8_t)(state >> 40);
        }
        struct kp_linetable table = {round % 5, (uint32_t)(state >> 33), bytes, count};
        for (uint32_t offset = 0; offset < 300; offset += 20)
            sum += kp_linetable_line(&table, offset) > INT32_MAX && table.first_line <= INT32_MAX;
        free(bytes);
    }
    kp_check(sum == 0, "bytes of any kind give a line", "%llu impossible", (unsigned long long)sum);
}

int main(void)
{
    against_interpreters();
    made_up();
    random_bytes();
    return kp_checks_failed();
}
