/* SPDX-License-Identifier: MIT */
/* Which file a new session records into. */
#ifndef KP_DATABASE_NAME_H
#define KP_DATABASE_NAME_H

#include <stddef.h>

/* Creates the spool beside the database that is free to be written: the wanted one, or, where that
 * holds something that must stay, a numbered one (told on stderr). Returns the spool's descriptor
 * and the database's path, or -1 when nothing can be recorded (told as well). `why`: the wanted one
 * can't be used, for a reason of the caller's; NULL: none. */
long kp_database_reserve(char *database, size_t bytes, const char *why);

/* What went wrong, for -errno. */
const char *kp_error_text(long error);

#endif
