/* SPDX-License-Identifier: MIT */
/* The power button: who presses it has the node end in order.
 *
 * Capabilities, by their names in the composition: "acpi" (the page with the address of ACPI's root
 * pointer), "device" (to read the tables), "events" (ports of PM1a: events, then control), "smi"
 * (the port that hands the hardware over), "sci" (the interrupt), "shutdown" (init, with the right
 * to do that), "log".
 *
 * Arguments: the numbers of what it was given, as the composition has them: events=PORT, smi=PORT,
 * sci=LINE. On a machine whose tables name others there is no button, and the log says so.
 */
#include <abi/memory.h>
#include <abi/node.h>
#include <lib/libc/libc.h>
#include <lib/loop/loop.h>
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <proto/supervisor.h>
#include <services/power/fadt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ACPI 6.5, 4.8.3.1 and 4.8.3.2. */
#define PM1_BUTTON      (1u << 8) /* status and enable */
#define PM1_SCI_ENABLED (1u << 0) /* control */
#define SMI_TRIES       100000    /* reads of a port: a few hundred milliseconds at most */

#define EVENT_SCI 1u
#define STRAYS    64 /* the line is shared with what firmware may have left on */

/* A page of the tables, wherever it is mapped now. */
#define WINDOW_VA 0x300000000000ull

static struct loop loop;
static struct fadt fadt;
static cap_t events, sci, shutdown;
static unsigned strays; /* interrupts in a row that were not the button's */

/* ---- the tables ---- */

static bool read_page(cap_t device, uint64_t address, void *to, size_t size)
{
	const struct aspace_range window = { WINDOW_VA, address / MEMORY_PAGE, 1 };

	if (sys_aspace_map(libc_own->aspace, device, &window, MAP_READ) != ST_OK)
		return false;
	const volatile uint8_t *from =
		(const volatile uint8_t *)(WINDOW_VA + address % MEMORY_PAGE);
	uint8_t *bytes = to;
	for (size_t i = 0; i < size; i++)
		bytes[i] = from[i];
	(void)sys_aspace_unmap(libc_own->aspace, WINDOW_VA, 1);
	return true;
}

static bool read_tables(void *self, uint64_t address, void *to, size_t size)
{
	uint8_t *bytes = to;

	while (size > 0) {
		size_t n = MEMORY_PAGE - address % MEMORY_PAGE;

		n = n < size ? n : size;
		if (!read_page(*(cap_t *)self, address, bytes, n))
			return false;
		address += n;
		bytes += n;
		size -= n;
	}
	return true;
}

static bool find_button(void)
{
	cap_t device = program_cap("device");
	const struct acpi_memory memory = { read_tables, &device };
	const char *why = "the firmware has no tables";
	uint64_t rsdp = 0;

	if (sys_memory_read(program_cap("acpi"), 0, &rsdp, sizeof(rsdp)) != ST_OK || rsdp == 0 ||
	    fadt_find(&memory, rsdp, &fadt, &why) != ST_OK) {
		printf("no power button: %s\n", why);
		return false;
	}
	return true;
}

/* The number behind "name=" among the arguments; 0: it is not there. */
static unsigned long argument(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++) {
		size_t length = strlen(name);

		if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
			return strtoul(argv[i] + length + 1, NULL, 0);
	}
	return 0;
}

/* Whether what the tables name is what was given. */
static bool is_given(int argc, char **argv)
{
	unsigned long first = argument(argc, argv, "events");

	if (fadt.event[0] == first && fadt.control[0] == first + fadt.event_size &&
	    fadt.event[1] == 0 && fadt.sci == argument(argc, argv, "sci") &&
	    (fadt.smi_command == 0 || fadt.smi_command == argument(argc, argv, "smi")))
		return true;
	printf("no power button: it is at port %#x, interrupt %u, and that is not given\n",
	       fadt.event[0], fadt.sci);
	return false;
}

/* ---- the registers ---- */

static uint64_t event_read(uint64_t place)
{
	uint64_t value = 0;

	if (sys_ioport_read(events, place, 2, &value) != ST_OK)
		return 0;
	return value;
}

static bool event_write(uint64_t place, uint64_t value)
{
	return sys_ioport_write(events, place, 2, value) == ST_OK;
}

/* The events come only in ACPI mode (4.8.3.2.1). */
static bool enter_acpi_mode(void)
{
	if (event_read(fadt.event_size) & PM1_SCI_ENABLED)
		return true;
	if (fadt.smi_command == 0 ||
	    sys_ioport_write(program_cap("smi"), 0, 1, fadt.acpi_enable) != ST_OK)
		return false;
	for (unsigned n = 0; n < SMI_TRIES; n++) {
		if (event_read(fadt.event_size) & PM1_SCI_ENABLED)
			return true;
	}
	return false;
}

/* Takes back the event if there is one: writing the bit clears it. */
static bool button_was_pressed(void)
{
	return (event_read(0) & PM1_BUTTON) != 0 && event_write(0, PM1_BUTTON);
}

static void end_node(void)
{
	const struct supervisor_shutdown_req req = { .how = NODE_OFF };
	struct supervisor_shutdown_rep rep;

	printf("the power button was pressed\n");
	status_t st = supervisor_shutdown(shutdown, &req, &rep, NULL);
	if (st != ST_OK && st != ST_BAD_STATE)
		fprintf(stderr, "the node can't be ended (%d)\n", st);
}

static void on_sci(void *self, uint64_t bits)
{
	(void)self, (void)bits;
	if (button_was_pressed()) {
		strays = 0;
		end_node();
	} else if (++strays == STRAYS) {
		fprintf(stderr,
			"no power button any more: something else interrupts all the time\n");
		return; /* not acknowledged: it does not come again */
	}
	(void)sys_irq_ack(sci);
}

/* Only the button is enabled, and what it may have said before is over: a press before this
 * program was there is one of before the node's start, or its last incarnation's. */
static bool watch_button(cap_t notification)
{
	const struct loop_event e = { .bits = EVENT_SCI, .run = on_sci };

	if (!enter_acpi_mode() || !event_write(0, PM1_BUTTON) ||
	    !event_write(fadt.event_size / 2, PM1_BUTTON))
		return false;
	return loop_on_event(&loop, e) == ST_OK &&
	       sys_irq_bind(sci, notification, EVENT_SCI) == ST_OK;
}

int main(int argc, char **argv)
{
	const struct program_block *b = program_block();

	if (b == NULL)
		return 1;
	const struct loop_setup setup = { .quota = b->quota,
					  .events = b->events,
					  .alive = b->alive };
	events = program_cap("events");
	sci = program_cap("sci");
	shutdown = program_cap("shutdown");
	if (loop_init(&loop, &setup) != ST_OK)
		return 1;
	if (find_button() && is_given(argc, argv)) {
		if (!watch_button(b->events))
			return 1;
		printf("the power button is watched\n");
	}
	return loop_run(&loop) == ST_OK ? 0 : 1;
}
