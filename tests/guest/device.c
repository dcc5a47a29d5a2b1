/* SPDX-License-Identifier: MIT */
/* Calls for drivers: interrupts and I/O ports. The device is the first serial port, which the
 * console polls, and which can be made to interrupt whenever it has nothing to send. */
#include "job.h"
#include "refuse.h"
#include <abi/device.h>
#include <lib/sys/calls.h>

#define LINE  4
#define LINES 24 /* of the machine that the tests run on */

#define UART      0x3f8u
#define UART_IER  (UART + 1)
#define UART_IIR  (UART + 2)
#define UART_MCR  (UART + 4)
#define UART_SCR  (UART + 7) /* a byte that it only keeps */
#define IER_EMPTY 2u
#define MCR_OUT2  8u /* interrupts reach the line */

#define RANGE(first, count) ((uint64_t)(first) << 32 | (count))

static uint64_t in(uint64_t port)
{
	return SYS(ioport_read, start->ports, port, 1).out[0];
}

static void out(uint64_t port, uint64_t value)
{
	SYS(ioport_write, start->ports, port, 1, value);
}

/* Makes the line go up. It had gone down with what uart_quiet does. */
static void uart_interrupt(void)
{
	out(UART_MCR, in(UART_MCR) | MCR_OUT2);
	out(UART_IER, IER_EMPTY);
}

static void uart_quiet(void)
{
	out(UART_IER, 0);
	(void)in(UART_IIR);
}

static cap_t line_irq(uint64_t cpu)
{
	return make(SYS_irq_create, start->node, IRQ_LINE(LINE), cpu);
}

/* ---- interrupts ---- */

TEST(irq_create_refuses)
{
	static const uint64_t bad[] = {
		IRQ_LINE(LINES), IRQ_LINE(255), IRQ_LINE(UINT32_MAX),    IRQ_LINE(UINT32_MAX - 1),
		IRQ_MESSAGE | 1, 1ull << 35,    IRQ_MESSAGE | IRQ_LEVEL, IRQ_MESSAGE | IRQ_LOW,
		1ull << 63,      UINT64_MAX,
	};
	const uint64_t cpus[] = { start->cpus, 63, 64, 1ull << 32, UINT64_MAX };

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(REFUSES(ST_BAD_ARG, irq_create, quota, start->node, bad[i], 0));
	for (unsigned i = 0; i < ARRAY_LEN(cpus); i++) {
		CHECK(REFUSES(ST_BAD_ARG, irq_create, quota, start->node, IRQ_MESSAGE, cpus[i]));
		CHECK(REFUSES(ST_BAD_ARG, irq_create, quota, start->node, IRQ_LINE(5), cpus[i]));
	}
}

TEST(irq_line_belongs_to_one)
{
	cap_t irq = line_irq(0);

	CHECK(REFUSES(ST_EXISTS, irq_create, quota, start->node, IRQ_LINE(LINE), 0));
	CHECK(REFUSES(ST_EXISTS, irq_create, quota, start->node, IRQ_LINE(LINE) | IRQ_LEVEL, 0));
	CHECK(sys_object_destroy(irq) == ST_OK);
	line_irq(start->cpus - 1); /* free again */
}

TEST(irq_messages_have_places_of_their_own)
{
	struct irq_message a, b, c;
	cap_t irq, other, third;

	CHECK(sys_irq_create(quota, start->node, IRQ_MESSAGE, 0, &irq, &a) == ST_OK);
	CHECK(sys_irq_create(quota, start->node, IRQ_MESSAGE, 0, &other, &b) == ST_OK);
	CHECK(sys_irq_create(quota, start->node, IRQ_MESSAGE, start->cpus - 1, &third, &c) ==
	      ST_OK);
	CHECK(a.address != 0 && (a.address != b.address || a.data != b.data));
	CHECK(start->cpus == 1 || a.address != c.address);
}

/* As many as there are, then none; and all of them come back. */
TEST(irq_vectors_run_out)
{
	for (unsigned round = 0; round < 2; round++) {
		cap_t outer = quota, inner = new_quota(1 << 20);
		unsigned count = 0;
		struct sys_result r;

		while ((r = SYS(irq_create, inner, start->node, IRQ_MESSAGE, 0)).status == ST_OK)
			count++;
		CHECK(r.status == ST_UNSUPPORTED && count > 32 && outer == quota);
		CHECK(sys_object_destroy(inner) == ST_OK);
	}
}

TEST(irq_signals_until_it_is_acknowledged)
{
	cap_t n = new_notification();
	uint64_t bits = 0;

	for (uint64_t cpu = 0; cpu < start->cpus; cpu++) {
		cap_t irq = line_irq(cpu);
		CHECK(sys_irq_bind(irq, n, 1ull << cpu) == ST_OK);
		CHECK(REFUSES(ST_BAD_STATE, irq_ack, irq)); /* not yet */
		uart_interrupt();
		status_t st = sys_notification_wait(n, NEVER, &bits);
		uart_quiet();
		CHECK(st == ST_OK && bits == 1ull << cpu);
		/* Another one waits for the acknowledgement of the first. */
		uart_interrupt();
		uart_quiet();
		CHECK(sys_notification_wait(n, 0, &bits) == ST_WOULD_BLOCK);
		CHECK(sys_irq_ack(irq) == ST_OK);
		CHECK(sys_notification_wait(n, NEVER, &bits) == ST_OK && bits == 1ull << cpu);
		CHECK(sys_irq_ack(irq) == ST_OK);
		CHECK(REFUSES(ST_BAD_STATE, irq_ack, irq));
		CHECK(sys_object_destroy(irq) == ST_OK);
	}
}

/* A line that stays up interrupts once, until it is acknowledged: then at once again. */
TEST(irq_level_stays_masked)
{
	cap_t irq = make(SYS_irq_create, start->node, IRQ_LINE(LINE) | IRQ_LEVEL, 0);
	cap_t n = new_notification();
	uint64_t bits = 0;

	CHECK(sys_irq_bind(irq, n, 1) == ST_OK);
	uart_interrupt();
	status_t first = sys_notification_wait(n, NEVER, &bits);
	status_t between = sys_notification_wait(n, 0, &bits);
	status_t ack = sys_irq_ack(irq);
	status_t second = sys_notification_wait(n, NEVER, &bits);
	uart_quiet();
	CHECK(first == ST_OK && between == ST_WOULD_BLOCK && ack == ST_OK && second == ST_OK);
	CHECK(sys_irq_ack(irq) == ST_OK);
	CHECK(sys_notification_wait(n, 0, &bits) == ST_WOULD_BLOCK);
}

TEST(irq_bind_once)
{
	cap_t irq = line_irq(0), n = new_notification();

	CHECK(REFUSES(ST_BAD_ARG, irq_bind, irq, n, 0));
	CHECK(REFUSES(ST_BAD_ARG, irq_bind, irq, copy_of(n, 0xffff, 6), 1));
	CHECK(sys_irq_bind(irq, n, 2) == ST_OK);
	CHECK(REFUSES(ST_EXISTS, irq_bind, irq, n, 2));
	CHECK(REFUSES(ST_EXISTS, irq_bind, irq, new_notification(), 2));
}

/* A badge lets some of the bits through. */
TEST(irq_bind_by_a_badge)
{
	cap_t irq = line_irq(0), n = new_notification();
	uint64_t bits = 0;

	CHECK(sys_irq_bind(irq, copy_of(n, 0xffff, 6), 3) == ST_OK);
	uart_interrupt();
	status_t st = sys_notification_wait(n, NEVER, &bits);
	uart_quiet();
	CHECK(st == ST_OK && bits == 2);
}

/* Nobody is told of what comes while nobody is bound; then it is bound anew. */
TEST(irq_ends_with_its_notification)
{
	cap_t irq = line_irq(0), n = new_notification(), mine = copy_of(n, 0xffff, 0);
	uint64_t bits = 0;

	CHECK(sys_irq_bind(irq, copy_of(mine, 0xffff, 0), 1) == ST_OK);
	CHECK(sys_cap_revoke(start->cspace, mine) == ST_OK);
	uart_interrupt();
	uart_quiet();
	CHECK(REFUSES(ST_BAD_STATE, irq_ack, irq));
	CHECK(sys_notification_wait(n, 0, &bits) == ST_WOULD_BLOCK);
	CHECK(sys_irq_bind(irq, n, 4) == ST_OK);
	uart_interrupt();
	status_t st = sys_notification_wait(n, NEVER, &bits);
	uart_quiet();
	CHECK(st == ST_OK && bits == 4);
}

/* A driver that dies in the middle leaves a line that the next one can have. */
TEST(irq_of_a_driver_that_dies)
{
	cap_t outer = quota, inner = new_quota(1 << 20);

	quota = inner;
	cap_t irq = line_irq(0), n = new_notification();
	quota = outer;
	CHECK(sys_irq_bind(irq, n, 1) == ST_OK);
	uart_interrupt();
	CHECK(sys_object_destroy(inner) == ST_OK);
	uart_quiet();
	n = new_notification();
	irq = line_irq(0);
	CHECK(sys_irq_bind(irq, n, 8) == ST_OK);
	uint64_t bits = 0;
	uart_interrupt();
	status_t st = sys_notification_wait(n, NEVER, &bits);
	uart_quiet();
	CHECK(st == ST_OK && bits == 8);
}

/* ---- DMA ---- */

#define PAGE   ((uint64_t)MEMORY_PAGE)
#define DEVICE DMA_PCI(0, 0, 31, 2)
#define RW     (DMA_READ | DMA_WRITE)

static cap_t new_dma(void)
{
	return make(SYS_dma_create, start->node, DEVICE, 0);
}

static uint64_t dma_page(cap_t dma, cap_t memory, uint64_t page)
{
	const struct dma_range r = { page, 1 };
	uint64_t bus;

	return sys_dma_map(dma, memory, &r, RW, &bus) == ST_OK ? bus : UINT64_MAX;
}

TEST(dma_create_refuses)
{
	CHECK(REFUSES(ST_BAD_ARG, dma_create, quota, start->node, DMA_DEVICES));
	CHECK(REFUSES(ST_BAD_ARG, dma_create, quota, start->node, UINT64_MAX));
	cap_t dma = new_dma();
	CHECK(REFUSES(ST_EXISTS, dma_create, quota, start->node, DEVICE));
	CHECK(sys_object_destroy(dma) == ST_OK);
	CHECK(sys_dma_create(quota, start->node, DEVICE, &dma) == ST_OK);
}

/* The page stays where it is, with what it holds, as long as the device may use it. */
TEST(dma_map_pins)
{
	cap_t dma = new_dma(), memory = new_memory(4);
	uint64_t bus = dma_page(dma, memory, 1), taken = 1;

	CHECK(bus != UINT64_MAX && bus != 0 && bus % PAGE == 0);
	CHECK(REFUSES(ST_BAD_STATE, memory_decommit, memory, 1, 1));
	CHECK(REFUSES(ST_BAD_STATE, memory_seal, memory));
	CHECK(dma_page(dma, memory, 1) == bus); /* twice the same, and so it has to go */
	CHECK(sys_dma_unmap(dma, bus, 1, &taken) == ST_OK && taken == 0);
	CHECK(REFUSES(ST_BAD_STATE, memory_seal, memory));
	CHECK(sys_dma_unmap(dma, bus, 1, &taken) == ST_OK);
	CHECK(REFUSES(ST_BAD_ARG, dma_unmap, dma, bus, 1));
	CHECK(sys_memory_decommit(memory, 1, 1) == ST_OK && sys_memory_seal(memory) == ST_OK);
}

/* A snapshot of a page that a device may write at any time is a copy. */
TEST(dma_map_and_share)
{
	cap_t dma = new_dma(), memory = new_memory(1), to = new_memory(1);
	uint64_t bus = dma_page(dma, memory, 0);
	volatile uint64_t *a = map(memory, 1, MAP_READ | MAP_WRITE);
	volatile uint64_t *b = map(to, 1, MAP_READ);

	a[0] = 1;
	CHECK(sys_memory_share(to, memory, &(struct memory_pages){ 0, 0, 1 }, SHARE_COPY) == ST_OK);
	a[0] = 2;
	CHECK(b[0] == 1);
	/* The device sees what the program writes: the frame is the same as ever. */
	CHECK(dma_page(dma, memory, 0) == bus && dma_page(dma, to, 0) != bus);
}

TEST(dma_map_of_contiguous_memory)
{
	cap_t dma = new_dma(), memory = make(SYS_memory_create, 4, MEMORY_CONTIGUOUS, 0);
	uint64_t bus, taken;

	CHECK(sys_dma_map(dma, memory, &(struct dma_range){ 0, 4 }, RW, &bus) == ST_OK);
	for (uint64_t i = 0; i < 4; i++)
		CHECK(dma_page(dma, memory, i) == bus + i * PAGE);
	CHECK(REFUSES(ST_BAD_ARG, dma_unmap, dma, bus, 3));
	CHECK(REFUSES(ST_BAD_ARG, dma_unmap, dma, bus + PAGE, 2));
	CHECK(sys_dma_unmap(dma, bus, 4, &taken) == ST_OK);
	CHECK(sys_dma_unmap(dma, bus, 1, &taken) == ST_OK);
	cap_t low = make(SYS_memory_create, 2, MEMORY_CONTIGUOUS | MEMORY_BELOW_4G, 0);
	CHECK(sys_dma_map(dma, low, &(struct dma_range){ 0, 2 }, DMA_READ, &bus) == ST_OK);
	CHECK(bus + 2 * PAGE <= 1ull << 32);
}

TEST(dma_map_refuses)
{
	cap_t d = new_dma(), memory = new_memory(4), sealed = new_memory(1);
	cap_t block = make(SYS_memory_create, 4, MEMORY_CONTIGUOUS, 0);

	CHECK(sys_memory_seal(sealed) == ST_OK);
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, memory, 0, 1, 0));
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, memory, 0, 1, 4));
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, memory, 0, 1, UINT64_MAX));
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, memory, 0, 0, RW));
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, memory, 4, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, memory, UINT64_MAX, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, block, 0, 5, RW));
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, block, 1, UINT64_MAX, RW));
	CHECK(REFUSES(ST_BAD_ARG, dma_map, d, copy_of(block, 0xffff, 1ull << 32 | 2), 1, 2, RW));
	CHECK(REFUSES(ST_UNSUPPORTED, dma_map, d, memory, 0, 2, RW));
	CHECK(REFUSES(ST_BAD_STATE, dma_map, d, sealed, 0, 1, DMA_READ));
	CHECK(REFUSES(ST_BAD_STATE, dma_map, d, start->device, 0, 1, RW));
	CHECK(REFUSES(ST_NO_RIGHT, dma_map, d, copy_of(memory, (rights_t)~RIGHT_READ, 0), 0, 1,
		      RW));
	CHECK(REFUSES(ST_NO_RIGHT, dma_map, d, copy_of(memory, (rights_t)~RIGHT_MAP, 0), 0, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, dma_unmap, d, 0, 1));
	CHECK(REFUSES(ST_BAD_ARG, dma_unmap, d, UINT64_MAX, UINT64_MAX));
}

/* What a device may be using is nobody's to take back, but by its driver. */
TEST(dma_outlives_the_capability)
{
	cap_t dma = new_dma(), memory = new_memory(2), mine = copy_of(memory, 0xffff, 0);
	uint64_t bus = dma_page(dma, copy_of(mine, 0xffff, 0), 0), taken = 0;

	CHECK(sys_cap_revoke(start->cspace, mine) == ST_OK);
	CHECK(REFUSES(ST_BAD_STATE, memory_decommit, memory, 0, 1));
	CHECK(sys_dma_unmap(dma, bus, 1, &taken) == ST_OK && taken == 1);
	CHECK(sys_memory_decommit(memory, 0, 1) == ST_OK);
}

TEST(dma_outlives_the_memory)
{
	cap_t payer = new_quota(1 << 20), memory = new_memory(2);
	cap_t dma = SYS(dma_create, payer, start->node, DEVICE).out[0];
	uint64_t bus = dma_page(dma, memory, 0), taken = 0;

	uint64_t before = used_of(payer);
	CHECK(sys_object_destroy(memory) == ST_OK);
	CHECK(used_of(payer) == before); /* it had been paid for here as well */
	CHECK(sys_dma_unmap(dma, bus, 1, &taken) == ST_OK && taken == 1);
	CHECK(used_of(payer) <= before - PAGE);
}

/* The end of the object is the end of its mappings. */
TEST(dma_destroyed_lets_go)
{
	cap_t dma = new_dma(), memory = new_memory(64);

	for (uint64_t i = 0; i < 64; i++)
		CHECK(dma_page(dma, memory, i) != UINT64_MAX);
	CHECK(REFUSES(ST_BAD_STATE, memory_decommit, memory, 63, 1));
	CHECK(sys_object_destroy(dma) == ST_OK);
	CHECK(sys_memory_decommit(memory, 0, 64) == ST_OK && sys_memory_seal(memory) == ST_OK);
}

TEST(dma_map_is_paid_for_by_the_dma_object)
{
	cap_t payer = new_quota(24 * PAGE), memory = new_memory(64);
	cap_t dma = SYS(dma_create, payer, start->node, DEVICE).out[0];
	uint64_t count = 0;

	CHECK(sys_memory_commit(memory, 0, 64) == ST_OK);
	while (dma_page(dma, memory, count) != UINT64_MAX)
		count++;
	CHECK(count > 8 && count < 24 && used_of(payer) <= 24 * PAGE);
	CHECK(REFUSES(ST_NO_MEMORY, dma_map, dma, memory, count, 1, RW));
}

/* ---- ports ---- */

/* A capability to some ports, gone with the case. */
static cap_t ports;

static void slice(uint64_t first, uint64_t count)
{
	ports = copy_of(start->ports, 0xffff, RANGE(first, count));
}

static void drop_slice(void)
{
	SYS(cap_revoke, start->cspace, ports);
	SYS(cap_drop, start->cspace, ports);
}

TEST(ioport_reads_what_was_written)
{
	uint64_t value = 0, before;

	CHECK(sys_ioport_read(start->ports, UART_SCR, 1, &before) == ST_OK);
	for (uint64_t n = 0; n < 256; n += 17) {
		CHECK(sys_ioport_write(start->ports, UART_SCR, 1, n) == ST_OK);
		CHECK(sys_ioport_read(start->ports, UART_SCR, 1, &value) == ST_OK && value == n);
	}
	/* Of a value as many bytes count as are written. */
	CHECK(sys_ioport_write(start->ports, UART_SCR, 1, 0xffffffffffffff5a) == ST_OK);
	CHECK(sys_ioport_read(start->ports, UART_SCR, 1, &value) == ST_OK && value == 0x5a);
	CHECK(sys_ioport_write(start->ports, UART_SCR, 1, before) == ST_OK);
}

TEST(ioport_widths)
{
	static const uint64_t bad[] = { 0, 3, 5, 8, 1ull << 32, (1ull << 32) + 1, UINT64_MAX };

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(REFUSES(ST_BAD_ARG, ioport_read, start->ports, UART_SCR, bad[i]));
		CHECK(REFUSES(ST_BAD_ARG, ioport_write, start->ports, UART_SCR, bad[i], 1));
	}
}

TEST(ioport_ends)
{
	static const struct {
		uint64_t port, width;
	} beyond[] = {
		{ 0x10000, 1 },    { 0xffff, 2 },
		{ 0xfffe, 4 },     { 0xfffd, 4 },
		{ 1ull << 32, 1 }, { UINT64_MAX, 1 },
		{ UINT64_MAX, 4 }, { UINT64_MAX - 3, 4 },
		{ 1ull << 63, 2 }, { (1ull << 32) + UART_SCR, 1 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(beyond); i++) {
		CHECK(REFUSES(ST_BAD_ARG, ioport_read, start->ports, beyond[i].port,
			      beyond[i].width));
		CHECK(REFUSES(ST_BAD_ARG, ioport_write, start->ports, beyond[i].port,
			      beyond[i].width, 0));
	}
}

/* Ports count from the first of the slice; there is no way beyond it, nor in front of it. */
static void try_slice(void)
{
	uint64_t value = 0;

	CHECK(sys_ioport_write(ports, UART_SCR - UART, 1, 0x77) == ST_OK);
	CHECK(sys_ioport_read(ports, UART_SCR - UART, 1, &value) == ST_OK && value == 0x77);
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, ports, 8, 1));
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, ports, 7, 2));
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, ports, 5, 4));
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, ports, UINT64_MAX, 1));
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, ports, 0x10000 - UART, 1));
	CHECK(REFUSES(ST_BAD_ARG, ioport_write, ports, 0x10000, 1, 0));
}

TEST(ioport_slice)
{
	slice(UART, 8);
	try_slice();
	drop_slice();
}

static void try_to_widen(void)
{
	cap_t s = start->cspace;

	CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, ports, 0xffff, RANGE(UART, 9)));
	CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, ports, 0xffff, RANGE(UART - 1, 8)));
	CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, ports, 0xffff, RANGE(0, 8)));
	CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, ports, 0xffff, RANGE(UART, 0)));
	cap_t one = copy_of(ports, 0xffff, RANGE(UART_SCR, 1));
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, one, 1, 1));
	CHECK(STATUS(ioport_read, one, 0, 1) == ST_OK);
}

TEST(ioport_slices_never_grow)
{
	slice(UART, 8);
	try_to_widen();
	drop_slice();
}

static void try_behind(void)
{
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, ports, 0, 4));
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, ports, 2, 1));
	CHECK(REFUSES(ST_BAD_ARG, ioport_read, ports, 1, 2));
}

/* A slice that reaches beyond what there is: that does not make ports of it. */
TEST(ioport_slice_beyond_the_last)
{
	slice(0xfffe, 8);
	try_behind();
	drop_slice();
}
