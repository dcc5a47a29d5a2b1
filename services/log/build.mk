log-src := journal.c main.c serial.c store.c text.c
log-test-src := journal.c serial.c store.c text.c test/journal_test.c test/store_test.c test/text_test.c
