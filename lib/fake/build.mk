lib-fake-src := fake.c
lib-fake-test-src :=
