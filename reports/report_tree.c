/* SPDX-License-Identifier: MIT */
/*
 * kprof-report DB tree: who called whom to allocate. The heaviest nodes are chosen, and since no
 * child outweighs its parent, the chosen ones form a tree. In text, a node that has all the weight
 * of its parent stands on its parent's line, so that the long way from main to the first fork takes
 * one line. One thread.
 */
#include "format.h"
#include "report.h"
#include "source_line.h"
#include "where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FITS 17
#define SAME_WEIGHT 0.99 /* of the parent: not a fork worth a line */
#define INDENT_MAX 40
#define FIGURE_COLUMNS 38 /* left of the calls, about */

struct tree_view {
    const struct kp_tree *tree;
    enum kp_sort sort;
    size_t *order;                      /* all nodes but the root, heaviest first */
    size_t *first_child, *next_sibling; /* of the chosen ones, heaviest first; 0 none */
    size_t chosen, lines;
    bool bottom_up, text;
    struct kp_sources sources;
};

static const struct kp_column columns[] = {
    {"id", NULL, KP_TYPE_WHOLE},
    {"parent", NULL, KP_TYPE_WHOLE},
    {"depth", NULL, KP_TYPE_WHOLE},
    {"live", "live", KP_TYPE_BYTES_ESTIMATE},
    {"allocated", "allocated", KP_TYPE_BYTES_ESTIMATE},
    {"count", NULL, KP_TYPE_COUNT_ESTIMATE},
    {"share", "share", KP_TYPE_SHARE},
    {"lang", NULL, KP_TYPE_TEXT},
    {"function", NULL, KP_TYPE_TEXT},
    {"file", NULL, KP_TYPE_TEXT},
    {"line", NULL, KP_TYPE_WHOLE},
    {"module", NULL, KP_TYPE_TEXT},
    {NULL, "calls", KP_TYPE_TEXT},
};
#define COLUMNS (sizeof columns / sizeof *columns)

static double weight_of(const struct tree_view *v, size_t node)
{
    return kp_tree_weight(&v->tree->nodes[node], v->sort);
}

static int compare_nodes(const void *left, const void *right, void *view)
{
    const struct tree_view *v = view;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    double x = weight_of(v, a), y = weight_of(v, b);
    if (x == y && v->tree->nodes[a].allocated.value != v->tree->nodes[b].allocated.value) {
        x = v->tree->nodes[a].allocated.value;
        y = v->tree->nodes[b].allocated.value;
    }
    if (x != y)
        return x > y ? -1 : 1;
    return (a > b) - (a < b); /* a parent comes before its children */
}

/* The node continues its parent's line: it has all the weight, and the parent is no root. */
static bool continues(const struct tree_view *v, size_t node)
{
    size_t parent = v->tree->nodes[node].parent;
    return parent != 0 && weight_of(v, parent) > 0 &&
           weight_of(v, node) >= SAME_WEIGHT * weight_of(v, parent);
}

/* Moves the nodes to show to the front of order[]. */
static void choose(struct tree_view *v, const struct kp_report_options *o, size_t lines_max)
{
    for (size_t i = 1; i < v->tree->count; i++) {
        size_t node = v->order[i - 1];
        bool weighs = v->sort == KP_SORT_COUNT || weight_of(v, node) >= (double)o->min_bytes;
        if (v->text && weight_of(v, node) <= 0 && weight_of(v, 0) > 0)
            break; /* a reader has no use for branches that hold nothing */
        if (!weighs || (o->depth > 0 && v->tree->nodes[node].depth > o->depth))
            continue;
        if (!continues(v, node) && v->lines++ == lines_max) {
            v->lines--;
            break;
        }
        v->order[v->chosen++] = node;
    }
    for (size_t i = v->chosen; i > 0; i--) { /* lightest first, each to the head of its list */
        size_t node = v->order[i - 1], parent = v->tree->nodes[node].parent;
        v->next_sibling[node] = v->first_child[parent];
        v->first_child[parent] = node;
    }
}

static void emit_node(struct kp_report_context *context, const struct tree_view *v, size_t node,
                      const char *calls)
{
    const struct kp_tree_node *n = &v->tree->nodes[node];
    double whole = weight_of(v, 0);
    struct kp_value row[COLUMNS] = {
        kp_whole((int64_t)node),
        n->parent ? kp_whole((int64_t)n->parent) : kp_unknown(),
        kp_whole(n->depth),
        kp_sum_value(&n->live),
        kp_sum_value(&n->allocated),
        kp_sum_value(&n->allocated_count),
        whole > 0 ? kp_amount(weight_of(v, node) / whole) : kp_unknown(),
        kp_text(n->frame.python ? "python" : "native"),
        kp_text(n->frame.function),
        kp_text(n->frame.file),
        n->frame.python ? kp_whole(n->frame.line) : kp_unknown(),
        kp_text(n->frame.module),
        kp_text(calls),
    };
    kp_emit_row(context->out, row);
}

/* Of Python a line, of native code a function; that is what a node is. */
static void name_node(const struct kp_frame *frame, char *name, size_t name_bytes)
{
    if (frame->python)
        kp_where_frame(frame, name, name_bytes);
    else if (*frame->function)
        kp_where_function(frame, name, name_bytes);
    else
        snprintf(name, name_bytes, "(no stack)");
}

static void append_name(char *line, size_t line_bytes, const struct kp_frame *frame,
                        const char *before)
{
    char name[400] = "";
    size_t used = strlen(line);
    if (frame)
        name_node(frame, name, sizeof name);
    snprintf(line + used, line_bytes - used, "%s%s", before, name);
}

/* The last node on the line that begins with this one. */
static size_t chain_end(const struct tree_view *v, size_t node)
{
    for (size_t child = v->first_child[node]; child && continues(v, child);
         child = v->first_child[node])
        node = child;
    return node;
}

static size_t name_columns(const struct tree_view *v, size_t node)
{
    char name[400];
    name_node(&v->tree->nodes[node].frame, name, sizeof name);
    return strlen(name) + strlen(" -> ");
}

/* How many of the nodes behind the first fit into `room` columns: from the end that matters, which
 * is the last call before a fork, or bottom-up the nearest callers. */
static size_t names_that_fit(const struct tree_view *v, size_t node, size_t last, size_t room)
{
    size_t count = 0, used = 0;
    size_t at = v->bottom_up ? v->first_child[node] : last;
    while (node != last) {
        used += name_columns(v, at);
        if (used > room && count > 0)
            break;
        count++;
        if (at == (v->bottom_up ? last : v->first_child[node]))
            break;
        at = v->bottom_up ? v->first_child[at] : v->tree->nodes[at].parent;
    }
    return count;
}

/* "main -> ... -> run -> parse": the node and what shares its line. */
static void describe_chain(const struct tree_view *v, size_t node, size_t last, int indent,
                           size_t width, char *line, size_t line_bytes)
{
    snprintf(line, line_bytes, "%*s", indent, "");
    append_name(line, line_bytes, &v->tree->nodes[node].frame, "");
    size_t used = strlen(line) + FIGURE_COLUMNS + strlen(" -> ...");
    size_t fits = names_that_fit(v, node, last,
                                 width == 0     ? SIZE_MAX
                                 : width > used ? width - used
                                                : 0);
    size_t behind = (size_t)(v->tree->nodes[last].depth - v->tree->nodes[node].depth), at = node;
    if (fits < behind && !v->bottom_up)
        append_name(line, line_bytes, NULL, " -> ...");
    for (size_t i = 0; i < behind; i++) {
        at = v->first_child[at];
        if (v->bottom_up ? i < fits : i >= behind - fits)
            append_name(line, line_bytes, &v->tree->nodes[at].frame, " -> ");
    }
    if (fits < behind && v->bottom_up)
        append_name(line, line_bytes, NULL, " -> ...");
}

/* What the line at the end of a row says, which bottom-up is its first; for what room is left. */
static void append_source(struct tree_view *v, size_t node, char *line, size_t line_bytes)
{
    char text[400];
    size_t used = strlen(line);
    const struct kp_frame *frame = &v->tree->nodes[node].frame;
    if (frame->python && kp_source_line(&v->sources, frame, text, sizeof text))
        snprintf(line + used, line_bytes - used, "   | %s", text);
}

static size_t next_node(const struct tree_view *v, size_t node)
{
    if (v->first_child[node])
        return v->first_child[node];
    while (node && !v->next_sibling[node])
        node = v->tree->nodes[node].parent;
    return v->next_sibling[node];
}

/* Preorder over the chosen nodes, without recursion: a damaged database may be deep. */
static void emit_nodes(struct kp_report_context *context, struct tree_view *v)
{
    int *indents = calloc(v->tree->count, sizeof *indents);
    for (size_t node = v->first_child[0]; node && indents;) {
        char line[1024] = "";
        size_t parent = v->tree->nodes[node].parent, last = v->text ? chain_end(v, node) : node;
        int indent = parent ? indents[parent] + 2 : 0;
        if (v->text)
            describe_chain(v, node, last, indent < INDENT_MAX ? indent : INDENT_MAX,
                           kp_emitter_width(context->out), line, sizeof line);
        if (v->text)
            append_source(v, v->bottom_up ? node : last, line, sizeof line);
        emit_node(context, v, node, line);
        for (size_t at = last; at != parent; at = v->tree->nodes[at].parent)
            indents[at] = indent;
        node = next_node(v, last);
    }
    free(indents);
}

static void emit_headline(struct kp_report_context *context, const struct tree_view *v)
{
    static const char *const sums[] = {"live", "allocated", "allocated"};
    char figure[KP_FORMAT_BYTES];
    if (v->tree->count < 2)
        kp_emit_line(context->out, 0, "no sample was drawn: nothing is known about who allocated");
    else
        kp_emit_line(context->out, 2, "%s %s, %s",
                     v->sort == KP_SORT_COUNT ? kp_format_count(figure, weight_of(v, 0))
                                              : kp_format_size(figure, weight_of(v, 0)),
                     v->sort == KP_SORT_COUNT ? "blocks allocated" : sums[v->sort],
                     context->options->bottom_up
                         ? "by the allocating function; below it, who called it"
                         : "from the outermost call inwards");
    kp_emit_line(context->out, 0, "%s", "");
}

static int show(struct kp_report_context *context, struct tree_view *v, struct kp_error *error)
{
    size_t count = v->tree->count;
    v->order = calloc(count, sizeof *v->order);
    v->first_child = calloc(count, sizeof *v->first_child);
    v->next_sibling = calloc(count, sizeof *v->next_sibling);
    if (!v->order || !v->first_child || !v->next_sibling)
        return -kp_error_set(error, "out of memory");
    for (size_t i = 1; i < count; i++)
        v->order[i - 1] = i;
    qsort_r(v->order, count - 1, sizeof *v->order, compare_nodes, v);
    choose(v, context->options, kp_report_top(context, FITS));
    kp_report_losses(context, true);
    emit_headline(context, v);
    struct kp_column shown[COLUMNS];
    kp_report_columns(context, columns, COLUMNS, shown);
    kp_emit_table(context->out, "tree", shown, COLUMNS);
    emit_nodes(context, v);
    kp_emit_table_end(context->out);
    if (v->sources.newer)
        kp_emit_line(context->out, 0,
                     "the source may have changed: it is newer than the recording");
    if (context->options->bottom_up)
        kp_report_next(context, "tree --top-down", "the same from main inwards");
    else
        kp_report_next(context, "tree --bottom-up", "the same from the inside out");
    return 0;
}

int kp_report_tree(struct kp_report_context *context, struct kp_error *error)
{
    struct kp_sites sites;
    struct kp_tree tree = {0};
    struct tree_view view = {.tree = &tree,
                             .sort = context->sort,
                             .bottom_up = context->options->bottom_up,
                             .text = kp_emitter_is_text(context->out)};
    int result = kp_query_sites(context->query, &context->filter, KP_GROUP_STACK, context->sort,
                                &sites, error);
    if (result == 0)
        result = kp_query_tree(context->query, &sites, context->options->bottom_up,
                               context->options->all_frames, &tree, error);
    kp_sources_init(&view.sources, context, 0);
    if (result == 0)
        result = show(context, &view, error);
    kp_sources_release(&view.sources);
    free(view.order);
    free(view.first_child);
    free(view.next_sibling);
    kp_tree_release(&tree);
    kp_sites_release(&sites);
    return result;
}
