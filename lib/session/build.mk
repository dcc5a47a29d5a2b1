lib-session-src := client.c session.c
lib-session-test-src := test/session_test.c
