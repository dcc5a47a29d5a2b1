log-test-checker := checker.c cases.c
