# SPDX-License-Identifier: MIT
# The fuzzers of the two decoders: everything that reads a spool or a database, compiled again with
# sanitizers. fuzz_main.c drives them without any tool, `make fuzz` uses clang's libFuzzer where
# there is one.
CLANG        ?= clang
FUZZ_SECONDS ?= 600
FUZZ_NAMES   := spool database
FUZZ_SHARED  := $(addprefix tests/fuzz/fuzz_,case.c child.c clock.c mutate.c reports.c seeds.c sql.c)
FUZZ_SRC     := $(ANALYZER_SRC) $(REPORTS_SRC) reports/report_main.c tests/unit/spool_fake.c $(FUZZ_SHARED)
FUZZ_CHECKS  := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_FLAGS   := $(BASE) -O1 -fno-omit-frame-pointer -DKP_LIBDIR='"$(LIBDIR)"' $(INC_reports) -iquote tests/unit \
	-iquote tests/fuzz -iquote $B
FUZZ_WRAP    := -Wl,--wrap=nanosleep -Wl,--wrap=usleep -Wl,--wrap=clock_gettime
FUZZERS      := $(FUZZ_NAMES:%=$B/fuzz/fuzz_%)
LIBFUZZERS   := $(FUZZ_NAMES:%=$B/libfuzzer/fuzz_%)
HAS_CLANG    := $(shell command -v $(CLANG) 2>/dev/null)

$B/fuzz/reports/report_main.o $B/libfuzzer/reports/report_main.o: FUZZ_FLAGS += -Dmain=kp_report_main -Wno-missing-prototypes
$B/fuzz/%.o: %.c $B/flags $B/schema_sql.h
	@mkdir -p $(@D)
	$(CC) $(FUZZ_FLAGS) $(FUZZ_CHECKS) -MMD -MP -c $< -o $@
$(FUZZERS): $B/fuzz/fuzz_%: $B/fuzz/tests/fuzz/fuzz_%.o $B/fuzz/tests/fuzz/fuzz_main.o $(FUZZ_SRC:%.c=$B/fuzz/%.o)
	$(CC) $(FUZZ_CHECKS) $(FUZZ_WRAP) -pthread -o $@ $^ $(ANALYZER_LIBS)

$B/libfuzzer/%.o: %.c $B/flags $B/schema_sql.h
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) $(FUZZ_CHECKS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
$(LIBFUZZERS): $B/libfuzzer/fuzz_%: $B/libfuzzer/tests/fuzz/fuzz_%.o $B/libfuzzer/tests/fuzz/fuzz_libfuzzer.o \
	$(FUZZ_SRC:%.c=$B/libfuzzer/%.o)
	$(CLANG) $(FUZZ_CHECKS) -fsanitize=fuzzer $(FUZZ_WRAP) -pthread -o $@ $^ $(ANALYZER_LIBS)

test-programs: $(FUZZERS)

fuzz: deps ## look for inputs that harm the readers (FUZZ_SECONDS=600)
	@$(MAKE) --no-print-directory all $(if $(HAS_CLANG),$(LIBFUZZERS),$(FUZZERS))
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/fuzz.sh $(CURDIR)/$B
