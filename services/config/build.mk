config-src := config.c document.c fw_cfg.c json.c main.c schema.c service.c text.c
config-test-src := test/config_test.c test/fw_cfg_test.c test/text_test.c
