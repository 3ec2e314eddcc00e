/* SPDX-License-Identifier: MIT */
/*
 * Every read of a file that may be damaged goes through here and is checked against the segments,
 * which are checked against the file once. Runs in the collector and the reports, on one thread.
 */
#include "symbols_image.h"

#include <string.h>

/* A debug file keeps the program headers of the code that it has left out. */
static bool is_debug_file(Elf *elf)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    while ((section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) && header.sh_flags & SHF_EXECINSTR &&
            header.sh_type == SHT_NOBITS)
            return true;
    return false;
}

static void add_segment(struct kp_image *image, const uint8_t *file, const GElf_Phdr *header)
{
    uint64_t bytes = header->p_filesz;
    if (header->p_type == PT_DYNAMIC) {
        image->dynamic = header->p_vaddr;
        image->dynamic_bytes = bytes;
    }
    if (header->p_type == PT_GNU_EH_FRAME)
        image->eh_frame_hdr = header->p_vaddr;
    if (header->p_type != PT_LOAD || image->count == KP_IMAGE_SEGMENTS ||
        header->p_offset >= image->file_bytes)
        return;
    if (bytes > image->file_bytes - header->p_offset)
        bytes = image->file_bytes - header->p_offset;
    if (bytes == 0 || header->p_vaddr + bytes < header->p_vaddr)
        return;
    image->segments[image->count++] =
        (struct kp_image_segment){header->p_vaddr, header->p_vaddr + bytes,
                                  file + header->p_offset, (header->p_flags & PF_X) != 0};
}

int kp_image_init(struct kp_image *image, Elf *elf)
{
    GElf_Ehdr header;
    GElf_Phdr segment;
    size_t segments = 0;
    *image = (struct kp_image){0};
    if (!gelf_getehdr(elf, &header) || header.e_machine != EM_X86_64 ||
        elf_getphdrnum(elf, &segments) != 0 || is_debug_file(elf))
        return -1;
    image->fixed = header.e_type == ET_EXEC;
    const uint8_t *file = (const uint8_t *)elf_rawfile(elf, &image->file_bytes);
    for (size_t i = 0; file && i < segments; i++)
        if (gelf_getphdr(elf, (int)i, &segment))
            add_segment(image, file, &segment);
    return image->count ? 0 : -1;
}

const void *kp_image_at(const struct kp_image *image, uint64_t address, uint64_t bytes)
{
    for (size_t i = 0; i < image->count; i++) {
        const struct kp_image_segment *segment = &image->segments[i];
        if (address >= segment->start && address < segment->end)
            return bytes <= segment->end - address ? segment->bytes + (address - segment->start)
                                                   : NULL;
    }
    return NULL;
}

uint64_t kp_image_rest(const struct kp_image *image, uint64_t address)
{
    for (size_t i = 0; i < image->count; i++)
        if (address >= image->segments[i].start && address < image->segments[i].end)
            return image->segments[i].end - address;
    return 0;
}

const char *kp_image_string(const struct kp_image *image, uint64_t address, size_t max)
{
    uint64_t rest = kp_image_rest(image, address);
    size_t room = rest < max + 1 ? (size_t)rest : max + 1;
    const char *text = room ? kp_image_at(image, address, room) : NULL;
    return text && memchr(text, '\0', room) ? text : NULL;
}

bool kp_image_word(const struct kp_image *image, uint64_t address, uint64_t *word)
{
    const void *bytes = kp_image_at(image, address, sizeof *word);
    *word = 0;
    if (bytes)
        memcpy(word, bytes, sizeof *word);
    return bytes != NULL;
}
