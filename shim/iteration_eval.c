/* SPDX-License-Identifier: MIT */
/*
 * The frame evaluation hook (PEP 523) of 3.9 to 3.11 sees every frame start. Host's threads, with
 * the GIL. We compare the length and the bytes of the code's short name, which rejects nearly all,
 * and jump on to the interpreter's own function, so that no frame of ours stays on the stack.
 *
 * On 3.11 a call of a Python function by another is a call of C code again while the hook is there,
 * as it was up to 3.10: such calls take longer, and deep recursion needs more of the C stack.
 */
#include "iteration_monitor.h"

#include "iteration.h"
#include "iteration_api.h"
#include "iteration_match.h"
#include "iteration_native.h"
#include "sample.h"

#include <stdint.h>
#include <string.h>

#define FRAME_CODE 32
#define TEXT_LENGTH 16
#define TEXT_ASCII 48 /* the characters of a text that is all ASCII */
#define TEXT_STATE 32
#define STATE_ASCII 0x60 /* compact and ASCII; 2 bits interned and 3 bits kind are before */
#define OP_RETURN_GENERATOR 75 /* 3.11 */

typedef void *(*evaluate)(void *thread, char *frame, int throwing);

static struct {
    evaluate next;
    void *(*interpreter)(void);
    evaluate (*get)(void *);
    void (*set)(void *, evaluate);
    const void *import_end;
    size_t last_bytes;
    bool last_is_ascii;
    bool is_looking;
    unsigned name_at, globals_at, position_at, flags_at; /* in a code, a frame, a frame, a code */
} eval;

static inline bool may_be_meant(const char *code)
{
    const char *name = *(const char *const *)(code + eval.name_at);

    if (*(const size_t *)(name + TEXT_LENGTH) != eval.last_bytes && eval.last_is_ascii)
        return false;
    if ((*(const uint32_t *)(name + TEXT_STATE) & STATE_ASCII) != STATE_ASCII)
        return !eval.last_is_ascii;
    return eval.last_is_ascii && memcmp(name + TEXT_ASCII, kp_iteration.last, eval.last_bytes) == 0;
}

/* Does the function start, or go on after a yield? */
static bool is_start(const char *frame, const char *code)
{
    const char *position = frame + eval.position_at;

    if (kp_python.minor < 11)
        return *(const int32_t *)position == -1;
    if (!(*(const uint32_t *)(code + eval.flags_at) & KP_CODE_RESUMES))
        return true;
    return **(const uint8_t *const *)position == OP_RETURN_GENERATOR;
}

static void after_import(void)
{
    kp_match_after_import();
    if (kp_native_is_counted() && eval.get(eval.interpreter()) != eval.next)
        eval.set(eval.interpreter(), eval.next);
}

static enum kp_match decide(const char *frame, void *code)
{
    enum kp_match match = kp_match_known(code);

    if (match == KP_MATCH_UNKNOWN && !eval.is_looking) {
        eval.is_looking = true;
        match = kp_match_decide(code, *(void *const *)(frame + eval.globals_at));
        kp_api.PyErr_Clear(); /* as when there was no memory to look */
        eval.is_looking = false;
    }
    return match;
}

static KP_SLOW void look(const char *frame, void *code)
{
    if (code != eval.import_end) {
        if (decide(frame, code) == KP_MATCH_YES && is_start(frame, code))
            kp_iteration_called();
        return;
    }
    if (eval.is_looking || kp_iteration.is_resolved)
        return;
    eval.is_looking = true;
    after_import();
    kp_api.PyErr_Clear();
    eval.is_looking = false;
}

static void *on_frame(void *thread, char *frame, int throwing)
{
    char *code = *(char **)(frame + FRAME_CODE);

    if (KP_LIKELY_NOT(code == eval.import_end || code == kp_iteration.other_code ||
                      may_be_meant(code)) &&
        !throwing)
        look(frame, code);
    return eval.next(thread, frame, throwing);
}

bool kp_eval_is_displaced(void)
{
    return eval.get && !kp_native_is_counted() && eval.get(eval.interpreter()) != on_frame;
}

static void find_layout(void)
{
    static const struct {
        unsigned name_at, globals_at, position_at, flags_at;
    } layouts[] = {{112, 48, 104, 36}, {112, 48, 96, 36}, {120, 8, 56, 48}}; /* 3.9, 3.10, 3.11 */
    unsigned index = (unsigned)kp_python.minor - 9;

    eval.name_at = layouts[index].name_at;
    eval.globals_at = layouts[index].globals_at;
    eval.position_at = layouts[index].position_at;
    eval.flags_at = layouts[index].flags_at;
    eval.last_bytes = strlen(kp_iteration.last);
    eval.last_is_ascii = true;
    for (const char *c = kp_iteration.last; *c; c++)
        eval.last_is_ascii &= *c > 0;
}

bool kp_eval_install(void)
{
    eval.interpreter = (void *(*)(void))kp_python_symbol("PyInterpreterState_Get");
    eval.get = (evaluate(*)(void *))kp_python_symbol("_PyInterpreterState_GetEvalFrameFunc");
    eval.set = (void (*)(void *, evaluate))kp_python_symbol("_PyInterpreterState_SetEvalFrameFunc");
    if (!eval.interpreter || !eval.get || !eval.set)
        return false;
    find_layout();
    kp_drop(kp_api.PyImport_ImportModule("gc")); /* now, not when a function is to be recognised */
    eval.next = eval.get(eval.interpreter());
    eval.import_end = kp_match_import_end();
    after_import(); /* built-in modules are there already */
    if (!kp_native_is_counted())
        eval.set(eval.interpreter(), on_frame);
    return true;
}
