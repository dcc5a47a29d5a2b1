# SPDX-License-Identifier: MIT
# make fuzz: each program of tests/fuzz/ with the core as the host knows it, driven
# by libFuzzer for FUZZ_SECONDS. What it has learnt stays in build/fuzz/.

FUZZ_SECONDS := 60
SANITIZE-fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

fuzz-programs := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*.c))
fuzz-core := $(filter-out test/% boot/% lib/net/% %_test.c,$(host-src))

$(eval $(call compile-rules,build/fuzz/obj,clang $(HOST_CFLAGS) $(SANITIZE-fuzz)))

# Those of native programs stand on the fake kernel in place of the core.
fuzz-user-programs := build/fuzz/dispatch
fuzz-user := $(filter-out %_test.c,$(host-user-src))
$(fuzz-user-programs): build/fuzz/%: build/fuzz/obj/tests/fuzz/%.c.o $(fuzz-user:%=build/fuzz/obj/%.o)
	$(call say,LD $@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^

build/fuzz/net: $(addprefix build/fuzz/obj/,$(patsubst %,%.o,tests/fuzz/net.c $(net-src)))
	$(call say,LD $@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^

$(filter-out $(fuzz-user-programs) build/fuzz/net,$(fuzz-programs)): build/fuzz/%: build/fuzz/obj/tests/fuzz/%.c.o $(fuzz-core:%=build/fuzz/obj/%.o)
	$(call say,LD $@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^

# A real archive to begin with, or what a program writes; the rest it finds.
fuzz: $(fuzz-programs) $(B)/boot.cpio $(B)/archive/services-bare
	@mkdir -p build/fuzz/program.corpus && cp $(B)/archive/services-bare build/fuzz/program.corpus/
	@python3 tests/fuzz/config_seeds.py build/fuzz/config.corpus
	@python3 tests/fuzz/pci_seeds.py build/fuzz/pci.corpus
	@python3 tests/fuzz/net_seeds.py build/fuzz/net.corpus
	@for f in $(fuzz-programs); do \
		mkdir -p $$f.corpus && $$f -max_total_time=$(FUZZ_SECONDS) -len_control=0 \
			-seed_inputs=$(B)/boot.cpio -artifact_prefix=build/fuzz/ \
			-verbosity=0 -print_final_stats=1 $$f.corpus || exit 1; done

-include $(fuzz-core:%=build/fuzz/obj/%.d) $(fuzz-user:%=build/fuzz/obj/%.d) \
	$(net-src:%=build/fuzz/obj/%.d)

.PHONY: fuzz
