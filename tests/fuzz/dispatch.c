/* SPDX-License-Identifier: MIT */
/* Whatever messages to a server of a protocol, and to the log. Nothing may leak, and every call
 * has to end or wait. */
#include <lib/fake/fake.h>
#include <lib/loop/loop.h>
#include <services/log/journal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS 64

static struct journal journal;
static struct loop loop;
static struct loop_answer answers[JOURNAL_WAITERS];
static struct fake_call calls[CALLS];
static cap_t endpoint;

static void must(bool what, const char *sentence)
{
	if (what)
		return;
	fprintf(stderr, "not in order: %s\n", sentence);
	abort();
}

static void begin(void)
{
	fake_begin();
	cap_t events = fake_notification();
	endpoint = fake_endpoint();
	const struct loop_setup setup = { .quota = fake_own_quota(),
					  .service = endpoint,
					  .events = events,
					  .answers = answers,
					  .answers_count = JOURNAL_WAITERS };
	memset(&journal, 0, sizeof(journal));
	journal.loop = &loop;
	journal.memory = fake_memory(fake_own_quota(), STORE_SIZE / 4096);
	must(loop_init(&loop, &setup) == ST_OK, "begin");
	journal_begin(&journal, fake_bytes(journal.memory));
	must(loop_serve(&loop, LOOP_SERVICE(0, log, &journal_ops, &journal)) == ST_OK, "serve");
}

/* One call of the input: badge, method, length, capabilities, bytes. */
static size_t take(struct fake_call *c, const uint8_t *data, size_t size)
{
	const size_t head = 12;
	static const uint32_t lengths[4] = { 0, sizeof(struct log_write_req),
					     sizeof(struct log_read_req),
					     sizeof(struct log_show_req) };

	if (size < head)
		return 0;
	memset(c, 0, sizeof(*c));
	c->badge = IPC_BADGE(IPC_SESSION(data[0] % 64, data[1] % 2), data[2] % 2, data[3]);
	c->method = data[4] % 4;
	c->len = (uint32_t)(data[5] | data[6] << 8) % (MSG_BYTES + 1);
	if (data[7] % 4 != 0)
		c->len = lengths[c->method];
	c->ncaps = data[8] % 8 > MSG_CAPS ? 0 : data[8] % 8;
	c->flags = data[9] % 16 == 0 ? MSG_FAULT : 0;
	c->is_gone = data[10] % 8 == 0;
	for (unsigned i = 0; i < c->ncaps; i++)
		c->cap[i] = endpoint;
	size_t bytes = size - head < c->len ? size - head : c->len;
	memcpy(c->bytes, data + head, bytes);
	return head + bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin();
	unsigned before = fake_caps();

	for (unsigned i = 0; i < CALLS; i++) {
		size_t used = take(&calls[i], data, size);
		if (used == 0)
			break;
		data += used;
		size -= used;
		fake_send(endpoint, &calls[i]);
		must(loop_run(&loop) == ST_PEER_GONE, "the loop has ended");
		must(fake_caps() == before, "capabilities leak");
		must(fake.wrong == 0, "something was dropped twice");
	}
	return 0;
}
