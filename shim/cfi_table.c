/* SPDX-License-Identifier: MIT */
/*
 * .eh_frame_hdr -> FDE -> CIE -> the row of the table that holds for one pc (DWARF 5, 6.4, and the
 * LSB's description of .eh_frame). Only the CFA, rbp and the return address are followed; an
 * expression is understood when it is (register + offset), dereferenced or not. Any thread; pure
 * reading of mapped sections, which the loader and C++ exceptions rely on as well.
 */
#include "cfi_table.h"

#include <stddef.h>
#include <string.h>

#define DW_RBP 6
#define DW_RSP 7
#define DW_RA 16
#define ROWS_KEPT 8

enum { ENC_PTR = 0, ENC_ULEB = 1, ENC_U2 = 2, ENC_U4 = 3, ENC_U8 = 4, ENC_SLEB = 9,
       ENC_S2 = 10, ENC_S4 = 11, ENC_S8 = 12 };
enum { ENC_PCREL = 0x10, ENC_DATAREL = 0x30, ENC_OMIT = 0xff };

struct cursor {
    const uint8_t *at, *end;
};

struct row {
    unsigned cfa; /* enum kp_cfa */
    int64_t offset;
    int64_t fp_offset;
    bool fp_saved, ra_undefined;
    bool cfa_strange; /* of the present CFA; the next definition of it may be understood again */
    bool strange;     /* rbp or the return address */
};

struct table {
    uint64_t code_align;
    int64_t data_align;
    uint8_t fde_encoding;
    bool has_augmentation, signal;
    struct row initial;
};

struct machine {
    const struct table *table;
    struct row row, kept[ROWS_KEPT];
    unsigned depth;
    uintptr_t location;
};

static uint64_t fixed(struct cursor *c, unsigned bytes)
{
    uint64_t value = 0;

    if (c->end - c->at < (ptrdiff_t)bytes) {
        c->at = c->end;
        return 0;
    }
    memcpy(&value, c->at, bytes);
    c->at += bytes;
    return value;
}

static uint64_t uleb(struct cursor *c)
{
    uint64_t value = 0;

    for (unsigned shift = 0; c->at < c->end; shift += 7) {
        uint8_t byte = *c->at++;

        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

static int64_t sleb(struct cursor *c)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte = 0;

    while (c->at < c->end) {
        byte = *c->at++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80))
            break;
    }
    if (shift < 64 && byte & 0x40)
        value |= ~0ull << shift;
    return (int64_t)value;
}

static uintptr_t encoded(struct cursor *c, unsigned encoding, uintptr_t data_base)
{
    uintptr_t here = (uintptr_t)c->at, value = 0;

    switch (encoding & 0x0f) {
    case ENC_PTR:
    case ENC_U8:
    case ENC_S8: value = fixed(c, 8); break;
    case ENC_U2: value = fixed(c, 2); break;
    case ENC_S2: value = (uintptr_t)(int16_t)fixed(c, 2); break;
    case ENC_U4: value = fixed(c, 4); break;
    case ENC_S4: value = (uintptr_t)(int32_t)fixed(c, 4); break;
    case ENC_ULEB: value = uleb(c); break;
    case ENC_SLEB: value = (uintptr_t)sleb(c); break;
    default: break;
    }
    if ((encoding & 0x70) == ENC_PCREL)
        value += here;
    else if ((encoding & 0x70) == ENC_DATAREL)
        value += data_base;
    return value;
}

/* (register + offset) or its content; anything else is strange. */
static void expression(struct cursor *c, struct row *row)
{
    uint64_t bytes = uleb(c);
    struct cursor e = {c->at, c->at + bytes};
    bool memory = false;

    c->at += bytes;
    uint8_t op = (uint8_t)fixed(&e, 1);
    if (op != 0x70 + DW_RBP && op != 0x70 + DW_RSP) {
        row->cfa_strange = true;
        return;
    }
    row->offset = sleb(&e);
    if (e.at < e.end && *e.at == 0x06) { /* DW_OP_deref */
        memory = true;
        e.at++;
    }
    row->cfa_strange = e.at != e.end;
    if (op == 0x70 + DW_RBP)
        row->cfa = memory ? KP_CFA_FP_MEM : KP_CFA_FP;
    else
        row->cfa = memory ? KP_CFA_SP_MEM : KP_CFA_SP;
}

static void define_cfa(struct row *row, uint64_t reg, int64_t offset)
{
    row->cfa = reg == DW_RSP ? KP_CFA_SP : KP_CFA_FP;
    row->cfa_strange = reg != DW_RSP && reg != DW_RBP;
    row->offset = offset;
}

static void saved_at(struct row *row, uint64_t reg, int64_t offset)
{
    if (reg == DW_RBP) {
        row->fp_saved = true;
        row->fp_offset = offset;
    } else if (reg == DW_RA && offset != -8) {
        row->strange = true;
    }
}

static void restored(struct machine *m, uint64_t reg)
{
    if (reg == DW_RBP) {
        m->row.fp_saved = m->table->initial.fp_saved;
        m->row.fp_offset = m->table->initial.fp_offset;
    }
}

static void by_expression(struct cursor *c, struct row *row)
{
    uint64_t reg = uleb(c), bytes = uleb(c);

    /* rbp saved at an offset of rbp itself: the form of functions that realign the stack. */
    if (reg == DW_RBP && bytes == 2 && c->at[0] == 0x70 + DW_RBP && c->at[1] == 0) {
        row->fp_saved = true;
        row->fp_offset = INT32_MIN;
    } else if (reg == DW_RBP || reg == DW_RA) {
        row->strange = true;
    }
    c->at += bytes;
}

static void undefined(struct row *row, uint64_t reg)
{
    if (reg == DW_RA)
        row->ra_undefined = true;
}

/* One of the instructions without operand bits; `c` stands behind the opcode. */
static void extended(struct machine *m, struct cursor *c, uint8_t op)
{
    struct row *row = &m->row;
    uint64_t reg;

    switch (op) {
    case 0x00: break; /* nop */
    case 0x01: m->location = encoded(c, m->table->fde_encoding, 0); break;
    case 0x02: m->location += fixed(c, 1) * m->table->code_align; break;
    case 0x03: m->location += fixed(c, 2) * m->table->code_align; break;
    case 0x04: m->location += fixed(c, 4) * m->table->code_align; break;
    case 0x05: reg = uleb(c); saved_at(row, reg, (int64_t)uleb(c) * m->table->data_align); break;
    case 0x06: restored(m, uleb(c)); break;
    case 0x07: undefined(row, uleb(c)); break;
    case 0x08: restored(m, uleb(c)); break; /* same value */
    case 0x09: reg = uleb(c); uleb(c); row->strange |= reg == DW_RBP || reg == DW_RA; break;
    case 0x0a: if (m->depth < ROWS_KEPT) m->kept[m->depth++] = *row; else row->strange = true; break;
    case 0x0b: if (m->depth) *row = m->kept[--m->depth]; break;
    case 0x0c: reg = uleb(c); define_cfa(row, reg, (int64_t)uleb(c)); break;
    case 0x0d: define_cfa(row, uleb(c), row->offset); break;
    case 0x0e: row->offset = (int64_t)uleb(c); break;
    case 0x0f: expression(c, row); break;
    case 0x10: by_expression(c, row); break;
    case 0x11: reg = uleb(c); saved_at(row, reg, sleb(c) * m->table->data_align); break;
    case 0x12: reg = uleb(c); define_cfa(row, reg, sleb(c) * m->table->data_align); break;
    case 0x13: row->offset = sleb(c) * m->table->data_align; break;
    case 0x14:
    case 0x15: reg = uleb(c); sleb(c); row->strange |= reg == DW_RBP || reg == DW_RA; break;
    case 0x16: by_expression(c, row); row->strange = true; break;
    case 0x2e: uleb(c); break; /* GNU args size */
    default: row->strange = true; c->at = c->end; break;
    }
}

/* Runs instructions until the location passes pc. */
static void run(struct machine *m, struct cursor c, uintptr_t pc)
{
    while (c.at < c.end) {
        struct row before = m->row;
        uint8_t op = *c.at++;

        if (op >> 6 == 1)
            m->location += (op & 0x3f) * m->table->code_align;
        else if (op >> 6 == 2)
            saved_at(&m->row, op & 0x3f, (int64_t)uleb(&c) * m->table->data_align);
        else if (op >> 6 == 3)
            restored(m, op & 0x3f);
        else
            extended(m, &c, op);
        if (m->location > pc) {
            m->row = before;
            return;
        }
    }
}

static void augmentation(struct cursor *c, const char *letters, struct table *table)
{
    const uint8_t *end;
    uint64_t bytes = uleb(c);

    end = c->at + bytes;
    table->has_augmentation = true;
    for (const char *letter = letters + 1; *letter; letter++) {
        if (*letter == 'R') {
            table->fde_encoding = (uint8_t)fixed(c, 1);
        } else if (*letter == 'P') {
            unsigned encoding = (unsigned)fixed(c, 1);
            encoded(c, encoding & 0x0f, 0);
        } else if (*letter == 'L') {
            fixed(c, 1);
        } else if (*letter == 'S') {
            table->signal = true;
        }
    }
    c->at = end;
}

/* Reads a CIE and runs its instructions. */
static bool read_cie(const uint8_t *cie, struct table *table)
{
    uint32_t bytes;

    memset(table, 0, sizeof *table);
    memcpy(&bytes, cie, 4);
    struct cursor c = {cie + 8, cie + 4 + bytes};
    uint8_t version = (uint8_t)fixed(&c, 1);
    const char *letters = (const char *)c.at;
    if (bytes == 0 || bytes == UINT32_MAX || (version != 1 && version != 3))
        return false;
    c.at += strlen(letters) + 1;
    table->code_align = uleb(&c);
    table->data_align = sleb(&c);
    uint64_t ra = version == 1 ? fixed(&c, 1) : uleb(&c);
    if (letters[0] == 'z')
        augmentation(&c, letters, table);
    else if (letters[0])
        return false;
    struct machine m = {.table = table};
    run(&m, c, UINTPTR_MAX);
    table->initial = m.row;
    return ra == DW_RA;
}

/* The FDE that covers pc by the sorted table of .eh_frame_hdr, or NULL. */
static const uint8_t *find_fde(const uint8_t *hdr, uintptr_t pc)
{
    struct cursor c = {hdr + 4, hdr + 4 + 32};
    uintptr_t base = (uintptr_t)hdr;
    uint64_t low = 0, high;

    if (hdr[0] != 1 || hdr[2] == ENC_OMIT || hdr[3] != (ENC_DATAREL | ENC_S4))
        return NULL;
    encoded(&c, hdr[1], base);
    high = encoded(&c, hdr[2], base);
    const int32_t(*rows)[2] = (const int32_t(*)[2])c.at;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (base + (uintptr_t)(intptr_t)rows[middle][0] <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? hdr + rows[low - 1][1] : NULL;
}

static struct kp_rule rule_of(const struct row *row, bool signal)
{
    struct kp_rule rule = {.cfa = row->cfa, .offset = (int32_t)row->offset};

    if (signal)
        rule.cfa = KP_CFA_SIGNAL;
    else if (row->ra_undefined)
        rule.cfa = KP_CFA_END;
    else if (row->strange || row->cfa_strange || rule.cfa == KP_CFA_NONE || row->offset != rule.offset)
        rule.cfa = KP_CFA_UNKNOWN;
    if (row->fp_saved)
        rule.fp_offset = (int32_t)row->fp_offset;
    if (row->fp_saved && row->fp_offset == INT32_MIN) {
        /* saved where rbp points; only sound with CFA = *(rbp + x), see by_expression() */
        rule.fp_offset = KP_FP_AT_FP;
    }
    return rule;
}

struct kp_rule kp_cfi_table_rule(const uint8_t *eh_frame_hdr, uintptr_t pc)
{
    const uint8_t *fde = find_fde(eh_frame_hdr, pc);
    struct kp_rule none = {.cfa = KP_CFA_NONE}, unknown = {.cfa = KP_CFA_UNKNOWN};
    struct table table;
    uint32_t bytes, back;

    if (!fde)
        return none;
    memcpy(&bytes, fde, 4);
    memcpy(&back, fde + 4, 4);
    if (bytes == 0 || bytes == UINT32_MAX || back == 0 || !read_cie(fde + 4 - back, &table))
        return unknown;
    struct cursor c = {fde + 8, fde + 4 + bytes};
    uintptr_t start = encoded(&c, table.fde_encoding, 0);
    uintptr_t range = encoded(&c, table.fde_encoding & 0x0f, 0);
    if (pc < start || pc - start >= range)
        return none;
    if (table.has_augmentation)
        c.at += uleb(&c);
    struct machine m = {.table = &table, .row = table.initial, .location = start};
    run(&m, c, pc);
    return rule_of(&m.row, table.signal);
}
