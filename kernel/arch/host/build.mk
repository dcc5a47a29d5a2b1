arch-src := cpu.c console.c power.c random.c
arch-test-src :=

# What is a function of numbers alone on a machine is tested here as well.
arch-src += ../x86_64/feature.c
arch-test-src += ../x86_64/test/feature_test.c
