/* SPDX-License-Identifier: MIT */
/* What the node was told at boot, see proto/config.h and docs/book/configuration.md.
 *
 * Capabilities, by their names in the composition: "cmdline" (the page with the boot options),
 * "fw_cfg" (the two ports of QEMU's device), "log" (with the right to set what it shows). One that
 * is not there tells nothing. All is read once, before the first client; a new incarnation reads it
 * again and finds the same.
 */
#include <abi/startup.h>
#include <lib/libc/libc.h>
#include <lib/loop/loop.h>
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <proto/log.h>
#include <services/config/config.h>
#include <services/config/fw_cfg.h>
#include <services/config/service.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "opt/org.themelios/config"

/* Ports of the device, within the range. */
#define PORT_SELECT 0
#define PORT_DATA   1

static struct loop loop;
static struct document document;

/* What is wrong is told as an error, line by line. */
static void say(void *self, const char *line)
{
	(void)self;
	fprintf(stderr, "%s\n", line);
}

static status_t device_select(void *self, uint16_t item)
{
	return sys_ioport_write(*(cap_t *)self, PORT_SELECT, 2, item);
}

static status_t device_read(void *self, uint8_t *byte)
{
	uint64_t value;
	status_t st = sys_ioport_read(*(cap_t *)self, PORT_DATA, 1, &value);

	*byte = (uint8_t)value;
	return st;
}

/* The JSON text, which the caller frees; NULL: there is none. */
static char *read_json(size_t *size)
{
	cap_t ports = program_cap("fw_cfg");
	const struct fw_cfg device = { device_select, device_read, &ports };
	char *text;
	status_t st = ST_UNSUPPORTED;

	*size = 0;
	if (ports != CAP_NONE)
		st = fw_cfg_read(&device, FILE_NAME, JSON_SIZE, &text, size);
	if (st == ST_OK)
		return text;
	if (st != ST_UNSUPPORTED && st != ST_WOULD_BLOCK)
		fprintf(stderr, "fw_cfg: " FILE_NAME " is left out: %s\n",
			st == ST_TOO_BIG ? "it is too long" : "it can't be read");
	return NULL;
}

static void read_all(void)
{
	static char options[STARTUP_CMDLINE];
	const struct report report = { say, NULL };
	size_t size;
	char *json = read_json(&size);

	if (sys_memory_read(program_cap("cmdline"), 0, options, sizeof(options)) != ST_OK)
		options[0] = '\0';
	options[sizeof(options) - 1] = '\0';
	document_init(&document);
	config_merge(&document, json, size, options, &report);
	if (json != NULL)
		explicit_bzero(json, size);
	free(json);
	printf("hostname %s, %u registries, %u containers\n",
	       document_find(&document, "hostname", 0)->text,
	       document_count(&document, "registries"), document_count(&document, "containers"));
}

/* What the log shows on the serial port is a part of the configuration. */
static void set_log_level(void)
{
	static const char *const names[] = { [LOG_ERROR] = "error",
					     [LOG_WARNING] = "warning",
					     [LOG_INFO] = "info",
					     [LOG_DEBUG] = "debug" };
	const struct document_value *v = document_find(&document, "log.level", 0);
	struct log_show_req req = { .level = LOG_INFO };
	struct log_show_rep rep;

	for (unsigned i = LOG_ERROR; v != NULL && i <= LOG_DEBUG; i++) {
		if (strcmp(v->text, names[i]) == 0)
			req.level = i;
	}
	if (log_show(program_cap("log"), &req, &rep, NULL) != ST_OK)
		fprintf(stderr, "log.level could not be set\n");
}

int main(void)
{
	const struct program_block *b = program_block();

	if (b == NULL)
		return 1;
	read_all();
	set_log_level();
	const struct loop_setup setup = {
		.quota = b->quota, .service = b->service, .events = b->events, .alive = b->alive
	};
	if (loop_init(&loop, &setup) != ST_OK ||
	    loop_serve(&loop, LOOP_SERVICE(0, config, &service_ops, &document)) != ST_OK)
		return 1;
	return loop_run(&loop) == ST_OK ? 0 : 1;
}
