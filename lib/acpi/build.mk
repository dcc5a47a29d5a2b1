lib-acpi-src := acpi_table.c mcfg.c
lib-acpi-test-src := test/acpi_table_test.c test/mcfg_test.c
