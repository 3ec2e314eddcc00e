/* SPDX-License-Identifier: MIT */
/*
 * Text: lines wrapped at words, tables whose columns are as wide as what they hold. Figures are set
 * to the right, and how sure they are stands behind them; the last column takes what is left of the
 * width, first by its shorter form, then cut with three dots. One thread.
 */
#include "emitter_backend.h"
#include "format.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define STUB_COLUMNS 16 /* a cut call shorter than this is left out */

/* Bytes of the next piece of text, at most `columns` wide, cut after a word where there is one. */
static size_t piece_length(const char *text, size_t columns)
{
    size_t used = 0, length = 0, word_end = 0;
    while (text[length] && used < columns) {
        length += kp_utf8_length(text + length) ? kp_utf8_length(text + length) : 1;
        used++;
        if (text[length] == ' ' || text[length] == '\0')
            word_end = length;
    }
    return !text[length] || word_end == 0 ? length : word_end;
}

void kp_text_line(struct kp_emitter *e, size_t indent, const char *raw)
{
    bool empty = *raw == '\0', skip = empty && e->last_was_empty;
    e->last_was_empty = empty;
    if (skip)
        return;
    char *text = kp_utf8_printable(raw, 0);
    size_t room = e->width;
    for (const char *p = text; p;) {
        size_t length = e->width ? piece_length(p, room) : strlen(p);
        size_t shown = length;
        while (shown > 0 && p[shown - 1] == ' ')
            shown--;
        fprintf(e->out, "%*s%.*s\n", (int)(p == text ? 0 : indent), "", (int)shown, p);
        e->lines++;
        p += length + strspn(p + length, " ");
        room = e->width > indent + 20 ? e->width - indent : 20;
        if (!*p)
            break;
    }
    free(text);
}

/* The figure as text; NULL without memory. */
static char *cell_text(enum kp_type type, const struct kp_value *value)
{
    char figure[KP_FORMAT_BYTES];
    if (value->unknown)
        return strdup("-");
    switch (type) {
    case KP_TYPE_TEXT:
    case KP_TYPE_LIST: return kp_utf8_printable(value->text, 0);
    case KP_TYPE_BOOL: return strdup(value->whole ? "yes" : "no");
    case KP_TYPE_NUMBER:
        snprintf(figure, sizeof figure, "%lld", (long long)value->whole);
        return strdup(figure);
    case KP_TYPE_WHOLE: return strdup(kp_format_whole(figure, value->whole));
    case KP_TYPE_COUNT: return strdup(kp_format_count(figure, value->amount));
    case KP_TYPE_BYTES: return strdup(kp_format_size(figure, value->amount));
    case KP_TYPE_SECONDS: return strdup(kp_format_seconds(figure, value->amount));
    case KP_TYPE_RATE: return strdup(kp_format_rate(figure, value->amount));
    case KP_TYPE_SHARE: return strdup(kp_format_share(figure, value->amount));
    case KP_TYPE_BYTES_BARE:
    case KP_TYPE_BYTES_ESTIMATE: return strdup(kp_format_size(figure, value->estimate.value));
    case KP_TYPE_COUNT_BARE:
    case KP_TYPE_COUNT_ESTIMATE: return strdup(kp_format_count(figure, value->estimate.value));
    case KP_TYPE_SECONDS_ESTIMATE:
        return strdup(kp_format_seconds(figure, value->estimate.value));
    case KP_TYPE_STACK: break;
    }
    return strdup("");
}

static char *cell_spread(enum kp_type type, const struct kp_value *value)
{
    char spread[KP_FORMAT_BYTES] = "";
    if (type == KP_TYPE_BYTES_ESTIMATE && !value->unknown)
        kp_format_spread(spread, &value->estimate, kp_format_size);
    else if (type == KP_TYPE_COUNT_ESTIMATE && !value->unknown)
        kp_format_spread(spread, &value->estimate, kp_format_count);
    else if (type == KP_TYPE_SECONDS_ESTIMATE && !value->unknown)
        kp_format_spread(spread, &value->estimate, kp_format_seconds);
    return strdup(spread);
}

void kp_text_row(struct kp_emitter *e, const struct kp_value *values)
{
    struct kp_text_row *rows = realloc(e->rows, (e->row_count + 1) * sizeof *rows);
    if (!rows)
        return;
    e->rows = rows;
    struct kp_text_row row = {calloc(2 * e->column_count, sizeof(char *)),
                              calloc(e->column_count, sizeof(char *)), NULL};
    for (size_t i = 0; row.cells && row.shorter && i < e->column_count; i++) {
        if (!e->columns[i].title)
            continue;
        row.cells[2 * i] = cell_text(e->columns[i].type, &values[i]);
        row.cells[2 * i + 1] = cell_spread(e->columns[i].type, &values[i]);
        row.shorter[i] = values[i].shorter ? kp_utf8_printable(values[i].shorter, 0) : NULL;
    }
    rows[e->row_count++] = row;
}

void kp_text_under(struct kp_emitter *e, const char *line)
{
    struct kp_text_row *row = e->row_count > 0 ? &e->rows[e->row_count - 1] : NULL;
    char *longer = NULL;
    if (!row)
        return;
    if (asprintf(&longer, "%s%s\n", row->under ? row->under : "", line) < 0)
        return;
    free(row->under);
    row->under = longer;
}

/* Each of them wrapped, and what follows its first line indented further. */
static void put_under(struct kp_emitter *e, char *lines)
{
    char *rest = lines;
    for (char *line = NULL; rest && (line = strsep(&rest, "\n")) && *line;) {
        char *indented = NULL;
        if (asprintf(&indented, "  %s", line) >= 0)
            kp_text_line(e, 4, indented);
        free(indented);
    }
}

static size_t cell_columns(const struct kp_text_row *row, size_t cell)
{
    return row->cells && row->cells[cell] ? kp_utf8_columns(row->cells[cell]) : 0;
}

static void put_padded(FILE *out, const char *text, size_t width, bool left)
{
    int padding = (int)width - (int)kp_utf8_columns(text);
    padding = padding > 0 ? padding : 0;
    if (left)
        fprintf(out, "%s%*s", text, padding, "");
    else
        fprintf(out, "%*s%s", padding, "", text);
}

/* The last step of a chain of calls. */
static char *last_arrow(char *text)
{
    char *found = NULL;
    for (char *at = strstr(text, " -> "); at; at = strstr(at + 1, " -> "))
        found = at;
    return found;
}

/* The last column: no padding behind it, and no more than the room that is left. */
static void put_last(FILE *out, const char *text, const char *shorter, size_t room)
{
    if (kp_utf8_columns(text) <= room) {
        fputs(text, out);
        return;
    }
    char *cut = kp_utf8_printable(shorter ? shorter : text, room);
    char *arrow = cut ? last_arrow(cut) : NULL;
    if (arrow && kp_utf8_columns(arrow) < STUB_COLUMNS && kp_utf8_columns(cut) == room)
        *arrow = '\0'; /* half a name is worse than none */
    fputs(cut ? cut : "", out);
    free(cut);
}

/* row NULL: the titles. widths holds two a column. */
static void put_cells(const struct kp_emitter *e, FILE *out, const struct kp_text_row *row,
                      const size_t *widths)
{
    size_t used = 0, last = 0;
    for (size_t i = 0; i < e->column_count; i++)
        last = e->columns[i].title ? i : last;
    for (size_t i = 0; i < e->column_count; i++) {
        bool left = e->columns[i].type == KP_TYPE_TEXT;
        if (!e->columns[i].title)
            continue;
        const char *text = row ? row->cells[2 * i] : e->columns[i].title;
        const char *spread = row ? row->cells[2 * i + 1] : "";
        fputs(used ? "  " : "", out);
        used += used ? 2 : 0;
        if (i == last && left) {
            put_last(out, text ? text : "", row ? row->shorter[i] : NULL,
                     e->width == 0     ? SIZE_MAX
                     : e->width > used ? e->width - used
                                       : 1);
            return;
        }
        put_padded(out, text ? text : "", widths[2 * i], left);
        used += widths[2 * i];
        if (widths[2 * i + 1] > 0) {
            putc(' ', out);
            put_padded(out, spread ? spread : "", widths[2 * i + 1], true);
            used += widths[2 * i + 1] + 1;
        }
    }
}

/* A row is cut where the width ends, even in a figure: a wrapped table cannot be read at all. */
static void put_row(struct kp_emitter *e, const struct kp_text_row *row, const size_t *widths)
{
    char *line = NULL;
    size_t line_bytes;
    FILE *buffer = open_memstream(&line, &line_bytes);
    if (!buffer)
        return;
    put_cells(e, buffer, row, widths);
    fclose(buffer);
    char *cut = line ? kp_utf8_printable(line, e->width) : NULL;
    for (size_t end = cut ? strlen(cut) : 0; end > 0 && cut[end - 1] == ' '; end--)
        cut[end - 1] = '\0';
    fprintf(e->out, "%s\n", cut ? cut : "");
    free(cut);
    free(line);
    e->lines++;
    e->last_was_empty = false;
}

static void release_rows(struct kp_emitter *e)
{
    for (size_t r = 0; r < e->row_count; r++) {
        for (size_t i = 0; e->rows[r].cells && i < 2 * e->column_count; i++)
            free(e->rows[r].cells[i]);
        for (size_t i = 0; e->rows[r].shorter && i < e->column_count; i++)
            free(e->rows[r].shorter[i]);
        free(e->rows[r].cells);
        free(e->rows[r].shorter);
        free(e->rows[r].under);
    }
    free(e->rows);
    e->rows = NULL;
    e->row_count = 0;
}

void kp_text_table_end(struct kp_emitter *e)
{
    size_t *widths = calloc(2 * e->column_count + 1, sizeof *widths);
    for (size_t i = 0; widths && i < e->column_count; i++) {
        widths[2 * i] = e->columns[i].title ? kp_utf8_columns(e->columns[i].title) : 0;
        for (size_t cell = 2 * i; cell < 2 * i + 2; cell++)
            for (size_t r = 0; r < e->row_count; r++)
                if (cell_columns(&e->rows[r], cell) > widths[cell])
                    widths[cell] = cell_columns(&e->rows[r], cell);
    }
    bool any_title = false;
    for (size_t i = 0; i < e->column_count; i++)
        any_title |= e->columns[i].title != NULL;
    if (widths && any_title && e->row_count > 0) {
        put_row(e, NULL, widths);
        for (size_t r = 0; r < e->row_count; r++)
            if (e->rows[r].cells && e->rows[r].shorter) {
                put_row(e, &e->rows[r], widths);
                put_under(e, e->rows[r].under);
            }
    }
    free(widths);
    release_rows(e);
}
