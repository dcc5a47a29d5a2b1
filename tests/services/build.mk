# The programs of the test composition; bare has no library.
services-test-programs := tester keeper client victim
services-test-tester := main.c services.c chaos.c watch.c common.c composition.c
services-test-keeper := keeper.c common.c
services-test-client := client.c common.c
services-test-victim := victim.c common.c
