/* SPDX-License-Identifier: MIT */
/*
 * A file as the loader would lay it out, for what stands in no symbol table: bytes by address. It
 * goes by program headers only, so a file without section headers is as good as any.
 */
#ifndef KP_SYMBOLS_IMAGE_H
#define KP_SYMBOLS_IMAGE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_IMAGE_SEGMENTS 32

struct kp_image_segment {
    uint64_t start, end; /* of what the file holds; zeros behind it are not there */
    const uint8_t *bytes;
    bool code;
};
struct kp_image {
    struct kp_image_segment segments[KP_IMAGE_SEGMENTS];
    size_t count, file_bytes;
    bool fixed;                                    /* a program for a fixed address */
    uint64_t dynamic, dynamic_bytes, eh_frame_hdr; /* addresses; 0: it has none */
};

/* The image belongs to the Elf. -1: not x86-64, or a debug file, which has headers but no code. */
int kp_image_init(struct kp_image *image, Elf *elf);
/* `bytes` bytes at `address`, or NULL when the file does not hold all of them. */
const void *kp_image_at(const struct kp_image *image, uint64_t address, uint64_t bytes);
/* How many bytes from `address` to the end of its segment; 0 when it is in none. */
uint64_t kp_image_rest(const struct kp_image *image, uint64_t address);
/* The NUL-terminated string at `address`, of at most `max` bytes without the NUL, or NULL. */
const char *kp_image_string(const struct kp_image *image, uint64_t address, size_t max);
/* false, and *word 0, when it is not there. */
bool kp_image_word(const struct kp_image *image, uint64_t address, uint64_t *word);

#endif
