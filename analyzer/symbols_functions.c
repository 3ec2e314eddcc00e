/* SPDX-License-Identifier: MIT */
/*
 * .eh_frame_hdr is a sorted table of (function, its entry in .eh_frame), which the program's own
 * unwinder searches, so no strip takes it away. The entry has the function's length, in an encoding
 * that its common entry (CIE) names. Runs in the collector and the reports, on one thread.
 */
#include "symbols_functions.h"

#include <dwarf.h>
#include <string.h>

#define KP_CIE_BYTES_MAX 256 /* of the head of a CIE: all that is read here */

struct reader {
    const uint8_t *at, *end;
};

static uint64_t take(struct reader *reader, size_t bytes)
{
    uint64_t value = 0;
    if ((size_t)(reader->end - reader->at) < bytes) {
        reader->at = reader->end;
        return 0;
    }
    memcpy(&value, reader->at, bytes);
    reader->at += bytes;
    return value;
}

static void skip_leb(struct reader *reader)
{
    while (take(reader, 1) & 0x80)
        continue;
}

/* Bytes of a pointer in this encoding, 0 when it is not of fixed size. */
static size_t pointer_bytes(unsigned encoding)
{
    switch (encoding & 0x0f) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8: return 8;
    case DW_EH_PE_udata4:
    case DW_EH_PE_sdata4: return 4;
    case DW_EH_PE_udata2:
    case DW_EH_PE_sdata2: return 2;
    default: return 0;
    }
}

/* How many bytes the pointers of this CIE's functions have. */
static size_t cie_pointer_bytes(const struct kp_image *image, uint64_t cie)
{
    uint64_t rest = kp_image_rest(image, cie);
    const uint8_t *bytes = kp_image_at(image, cie, rest);
    if (!bytes)
        return 0;
    struct reader reader = {bytes, bytes + (rest < KP_CIE_BYTES_MAX ? rest : KP_CIE_BYTES_MAX)};
    if (take(&reader, 4) == UINT32_MAX || take(&reader, 4) != 0)
        return 0;
    uint64_t version = take(&reader, 1);
    const char *letters = (const char *)reader.at;
    if (!memchr(letters, '\0', (size_t)(reader.end - reader.at)))
        return 0;
    reader.at += strlen(letters) + 1;
    if (*letters != 'z')
        return *letters ? 0 : 8;
    skip_leb(&reader);
    skip_leb(&reader);
    if (version == 1)
        take(&reader, 1);
    else
        skip_leb(&reader);
    skip_leb(&reader);
    for (letters++; *letters; letters++) {
        if (*letters == 'R')
            return pointer_bytes((unsigned)take(&reader, 1));
        if (*letters == 'P')
            take(&reader, pointer_bytes((unsigned)take(&reader, 1)));
        else if (*letters == 'L')
            take(&reader, 1);
    }
    return 8;
}

struct cie {
    uint64_t address;
    size_t pointer_bytes;
};

/* Length of the function that this entry is about; 0 unknown. */
static uint64_t fde_length(const struct kp_image *image, uint64_t fde, struct cie *last)
{
    uint32_t head[2];
    uint64_t length = 0;
    const void *bytes = kp_image_at(image, fde, sizeof head);
    if (!bytes)
        return 0;
    memcpy(head, bytes, sizeof head);
    if (head[0] == UINT32_MAX || head[1] == 0)
        return 0;
    uint64_t cie = fde + 4 - head[1];
    if (cie != last->address || !last->pointer_bytes)
        *last = (struct cie){cie, cie_pointer_bytes(image, cie)};
    bytes = kp_image_at(image, fde + sizeof head + last->pointer_bytes, last->pointer_bytes);
    if (bytes && last->pointer_bytes)
        memcpy(&length, bytes, last->pointer_bytes);
    return length;
}

int kp_functions_init(struct kp_ranges *functions, const struct kp_image *image)
{
    const uint8_t *header = kp_image_at(image, image->eh_frame_hdr, 12);
    uint32_t count = 0;
    struct cie last = {0};
    *functions = (struct kp_ranges){0};
    if (!image->eh_frame_hdr || !header || header[0] != 1 ||
        header[1] != (DW_EH_PE_pcrel | DW_EH_PE_sdata4) || header[2] != DW_EH_PE_udata4 ||
        header[3] != (DW_EH_PE_datarel | DW_EH_PE_sdata4))
        return 0;
    memcpy(&count, header + 8, sizeof count);
    uint64_t table = image->eh_frame_hdr + 12, room = kp_image_rest(image, table) / 8;
    const uint8_t *entries = kp_image_at(image, table, room * 8);
    for (uint64_t i = 0; entries && i < count && i < room; i++) {
        int32_t pair[2];
        memcpy(pair, entries + 8 * i, sizeof pair);
        uint64_t start = image->eh_frame_hdr + (uint64_t)(int64_t)pair[0];
        uint64_t fde = image->eh_frame_hdr + (uint64_t)(int64_t)pair[1];
        uint64_t length = fde_length(image, fde, &last);
        if (length && length <= kp_image_rest(image, start) &&
            kp_ranges_add(functions, start, start + length, 0) != 0)
            return -1;
    }
    kp_ranges_sort(functions);
    return 0;
}
