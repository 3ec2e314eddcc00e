/* SPDX-License-Identifier: MIT */
/*
 * Three digits are what a reader takes in at a glance, and more than most estimates deserve. An
 * interval is shown where it is wider than 10 % to a side, that is where it could change what one
 * would do. Pure functions, any thread.
 */
#include "format.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WIDE_SPREAD 0.10

/* Three significant digits of a number below 1000 (999.5 and above are the caller's business). */
static int three_digits(char *out, double value)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return snprintf(out, KP_FORMAT_BYTES / 4, "%.*f", decimals, value);
}

/* Index of the unit (steps of 1000) in which value has one to three digits before the point. */
static int unit_of(double value, int units, double *divisor)
{
    int unit = 0;
    *divisor = 1;
    while (unit + 1 < units && value / *divisor >= (unit == 0 ? 1000 : 999.5)) {
        *divisor *= 1000;
        unit++;
    }
    return unit;
}

static const char *const size_units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};

char *kp_format_size(char *out, double bytes)
{
    double divisor;
    int unit = unit_of(round(bytes), 7, &divisor);
    if (bytes / divisor >= 1e6)
        snprintf(out, KP_FORMAT_BYTES, "%.3g EB", bytes / divisor);
    else if (unit == 0)
        snprintf(out, KP_FORMAT_BYTES, "%.0f B", bytes);
    else
        sprintf(out + three_digits(out, bytes / divisor), " %s", size_units[unit]);
    return out;
}

char *kp_format_size_range(char *out, const struct kp_estimate *e)
{
    double divisor;
    int unit = unit_of(round(e->value), 7, &divisor);
    *out = '\0';
    if (kp_estimate_spread(e) <= WIDE_SPREAD || e->value <= 0)
        return out;
    if (e->high / divisor >= 999.5 || unit == 0) {
        char low[KP_FORMAT_BYTES], high[KP_FORMAT_BYTES];
        snprintf(out, KP_FORMAT_BYTES, "(%.24s to %.24s)", kp_format_size(low, e->low),
                 kp_format_size(high, e->high));
        return out;
    }
    int used = sprintf(out, "(") + three_digits(out + 1, e->low / divisor);
    used += sprintf(out + used, " to ");
    used += three_digits(out + used, e->high / divisor);
    strcpy(out + used, ")");
    return out;
}

/* For a column of a table: "±31 %", or above that the upper bound: "<365 KB". */
char *kp_format_spread(char *out, const struct kp_estimate *e, char *(*format)(char *, double))
{
    double spread = kp_estimate_spread(e);
    *out = '\0';
    if (e->value <= 0 || spread <= WIDE_SPREAD)
        return out;
    if (spread <= 0.995) {
        snprintf(out, KP_FORMAT_BYTES, "±%.0f %%", spread * 100);
    } else {
        char high[KP_FORMAT_BYTES];
        snprintf(out, KP_FORMAT_BYTES, "<%.60s", format(high, e->high));
    }
    return out;
}

char *kp_format_whole(char *out, int64_t count)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)count), used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && isdigit((unsigned char)digits[i - 1]))
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

char *kp_format_count(char *out, double count)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P"};
    double divisor;
    if (round(count) < 100000)
        return kp_format_whole(out, (int64_t)round(count));
    int unit = unit_of(count, 6, &divisor);
    if (count / divisor >= 1e6)
        snprintf(out, KP_FORMAT_BYTES, "%.3g", count);
    else
        sprintf(out + three_digits(out, count / divisor), " %s", units[unit]);
    return out;
}

char *kp_format_plural(char *out, int64_t count, const char *noun, const char *behind)
{
    char number[KP_FORMAT_BYTES];
    size_t length = strlen(noun);
    const char *ending = count == 1 ? "" : length > 0 && noun[length - 1] == 's' ? "es" : "s";
    snprintf(out, 256, "%s %s%s%s%s", kp_format_whole(number, count), noun, ending,
             *behind ? " " : "", behind);
    return out;
}

char *kp_format_rate(char *out, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int unit = 0;
    for (; bytes >= 1024 && unit < 6; unit++)
        bytes /= 1024;
    snprintf(out, KP_FORMAT_BYTES, bytes >= 100 ? "%.0f %s" : "%.3g %s", bytes, units[unit]);
    return out;
}

/* "5 min 12 s": a whole number of the larger unit, and of the smaller when it is not 0. */
static char *two_units(char *out, double seconds, double large_s, const char *large, double small_s,
                       const char *small)
{
    double smalls = round(seconds / small_s), per = large_s / small_s;
    double whole = floor(smalls / per), rest = smalls - whole * per;
    int used = snprintf(out, KP_FORMAT_BYTES, "%.0f %s", whole, large);
    if (rest > 0 && used < KP_FORMAT_BYTES)
        snprintf(out + used, (size_t)(KP_FORMAT_BYTES - used), " %.0f %s", rest, small);
    return out;
}

char *kp_format_seconds(char *out, double seconds)
{
    if (seconds <= 0)
        strcpy(out, "0 s");
    else if (seconds < 0.0009995)
        snprintf(out, KP_FORMAT_BYTES, "%.3g us", seconds * 1e6);
    else if (seconds < 0.9995)
        snprintf(out, KP_FORMAT_BYTES, "%.3g ms", seconds * 1e3);
    else if (seconds < 59.95)
        snprintf(out, KP_FORMAT_BYTES, "%.3g s", seconds);
    else if (seconds < 3599.5)
        two_units(out, seconds, 60, "min", 1, "s");
    else if (seconds < 86370)
        two_units(out, seconds, 3600, "h", 60, "min");
    else
        two_units(out, seconds, 86400, "d", 3600, "h");
    return out;
}

char *kp_format_share(char *out, double share)
{
    if (share > 0 && share < 0.005)
        strcpy(out, "<1 %");
    else
        snprintf(out, KP_FORMAT_BYTES, "%.0f %%", fmin(share, 1e6) * 100);
    return out;
}

int64_t kp_parse_size(const char *text)
{
    static const char letters[] = "KMGTPE";
    char *end;
    if (!isdigit((unsigned char)*text) || strncasecmp(text, "0x", 2) == 0)
        return -1;
    double size = strtod(text, &end);
    while (*end == ' ')
        end++;
    const char *letter = *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;
    if (letter) {
        end++;
        double step = strcasecmp(end, "B") == 0 ? 1000 : 1024;
        size *= pow(step, (double)(letter - letters + 1));
        end += strncasecmp(end, "i", 1) == 0;
    }
    end += strncasecmp(end, "B", 1) == 0;
    return *end || !(size < 9e18) ? -1 : (int64_t)size;
}
