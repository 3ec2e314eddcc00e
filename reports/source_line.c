/* SPDX-License-Identifier: MIT */
/*
 * The names come from a database that anybody may have made, so a file is read with care: regular
 * files only, opened without waiting, none larger than any source is. A file changed after the
 * recording began may have another line there; it is shown, and told. One thread.
 */
#include "source_line.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (16 << 20)

void kp_sources_init(struct kp_sources *sources, const struct kp_report_context *context,
                     int64_t process_id)
{
    *sources = (struct kp_sources){.directory = "",
                                   .recorded_unix_s = context->summary.start_unix_s};
    for (size_t i = 0; i < context->processes.count && !*sources->directory; i++)
        if (process_id == 0 || context->processes.items[i].id == process_id)
            sources->directory = context->processes.items[i].directory;
}

static void drop_file(struct kp_sources *s)
{
    free(s->text);
    s->text = NULL;
    s->bytes = 0;
}

static void read_open_file(struct kp_sources *s, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        st.st_size > FILE_BYTES_MAX)
        return;
    s->text = malloc((size_t)st.st_size);
    ssize_t got = s->text ? read(fd, s->text, (size_t)st.st_size) : -1;
    if (got <= 0) {
        drop_file(s);
        return;
    }
    s->bytes = (size_t)got;
    s->text_is_newer = s->recorded_unix_s > 0 && (double)st.st_mtim.tv_sec > s->recorded_unix_s;
}

static void load_file(struct kp_sources *s, const char *path)
{
    drop_file(s);
    snprintf(s->path, sizeof s->path, "%s", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    read_open_file(s, fd);
    close(fd);
}

static bool path_of(const struct kp_sources *s, const char *file, char *path, size_t path_bytes)
{
    if (!*file || *file == '<' || (*file != '/' && !*s->directory))
        return false;
    int length = *file == '/' ? snprintf(path, path_bytes, "%s", file)
                              : snprintf(path, path_bytes, "%s/%s", s->directory, file);
    return length > 0 && (size_t)length < path_bytes;
}

/* Copies the text from `from` to the end of its line. */
static void copy_line(const char *from, const char *end, char *out, size_t out_bytes)
{
    size_t used = 0;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    for (; from < end && *from && *from != '\n' && used + 1 < out_bytes; from++)
        out[used++] = *from == '\t' ? ' ' : *from;
    while (used > 0 && (out[used - 1] == ' ' || out[used - 1] == '\r'))
        used--;
    out[used] = '\0';
}

bool kp_source_line(struct kp_sources *s, const struct kp_frame *frame, char *out,
                    size_t out_bytes)
{
    char path[sizeof s->path];
    if (frame->line <= 0 || !path_of(s, frame->file, path, sizeof path))
        return false;
    if (strcmp(path, s->path) != 0)
        load_file(s, path);
    const char *at = s->text, *end = s->text + s->bytes;
    for (int64_t line = 1; at && line < frame->line; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    if (!at || at == end)
        return false;
    copy_line(at, end, out, out_bytes);
    s->newer |= *out && s->text_is_newer;
    return *out != '\0';
}

void kp_sources_release(struct kp_sources *s)
{
    drop_file(s);
}
