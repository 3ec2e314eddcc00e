/* SPDX-License-Identifier: MIT */
/*
 * A finished kprof database is replaced; any other file stays. The spool is created with O_EXCL,
 * which makes the choice safe against another program that starts with the same name. Once per
 * session, in stage one of the start.
 */
#include "database_name.h"

#include "record.h"
#include "settings.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NUMBERS_MAX 1000
#define WAIT_FOR_FINISH_MS 2000

enum place { PLACE_FREE, PLACE_OURS, PLACE_FOREIGN };

const char *kp_error_text(long error)
{
    switch (-error) {
    case ENOENT: return "no such directory";
    case EACCES:
    case EPERM: return "permission denied";
    case EROFS: return "the file system is read-only";
    case ENOSPC:
    case EDQUOT: return "no space left on the device";
    case EMFILE:
    case ENFILE: return "too many open files";
    case ENOTDIR: return "a part of the path is not a directory";
    case ENAMETOOLONG: return "the name is too long";
    case EFBIG: return "the limit on file sizes (ulimit -f) is below 1M";
    case ENOMEM: return "out of address space";
    default: return "it cannot be created there";
    }
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* What stands under this name: SQLite keeps the application id at byte 68. A link to nothing stands
 * there too. A name that cannot be (too long, a folder out of reach) is free: what is wrong with it
 * is told when the spool cannot be created. */
static enum place look(const char *path)
{
    unsigned char head[100];
    struct stat about;
    long fd = KP_SYS4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    long got;

    if (fd < 0) {
        long there = KP_SYS4(SYS_newfstatat, AT_FDCWD, path, &about, AT_SYMLINK_NOFOLLOW);

        return there == 0 ? PLACE_FOREIGN : PLACE_FREE;
    }
    got = KP_SYS3(SYS_read, fd, head, sizeof head);
    KP_SYS1(SYS_close, fd);
    if (got == sizeof head && memcmp(head, "SQLite format 3", 16) == 0 &&
        big_endian(head + 68) == KP_APPLICATION_ID)
        return PLACE_OURS;
    return PLACE_FOREIGN;
}

/* leaks.db -> leaks-2.db */
static void numbered(char *to, size_t bytes, const char *path, unsigned number)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    size_t stem = dot && dot > slash + 1 ? (size_t)(dot - path) : strlen(path);
    char digits[16], *at = digits + sizeof digits;

    if (stem + 32 > bytes)
        stem = bytes - 32;
    memcpy(to, path, stem);
    *--at = 0;
    for (unsigned n = number; n; n /= 10)
        *--at = (char)('0' + n % 10);
    if (number) {
        to[stem++] = '-';
        memcpy(to + stem, at, strlen(at));
        stem += strlen(at);
    }
    const char *rest = dot && dot > slash + 1 ? dot : "";
    size_t length = strlen(rest) < bytes - stem - 1 ? strlen(rest) : bytes - stem - 1;
    memcpy(to + stem, rest, length);
    to[stem + length] = 0;
}

static long create_spool(const char *database, char *spool, size_t bytes)
{
    size_t length = strlen(database);

    if (length + 7 > bytes)
        return -ENAMETOOLONG;
    memcpy(spool, database, length);
    memcpy(spool + length, "-spool", 7);
    return KP_SYS4(SYS_openat, AT_FDCWD, spool, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* Is the recording in this spool over, with only its collector still at work? */
static int is_finishing(const char *spool)
{
    struct kp_spool_header header;

    if (kp_sys_read_file(spool, (char *)&header, sizeof header) != sizeof header)
        return 0;
    return header.magic == KP_SPOOL_MAGIC && KP_SYS2(SYS_kill, header.root_pid, 0) == -ESRCH &&
           header.collector_pid && KP_SYS2(SYS_kill, header.collector_pid, 0) != -ESRCH;
}

/* Runs of a loop follow each other closely: give the last one's collector a moment. */
static long create_after_finish(const char *database, char *spool, size_t bytes)
{
    struct timespec nap = {0, 10000000};
    long fd = create_spool(database, spool, bytes);

    for (unsigned ms = 0; fd == -EEXIST && ms < WAIT_FOR_FINISH_MS && is_finishing(spool);
         ms += 10) {
        KP_SYS2(SYS_nanosleep, &nap, 0);
        fd = create_spool(database, spool, bytes);
    }
    return fd;
}

long kp_database_reserve(char *database, size_t bytes, const char *why)
{
    char spool[KP_SPOOL_PATH_BYTES];

    if (!kp_settings.database[0]) {
        kp_say("the working directory has no usable name; nothing is recorded; ",
               "set KPROF_DB to an absolute path", "", "");
        return -1;
    }
    for (unsigned number = 0; number < NUMBERS_MAX; number++) {
        numbered(database, bytes, kp_settings.database, number);
        enum place place = look(database);
        if (place == PLACE_FOREIGN || (place == PLACE_OURS && kp_settings.session)) {
            why = why ? why
                      : place == PLACE_OURS ? " was finished before this process came"
                                            : " exists and is not a kprof database";
            continue;
        }
        long fd = create_after_finish(database, spool, sizeof spool);
        if (fd == -EEXIST) {
            why = why ? why : " has a recording that is not finished (kprof-report finishes it)";
            continue;
        }
        if (fd < 0) {
            kp_say("cannot create ", spool, ": ", kp_error_text(fd));
            return -1;
        }
        if (number)
            kp_say(kp_settings.database, why, "; recording to ", database);
        return fd;
    }
    kp_say(kp_settings.database, why, "; no free name beside it either, nothing is recorded", "");
    return -1;
}
