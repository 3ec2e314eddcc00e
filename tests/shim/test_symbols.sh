#!/bin/bash
# SPDX-License-Identifier: MIT
# What libkprof.so exports (every name stands in front of somebody else's) and imports (a guest calls
# nothing that prints, allocates, ends the program, makes threads or changes signals).
. "$(dirname "$0")/../lib.sh"

need "symbols" nm readelf c++filt || exit 0
allowed='malloc|free|calloc|realloc|reallocarray|posix_memalign|aligned_alloc|memalign|valloc|pvalloc'
allowed+='|malloc_usable_size|free_sized|free_aligned_sized|cfree|mmap|mmap64|munmap|mremap'
allowed+='|fork|_?vfork|clone|_exit|_Exit|quick_exit|execve|dlopen|dlclose|dlsym|pthread_create|kprof_iteration|kprof_job_begin|kprof_job_end|kprof_rate'
allowed+='|operator (new|delete)(\[\])?\(.*\)'
forbidden='v?[fsdn]*w?printf(_chk)?|v?[sfn]*w?scanf|puts|fputs|fwrite|fopen(64)?|fclose|perror|strerror|getline|opendir'
forbidden+='|abort|exit|_exit|_Exit|__assert_fail|__stack_chk_fail|err|errx|warn|warnx|syslog'
forbidden+='|pthread_create|thrd_create|pthread_mutex_lock|pthread_key_create|__tls_get_addr'
forbidden+='|signal|sigaction|sigaltstack|sigprocmask|pthread_sigmask|raise|kill|setitimer|timer_create|alarm'
forbidden+='|malloc|free|calloc|realloc|strdup|strndup|asprintf|sbrk|brk|_Zn[wa]m|_Zd[la]Pv'
forbidden+='|setenv|putenv|unsetenv|setlocale|getpwnam|system|popen|waitpid|wait|wait4|chdir|umask|sleep|usleep|nanosleep'
forbidden+='|__libc_malloc|__libc_free|_Unwind_.*|unw_.*|__cxa_.*throw.*'

nm -D --defined-only "$SHIM" | awk '{ print $3 }' | sed 's/@.*//' | c++filt > exported.txt
assert_range "there are exports to look at" 20 100 "$(lines_of exported.txt)"
assert_eq "nothing is exported that is not on the list" "" "$(grep -vxE "$allowed" exported.txt)"
for name in malloc free calloc realloc reallocarray posix_memalign aligned_alloc memalign valloc pvalloc \
    malloc_usable_size mmap mmap64 munmap mremap kprof_iteration kprof_job_begin kprof_job_end kprof_rate; do
    grep -qx $name exported.txt || missing="${missing:-}$name "
done
assert_eq "every function that the README promises to record is exported" "" "${missing:-}"
nm -D --undefined-only "$SHIM" | awk '{ print $2 }' | sed 's/@.*//' > imported.txt
assert_range "there are imports to look at" 5 100 "$(lines_of imported.txt)"
assert_eq "nothing forbidden is imported" "" "$(grep -xE "$forbidden" imported.txt)"
assert_eq "it needs the C library only: no libunwind, no libgcc, no threads library" "" \
    "$(readelf -dW "$SHIM" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc\.so\.6|libm\.so\.6|ld-linux-x86-64\.so\.2)$')"
assert_eq "no text relocations, no executable stack" "" \
    "$(readelf -dW "$SHIM" | grep TEXTREL; readelf -lW "$SHIM" | grep 'GNU_STACK.*RWE')"
assert_eq "TLS without calls: initial-exec" 0 "$(readelf -rW "$SHIM" | grep -c 'DTPMOD\|TLSDESC')"
