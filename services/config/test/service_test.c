/* SPDX-License-Identifier: MIT */
/* The configuration's server, as its clients see it, those who behave and those who do not. */
#include <lib/fake/fake.h>
#include <lib/loop/loop.h>
#include <services/config/service.h>
#include <string.h>
#include <test/test.h>

#define FLOOD 200

static struct loop loop;
static struct document document;
static cap_t endpoint;
static struct fake_call calls[FLOOD];

static bool begin(void)
{
	fake_begin();
	memset(calls, 0, sizeof(calls));
	document_init(&document);
	endpoint = fake_endpoint();
	const struct loop_setup setup = { .quota = fake_own_quota(),
					  .service = endpoint,
					  .events = fake_notification() };
	return document_add(&document, "hostname", "node", 4, false) == ST_OK &&
	       document_add(&document, "api.key", "secret", 6, true) == ST_OK &&
	       loop_init(&loop, &setup) == ST_OK &&
	       loop_serve(&loop, LOOP_SERVICE(0, config, &service_ops, &document)) == ST_OK;
}

static void ask(struct fake_call *c, uint32_t method, uint32_t rights, const char *path)
{
	c->badge = IPC_BADGE(7, 0, rights);
	c->method = method;
	if (c->len == 0)
		c->len = sizeof(struct config_get_req);
	strcpy((char *)c->bytes, path);
	fake_send(endpoint, c);
}

/* Serves all that was sent; false: the loop ended for another reason, or left one waiting. */
static bool serve(unsigned count)
{
	bool all = loop_run(&loop) == ST_PEER_GONE && fake.wrong == 0;

	for (unsigned i = 0; i < count; i++)
		all = all && calls[i].is_ended;
	document_destroy(&document);
	return all;
}

static bool got(const struct fake_call *c, const char *text)
{
	struct config_get_rep rep;

	memcpy(&rep, c->got, sizeof(rep));
	return (status_t)c->result == ST_OK && rep.count == 1 && rep.size == strlen(text) &&
	       memcmp(rep.text, text, rep.size) == 0;
}

TEST(config_server_answers_by_right)
{
	CHECK(begin());
	ask(&calls[0], 1, CONFIG_READ, "hostname");
	ask(&calls[1], 1, CONFIG_SECRETS, "hostname");
	ask(&calls[2], 2, CONFIG_READ, "api.key");
	ask(&calls[3], 2, CONFIG_SECRETS, "api.key");
	ask(&calls[4], 1, CONFIG_READ | CONFIG_SECRETS, "api.key");
	CHECK(serve(5));
	CHECK(got(&calls[0], "node"));
	CHECK((status_t)calls[1].result == ST_NO_RIGHT);
	CHECK((status_t)calls[2].result == ST_NO_RIGHT);
	CHECK(got(&calls[3], "secret"));
	CHECK((status_t)calls[4].result == ST_NO_RIGHT);
	for (unsigned i = 1; i < 5; i++) /* a refusal brings nothing */
		CHECK(i == 3 || calls[i].got_len == 0);
}

TEST(config_server_refuses_what_is_no_request)
{
	CHECK(begin());
	ask(&calls[0], 3, CONFIG_READ, "hostname");
	calls[1].len = sizeof(struct config_get_req) - 1;
	ask(&calls[1], 1, CONFIG_READ, "hostname");
	calls[2].len = sizeof(struct config_get_req) + 1;
	ask(&calls[2], 1, CONFIG_READ, "hostname");
	calls[3].ncaps = 1;
	calls[3].cap[0] = endpoint;
	ask(&calls[3], 1, CONFIG_READ, "hostname");
	unsigned before = fake_caps();
	CHECK(serve(4));
	CHECK((status_t)calls[0].result == ST_NO_METHOD);
	for (unsigned i = 1; i < 4; i++)
		CHECK((status_t)calls[i].result == ST_BAD_ARG);
	CHECK(fake_caps() == before); /* what came with it was dropped */
}

TEST(config_server_bears_a_flood_and_clients_that_vanish)
{
	CHECK(begin());
	for (unsigned i = 0; i < FLOOD; i++) {
		calls[i].is_gone = i % 3 == 1;
		ask(&calls[i], 1, CONFIG_READ, "hostname");
	}
	uint64_t used = fake_used(fake_own_quota());
	CHECK(loop_run(&loop) == ST_PEER_GONE && fake.wrong == 0);
	for (unsigned i = 0; i < FLOOD; i++)
		CHECK(calls[i].is_gone || got(&calls[i], "node"));
	CHECK(fake_used(fake_own_quota()) == used);
	document_destroy(&document);
}
