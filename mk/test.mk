# SPDX-License-Identifier: MIT
# make test: everything that shows that the kernel works, two suites at a time;
# tools/suites.py sums up. make soak runs the same for longer.

# Ask at least for these numbers of CPUs.
TEST_SMP := 1 2 4 8
USER_SMP := 1 2 4
LIBC_SMP := 1 4
SERVICES_SMP := 1 4
LOG_SMP := 1 2
SOAK_ROUNDS := 50
SOAK_DEATHS := 10
SOAK_SEEDS := 1 2 3

export PYTHONPATH := tools:tests
export BUILD := $(B)
export PYTHONDONTWRITEBYTECODE := 1

test-programs := build/host/asan/unit build/host/tsan/unit $(B)/debug/kernel-test.elf \
	$(B)/user/test.cpio $(B)/user/off.cpio $(B)/user/libc-test.cpio $(B)/user/services.cpio \
	$(B)/user/log-test.cpio $(B)/user/meter.cpio

# $(call guest-suite,<name>,<CPUs>,<boot options>)
guest-suite = '$(1)=tools/qemu_run.py --timeout $(TEST_TIMEOUT) --smp $(2) --append "$(3)" \
	--kernel $(B)/debug/kernel-test.elf --archive $(B)/boot.cpio'

# $(call user-suite,<name>,<CPUs>,<boot options>): the tests from user mode, on the kernel as it is
user-suite = '$(1)=tools/qemu_run.py --timeout $(TEST_TIMEOUT) --smp $(2) --append "$(3)" \
	--kernel $(B)/debug/kernel.elf --archive $(B)/user/test.cpio'

# $(call services-suite,<name>,<CPUs>,<boot options>): init with programs that die
services-suite = '$(1)=tools/qemu_run.py --timeout $(TEST_TIMEOUT) --smp $(2) --append "$(3)" \
	--kernel $(B)/debug/kernel.elf --archive $(B)/user/services.cpio'

# $(call log-suite,<name>,<CPUs>,<boot options>): the log, which is killed
log-suite = '$(1)=tools/qemu_run.py --timeout $(TEST_TIMEOUT) --smp $(2) --append "$(3)" \
	--kernel $(B)/debug/kernel.elf --archive $(B)/user/log-test.cpio'

# $(call libc-suite,<CPUs>): the C library's
libc-suite = 'libc-smp$(1)=tools/qemu_run.py --timeout $(TEST_TIMEOUT) --smp $(1) \
	--kernel $(B)/debug/kernel.elf --archive $(B)/user/libc-test.cpio'

e2e-suites = $(foreach t,$(wildcard tests/e2e/*.py),'$(basename $(notdir $(t)))=python3 $(t)')
tool-suites = $(foreach t,$(wildcard tests/tools/*.py),'$(basename $(notdir $(t)))=python3 $(t)')

test: TEST_TIMEOUT := 400
test: image $(test-programs)
	@python3 tools/suites.py --timeout 420 $(e2e-suites) \
		$(foreach n,$(TEST_SMP),$(call guest-suite,guest-smp$(n),$(n),)) \
		$(foreach n,$(USER_SMP),$(call user-suite,user-smp$(n),$(n),)) \
		$(foreach n,$(LIBC_SMP),$(call libc-suite,$(n))) \
		$(foreach n,$(SERVICES_SMP),$(call services-suite,services-smp$(n),$(n),)) \
		$(foreach n,$(LOG_SMP),$(call log-suite,log-smp$(n),$(n),)) \
		host-asan=build/host/asan/unit host-tsan=build/host/tsan/unit $(tool-suites)

soak: TEST_TIMEOUT := 3600
soak: image $(test-programs)
	@TEST_ROUNDS=$(SOAK_ROUNDS) python3 tools/suites.py --timeout 3600 $(e2e-suites) \
		$(foreach s,$(SOAK_SEEDS),$(foreach n,$(TEST_SMP),$(call \
			guest-suite,guest-smp$(n)-seed$(s),$(n),test.rounds=$(SOAK_ROUNDS) test.seed=$(s)))) \
		$(foreach s,$(SOAK_SEEDS),$(foreach n,$(USER_SMP),$(call \
			user-suite,user-smp$(n)-seed$(s),$(n),test.rounds=$(SOAK_ROUNDS) test.seed=$(s)))) \
		$(foreach n,$(LIBC_SMP),$(call libc-suite,$(n))) \
		$(foreach n,$(SERVICES_SMP),$(call \
			services-suite,services-smp$(n),$(n),test.rounds=$(SOAK_DEATHS))) \
		$(foreach n,$(LOG_SMP),$(call log-suite,log-smp$(n),$(n),test.rounds=$(SOAK_DEATHS))) \
		$(foreach s,$(SOAK_SEEDS),$(foreach h,asan tsan,\
			'host-$(h)-seed$(s)=env TEST_SEED=$(s) build/host/$(h)/unit'))

bench-programs := $(B)/release/kernel-bench.elf $(B)/user/bench.cpio $(B)/user/meter.cpio

bench: image $(bench-programs)
	@python3 tools/bench.py

# MUTANTS names some of tests/mutants/*.patch; without it all are tried.
mutants:
	@python3 tools/mutants.py $(MUTANTS)

.PHONY: test soak bench mutants

fresh:
	@tools/fresh.sh

.PHONY: fresh
