config-src := config.c document.c fw_cfg.c json.c main.c schema.c service.c text.c
config-test-src := test/config_test.c test/fw_cfg_test.c test/text_test.c
# With a client: on the fake kernel.
config-served-src := document.c schema.c service.c text.c test/service_test.c
