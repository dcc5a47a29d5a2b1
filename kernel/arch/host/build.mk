arch-src := cpu.c console.c device.c machine.c mmu.c power.c random.c time.c trap.c user.c user_mmu.c
arch-test-src :=

# What is a function of numbers alone on a machine is tested here as well.
arch-src += ../x86_64/feature.c
arch-test-src += ../x86_64/test/feature_test.c
