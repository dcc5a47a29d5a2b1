/* SPDX-License-Identifier: MIT */
/* Calls, their answers, and what becomes of them when a side misbehaves or goes away. */
#include "job.h"

#define CROWD 70 /* more than are woken in one piece */

static const uint64_t past[] = { 0, 1, 1000 };

static status_t reply(uint64_t info)
{
	return STATUS(endpoint_reply, start->thread, info);
}

static struct sys_result receive(cap_t ep)
{
	return SYS(endpoint_receive, ep, NEVER);
}

/* Takes what is there; ST_DEADLINE if there is nothing. */
static struct sys_result take(cap_t ep)
{
	return SYS(endpoint_receive, ep, 0);
}

/* ---- what a message carries ---- */

static void fill(struct msg_block *b, uint64_t seed)
{
	for (unsigned i = 0; i < ARRAY_LEN(b->word); i++)
		b->word[i] = seed * 0x9e3779b97f4a7c15 + i;
}

/* The first `len` bytes in whole words, and nothing of what lies behind. */
static bool is_filled(const struct msg_block *b, uint64_t seed, unsigned len, uint64_t rest)
{
	for (unsigned i = 0; i < ARRAY_LEN(b->word); i++) {
		uint64_t want = i < (len + 7) / 8 ? seed * 0x9e3779b97f4a7c15 + i : rest;
		if (b->word[i] != want)
			return false;
	}
	return true;
}

static void empty(struct msg_block *b, uint64_t with)
{
	for (unsigned i = 0; i < ARRAY_LEN(b->word); i++)
		b->word[i] = with;
}

static const uint16_t lengths[] = { 0, 1, 7, 8, 9, 16, 63, 64, 65, 72, 128, 500, 511, 512 };

TEST(message_of_every_length_to_one_who_comes)
{
	struct actor *a = job_process();
	cap_t ep = new_endpoint();
	cap_t entrance = actor_give(a, ep, RIGHT_CALL, 5);

	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		fill(a->block, i);
		empty(own_block(), 99);
		JOB(a, endpoint_call, entrance, MSG_INFO(i, lengths[i], 0), NEVER);
		CHECK(job_waits(a));
		struct sys_result r = receive(ep);
		CHECK(r.status == ST_OK && r.out[0] == MSG_INFO(i, lengths[i], 0));
		CHECK(r.out[1] == 5 && r.out[2] != 0);
		CHECK(is_filled(own_block(), i, lengths[i], 99));
		empty(a->block, 77);
		fill(own_block(), i + 100);
		CHECK(reply(MSG_INFO(i + 1, lengths[i], 0)) == ST_OK);
		r = job_end(a);
		CHECK(r.status == ST_OK && r.out[0] == MSG_INFO(i + 1, lengths[i], 0));
		CHECK(r.out[1] == 0 && r.out[2] == 0);
		CHECK(is_filled(a->block, i + 100, lengths[i], 77));
	}
}

TEST(message_of_every_length_to_one_who_waits)
{
	struct actor *a = job_process();
	cap_t ep = new_endpoint();
	cap_t service = actor_give(a, ep, RIGHT_RECEIVE, 0);

	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		uint64_t info = MSG_INFO(i, lengths[i], 0);
		empty(a->block, 99);
		JOB(a, endpoint_receive, service, NEVER);
		CHECK(job_waits(a));
		fill(own_block(), i);
		/* Nobody answers: the server comes back without. */
		struct actor *caller = job_new();
		fill(caller->block, i + 7);
		JOB(caller, endpoint_call, ep, info, NEVER);
		struct sys_result r = job_end(a);
		CHECK(r.status == ST_OK && r.out[0] == info && r.out[1] == 0);
		CHECK(is_filled(a->block, i + 7, lengths[i], 99));
		CHECK(job_waits(caller));
		JOB(a, endpoint_receive, service, 0);
		CHECK(job_end(a).status == ST_DEADLINE);
		CHECK(job_end(caller).status == ST_PEER_GONE);
	}
}

TEST(message_flags_of_the_sender_are_cleared)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint();
	uint64_t info = MSG_INFO(3, 8, 0);

	JOB(a, endpoint_call, ep, info | MSG_FLAGS, NEVER);
	struct sys_result r = receive(ep);
	CHECK(r.status == ST_OK && r.out[0] == info);
	CHECK(reply(info | MSG_FAULT | MSG_NOTIFICATION) == ST_OK);
	r = job_end(a);
	CHECK(r.status == ST_OK && r.out[0] == info);
}

/* The badge is that of the capability that was called by, whatever the registers say. */
TEST(message_has_the_badge_of_its_capability)
{
	static const uint64_t badges[] = { 1, 2, 0x8000000000000000, UINT64_MAX };
	cap_t ep = new_endpoint();
	struct actor *a = job_process();

	for (unsigned i = 0; i < ARRAY_LEN(badges); i++) {
		cap_t entrance = actor_give(a, ep, RIGHT_CALL | RIGHT_COPY, badges[i]);
		JOB(a, endpoint_call, entrance, 0, NEVER, 0x1234);
		struct sys_result r = receive(ep);
		CHECK(r.status == ST_OK && r.out[1] == badges[i]);
		CHECK(reply(0) == ST_OK && job_end(a).status == ST_OK);
	}
}

TEST(message_numbers_never_repeat)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint();
	uint64_t last[32];

	for (unsigned i = 0; i < ARRAY_LEN(last); i++) {
		JOB(a, endpoint_call, ep, 0, NEVER);
		struct sys_result r = receive(ep);
		CHECK(r.status == ST_OK && r.out[2] != 0);
		for (unsigned k = 0; k < i; k++)
			CHECK(last[k] != r.out[2]);
		last[i] = r.out[2];
		CHECK(reply(0) == ST_OK && job_end(a).status == ST_OK);
	}
}

/* ---- what is refused ---- */

static const uint64_t bad_info[] = {
	MSG_INFO(0, 513, 0), MSG_INFO(0, 0xffff, 0), MSG_INFO(0, 0, 5),
	MSG_INFO(0, 0, 15),  MSG_INFO(0, 0, 16),     MSG_INFO(0, 8, 0xff),
};

TEST(message_too_big_is_refused_by_every_call)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	for (unsigned i = 0; i < ARRAY_LEN(bad_info); i++)
		CHECK(STATUS(endpoint_call, ep, bad_info[i], NEVER) == ST_BAD_ARG);
	CHECK(take(ep).status == ST_DEADLINE);
	JOB(a, endpoint_call, ep, 0, NEVER);
	uint64_t number = receive(ep).out[2];
	for (unsigned i = 0; i < ARRAY_LEN(bad_info); i++) {
		CHECK(reply(bad_info[i]) == ST_BAD_ARG);
		CHECK(STATUS(endpoint_reply_receive, ep, bad_info[i], 0) == ST_BAD_ARG);
	}
	CHECK(STATUS(reply_save, later) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(bad_info); i++)
		CHECK(STATUS(reply_send, later, bad_info[i], number) == ST_BAD_ARG);
	/* He still waits, and can be answered. */
	CHECK(job_waits(a) && STATUS(reply_send, later, 0, number) == ST_OK);
	CHECK(job_end(a).status == ST_OK);
}

TEST(message_needs_a_block_for_its_payload)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), memory = job_block(a);

	CHECK(STATUS(object_destroy, memory) == ST_OK);
	JOB(a, endpoint_call, ep, MSG_INFO(0, 1, 0), NEVER);
	CHECK(job_end(a).status == ST_BAD_STATE);
	JOB(a, endpoint_call, ep, MSG_INFO(0, 0, 1), NEVER);
	CHECK(job_end(a).status == ST_BAD_STATE);
	CHECK(take(ep).status == ST_DEADLINE);
	/* Without one it can call and be answered, but gets no payload. */
	JOB(a, endpoint_call, ep, MSG_INFO(4, 0, 0), NEVER);
	CHECK(receive(ep).status == ST_OK && reply(MSG_INFO(6, 24, 0)) == ST_OK);
	struct sys_result r = job_end(a);
	CHECK(r.status == ST_OK && r.out[0] == MSG_INFO(6, 0, 0));
}

/* ---- deadlines ---- */

TEST(message_call_with_a_deadline)
{
	struct actor *a = job_new(), *waiting = job_new();
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	for (unsigned i = 0; i < ARRAY_LEN(past); i++)
		CHECK(STATUS(endpoint_call, ep, 0, past[i]) == ST_DEADLINE);
	CHECK(take(ep).status == ST_DEADLINE);
	uint64_t soon = time_before() + 2 * MS;
	CHECK(STATUS(endpoint_call, ep, 0, soon) == ST_DEADLINE);
	CHECK(STATUS(notification_wait, new_notification(), soon) == ST_WOULD_BLOCK);
	CHECK(take(ep).status == ST_DEADLINE);
	/* To one who waits it goes out, even if it is over at once. */
	JOB(waiting, endpoint_receive, ep, NEVER);
	CHECK(job_waits(waiting));
	JOB(a, endpoint_call, ep, MSG_INFO(6, 0, 0), 1);
	CHECK(job_end(a).status == ST_DEADLINE);
	CHECK(MSG_METHOD(job_end(waiting).out[0]) == 6);
	JOB(waiting, endpoint_reply, waiting->self, 0);
	CHECK(job_end(waiting).status == ST_PEER_GONE);
	/* It may be over before it is saved. */
	JOB(a, endpoint_call, ep, 0, time_before() + 3 * MS);
	(void)job_waits(a);
	struct sys_result r = take(ep);
	(void)STATUS(reply_save, later);
	CHECK(job_end(a).status == ST_DEADLINE);
	CHECK(STATUS(reply_send, later, 0, r.out[2] + (r.status != ST_OK)) == ST_PEER_GONE);
	CHECK(reply(0) == ST_PEER_GONE);
	/* One that is far away is in nobody's way. */
	JOB(a, endpoint_call, ep, 0, NEVER - 1);
	CHECK(receive(ep).status == ST_OK && reply(0) == ST_OK);
	CHECK(job_end(a).status == ST_OK);
}

TEST(message_receive_with_a_deadline)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint();

	for (unsigned i = 0; i < ARRAY_LEN(past); i++) {
		CHECK(STATUS(endpoint_receive, ep, past[i]) == ST_DEADLINE);
		CHECK(STATUS(endpoint_reply_receive, ep, 0, past[i]) == ST_DEADLINE);
	}
	uint64_t soon = time_before() + 2 * MS;
	CHECK(STATUS(endpoint_receive, ep, soon) == ST_DEADLINE);
	CHECK(STATUS(notification_wait, new_notification(), soon) == ST_WOULD_BLOCK);
	CHECK(STATUS(endpoint_reply_receive, ep, 0, time_before() + 2 * MS) == ST_DEADLINE);
	/* It left the endpoint: nobody is there any more. */
	CHECK(STATUS(endpoint_call, ep, 0, 0) == ST_DEADLINE);
	JOB(a, endpoint_call, ep, MSG_INFO(9, 0, 0), NEVER);
	CHECK(job_waits(a));
	/* What is there is taken, however late it is. */
	struct sys_result r = SYS(endpoint_receive, ep, 0);
	CHECK(r.status == ST_OK && r.out[0] == MSG_INFO(9, 0, 0));
	CHECK(reply(0) == ST_OK && job_end(a).status == ST_OK);
}

/* The answer comes first, then nothing is left of the deadline. */
TEST(message_answer_ends_the_deadline)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint();
	uint64_t soon = time_before() + 5 * MS;

	JOB(a, endpoint_call, ep, 0, soon);
	(void)job_waits(a);
	if (take(ep).status == ST_OK)
		(void)reply(0);
	status_t st = job_end(a).status;
	CHECK(st == ST_OK || st == ST_DEADLINE); /* it may have been too slow */
	JOB(a, thread_park, a->self, NEVER);
	CHECK(job_waits(a));
	sleep_until(soon + MS);
	CHECK(job_waits(a));
	CHECK(STATUS(thread_unpark, a->thread) == ST_OK && job_end(a).status == ST_OK);
}

/* ---- order ---- */

TEST(message_callers_are_served_in_order)
{
	struct actor *a[12];
	cap_t ep = new_endpoint();

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = job_new();
		JOB(a[i], endpoint_call, ep, MSG_INFO(i, 0, 0), NEVER);
		CHECK(job_waits(a[i]));
	}
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		struct sys_result r = receive(ep);
		CHECK(r.status == ST_OK && MSG_METHOD(r.out[0]) == i);
		CHECK(reply(MSG_INFO(i, 0, 0)) == ST_OK);
	}
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		CHECK(MSG_METHOD(job_end(a[i]).out[0]) == i);
}

TEST(message_urgent_callers_are_served_first)
{
	static const unsigned priority[] = { 140, 180, 130, 180, 150 };
	static const unsigned order[] = { 1, 3, 4, 0, 2 };
	struct actor *a[ARRAY_LEN(priority)];
	cap_t ep = new_endpoint();

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		cap_t sched = make(SYS_sched_create, start->sched, 0, 0);
		CHECK(STATUS(sched_configure, sched, priority[i] | 1024ull << 32, 0, 0, 1) ==
		      ST_OK);
		a[i] = job_new();
		actor_configure(a[i], sched, CAP_NONE, CAP_NONE);
		JOB(a[i], endpoint_call, ep, MSG_INFO(i, 0, 0), NEVER);
		CHECK(job_waits(a[i]));
	}
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		struct sys_result r = receive(ep);
		CHECK(r.status == ST_OK && MSG_METHOD(r.out[0]) == order[i]);
		CHECK(reply(0) == ST_OK);
	}
}

/* ---- a client that goes away or stands still ---- */

enum stage { QUEUED, IN_HAND, SAVED, STAGES };

/* Brings a call of `a` to the stage; for SAVED it is in `later`. Gives its number. */
static uint64_t bring(struct actor *a, cap_t ep, cap_t later, enum stage stage)
{
	cap_t entrance = a->cspace == start->cspace ? ep : actor_give(a, ep, RIGHT_CALL, 0);
	struct sys_result r = { 0 };

	JOB(a, endpoint_call, entrance, MSG_INFO(1, 8, 0), NEVER);
	if (!job_waits(a))
		give_up("a call that is not out", job_of(a)->result.status);
	if (stage != QUEUED)
		r = receive(ep);
	if (stage == SAVED)
		r.status = STATUS(reply_save, later);
	if (r.status != ST_OK)
		give_up("a call that was not taken", r.status);
	return r.out[2];
}

static status_t answer(enum stage stage, cap_t later, uint64_t number)
{
	if (stage == SAVED)
		return STATUS(reply_send, later, MSG_INFO(2, 0, 0), number);
	return reply(MSG_INFO(2, 0, 0));
}

TEST(message_client_dies_in_each_stage)
{
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	for (enum stage stage = QUEUED; stage < STAGES; stage++) {
		struct actor *a = job_new();
		uint64_t number = bring(a, ep, later, stage);
		job_kill(a);
		CHECK(take(ep).status == ST_DEADLINE);
		CHECK(answer(stage, later, number + (number == 0)) == ST_PEER_GONE);
		/* The place is free again. */
		a = job_new();
		number = bring(a, ep, later, SAVED);
		CHECK(answer(SAVED, later, number) == ST_OK && job_end(a).status == ST_OK);
	}
}

TEST(message_client_dies_with_its_quota_in_each_stage)
{
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	for (enum stage stage = QUEUED; stage < STAGES; stage++) {
		cap_t outer = quota, payer = new_quota(4ull << 20);
		quota = payer;
		struct actor *a = job_process();
		quota = outer;
		uint64_t number = bring(a, ep, later, stage);
		CHECK(STATUS(object_destroy, payer) == ST_OK);
		CHECK(take(ep).status == ST_DEADLINE);
		CHECK(answer(stage, later, number + (number == 0)) == ST_PEER_GONE);
	}
}

/* Its call goes on, and it has the answer when it goes on itself. */
TEST(message_client_suspended_in_each_stage)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	for (enum stage stage = QUEUED; stage < STAGES; stage++) {
		uint64_t number = bring(a, ep, later, stage);
		CHECK(STATUS(thread_suspend, a->thread) == ST_OK);
		if (stage == QUEUED)
			CHECK(receive(ep).status == ST_OK);
		CHECK(answer(stage, later, number) == ST_OK);
		CHECK(job_waits(a)); /* not done: it stands */
		struct arch_registers r;
		CHECK(STATUS(thread_read_registers, a->thread, &r) == ST_OK);
		CHECK(r.rax == ST_OK && r.rsi == MSG_INFO(2, 0, 0));
		CHECK(STATUS(thread_resume, a->thread) == ST_OK);
		struct sys_result end = job_end(a);
		CHECK(end.status == ST_OK && end.out[0] == MSG_INFO(2, 0, 0));
	}
}

/* Resumed before the answer, it just waits on. */
TEST(message_client_resumed_in_each_stage)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	for (enum stage stage = QUEUED; stage < STAGES; stage++) {
		uint64_t number = bring(a, ep, later, stage);
		CHECK(STATUS(thread_resume, a->thread) == ST_OK);
		CHECK(STATUS(thread_unpark, a->thread) == ST_OK);
		CHECK(STATUS(thread_suspend, a->thread) == ST_OK);
		CHECK(STATUS(thread_resume, a->thread) == ST_OK);
		CHECK(job_waits(a));
		if (stage == QUEUED)
			CHECK(receive(ep).status == ST_OK);
		CHECK(answer(stage, later, number) == ST_OK && job_end(a).status == ST_OK);
		JOB(a, thread_park, a->self, 0); /* the unpark was kept */
		CHECK(job_end(a).status == ST_OK);
	}
}

/* ---- a server that goes away or stands still ---- */

/* Takes a call and keeps it, in hand or in arg[1]; then waits for ever. */
static void take_and_wait(struct actor *a)
{
	struct sys_result r = SYS(endpoint_receive, a->arg[0], NEVER);

	if (a->arg[1] != CAP_NONE)
		r.status = STATUS(reply_save, a->arg[1]);
	a->arg[2] = r.out[2];
	a->seen = (uint64_t)(int64_t)r.status;
	SYS(thread_park, a->self, NEVER);
}

static struct actor *server(cap_t ep, cap_t later)
{
	struct actor *a = actor_new(take_and_wait);

	a->arg[0] = ep;
	a->arg[1] = later;
	actor_start(a);
	return a;
}

TEST(message_server_dies_while_it_waits)
{
	cap_t ep = new_endpoint();
	struct actor *gone = server(ep, CAP_NONE);
	struct actor *client = job_new();

	CHECK(job_waits(gone));
	job_kill(gone);
	CHECK(STATUS(endpoint_call, ep, 0, 0) == ST_DEADLINE);
	/* The call waits for the next one. */
	JOB(client, endpoint_call, ep, 0, NEVER);
	CHECK(job_waits(client) && receive(ep).status == ST_OK);
	CHECK(reply(0) == ST_OK && job_end(client).status == ST_OK);
}

TEST(message_server_dies_with_the_call_in_hand)
{
	cap_t ep = new_endpoint();
	struct actor *gone = server(ep, CAP_NONE);
	struct actor *client = job_new();

	JOB(client, endpoint_call, ep, 0, NEVER);
	CHECK(job_waits(client) && job_waits(gone));
	job_kill(gone);
	CHECK(job_end(client).status == ST_PEER_GONE);
}

/* What it saved is not its own any more: whoever has the reply object answers. */
TEST(message_server_dies_with_the_call_saved)
{
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);
	struct actor *gone = server(ep, later);
	struct actor *client = job_new();

	JOB(client, endpoint_call, ep, 0, NEVER);
	CHECK(job_waits(client) && job_waits(gone));
	uint64_t number = gone->arg[2];
	job_kill(gone);
	CHECK(job_waits(client));
	CHECK(STATUS(reply_send, later, MSG_INFO(8, 0, 0), number) == ST_OK);
	CHECK(job_end(client).out[0] == MSG_INFO(8, 0, 0));
}

TEST(message_reply_object_destroyed_with_the_call)
{
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);
	struct actor *client = job_new();

	uint64_t number = bring(client, ep, later, SAVED);
	CHECK(STATUS(object_destroy, later) == ST_OK);
	CHECK(job_end(client).status == ST_PEER_GONE);
	CHECK(STATUS(reply_send, later, 0, number) == ST_BAD_CAP);
	/* The last capability dropped is its end as well. */
	later = make(SYS_reply_create, 0, 0, 0);
	bring(client, ep, later, SAVED);
	CHECK(STATUS(cap_drop, start->cspace, later) == ST_OK);
	CHECK(job_end(client).status == ST_PEER_GONE);
}

TEST(message_server_receives_again_without_an_answer)
{
	struct actor *client = job_new();
	cap_t ep = new_endpoint(), other = new_endpoint();

	bring(client, ep, CAP_NONE, IN_HAND);
	CHECK(take(other).status == ST_DEADLINE);
	CHECK(job_end(client).status == ST_PEER_GONE);
	CHECK(reply(0) == ST_PEER_GONE);
}

/* A server that stands still keeps its clients waiting, until it goes on. */
TEST(message_server_suspended_with_the_call)
{
	cap_t ep = new_endpoint();
	struct actor *s = server(ep, CAP_NONE);
	struct actor *client = job_new();

	CHECK(job_waits(s) && STATUS(thread_suspend, s->thread) == ST_OK);
	JOB(client, endpoint_call, ep, 0, NEVER);
	CHECK(job_waits(client) && job_waits(s));
	CHECK(s->seen == 0 && s->arg[2] == 0);
	CHECK(STATUS(thread_resume, s->thread) == ST_OK);
	while (s->arg[2] == 0)
		yield();
	CHECK(job_waits(client));
	job_kill(s);
	CHECK(job_end(client).status == ST_PEER_GONE);
}

/* ---- an endpoint that goes away ---- */

TEST(message_endpoint_destroyed_under_its_callers)
{
	struct actor *a[CROWD];
	cap_t ep = new_endpoint();

	for (unsigned i = 0; i < CROWD; i++) {
		a[i] = job_new();
		JOB(a[i], endpoint_call, ep, MSG_INFO(0, 8, 0), NEVER);
		CHECK(job_waits(a[i]));
	}
	CHECK(STATUS(object_destroy, ep) == ST_OK);
	for (unsigned i = 0; i < CROWD; i++)
		CHECK(job_end(a[i]).status == ST_PEER_GONE);
	CHECK(STATUS(endpoint_call, ep, 0, 0) == ST_BAD_CAP);
	CHECK(take(ep).status == ST_BAD_CAP);
}

TEST(message_endpoint_destroyed_under_its_servers)
{
	struct actor *a[CROWD];
	cap_t ep = new_endpoint();

	for (unsigned i = 0; i < CROWD; i++) {
		a[i] = job_new();
		JOB(a[i], endpoint_receive, ep, NEVER);
		CHECK(job_waits(a[i]));
	}
	CHECK(STATUS(object_destroy, ep) == ST_OK);
	for (unsigned i = 0; i < CROWD; i++)
		CHECK(job_end(a[i]).status == ST_PEER_GONE);
}

/* A call that was taken is the server's: the endpoint is not needed to answer it. */
TEST(message_endpoint_destroyed_after_the_call)
{
	struct actor *a = job_new();
	cap_t later = make(SYS_reply_create, 0, 0, 0);

	for (enum stage stage = IN_HAND; stage < STAGES; stage++) {
		cap_t ep = new_endpoint();
		uint64_t number = bring(a, ep, later, stage);
		CHECK(STATUS(object_destroy, ep) == ST_OK);
		CHECK(answer(stage, later, number) == ST_OK && job_end(a).status == ST_OK);
	}
}

/* An answer by a handle that is dead is not given, and not lost. */
TEST(message_reply_receive_on_a_dead_endpoint)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint();

	bring(a, ep, CAP_NONE, IN_HAND);
	CHECK(STATUS(object_destroy, ep) == ST_OK);
	CHECK(STATUS(endpoint_reply_receive, ep, 0, NEVER) == ST_BAD_CAP);
	CHECK(job_waits(a) && reply(0) == ST_OK && job_end(a).status == ST_OK);
}

/* ---- answers ---- */

TEST(message_is_answered_once)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint();

	CHECK(reply(0) == ST_PEER_GONE);
	bring(a, ep, CAP_NONE, IN_HAND);
	CHECK(reply(0) == ST_OK && reply(0) == ST_PEER_GONE);
	CHECK(job_end(a).status == ST_OK);
	/* A second answer does not end the next call. */
	JOB(a, endpoint_call, ep, 0, NEVER);
	CHECK(job_waits(a) && reply(0) == ST_PEER_GONE && job_waits(a));
	CHECK(receive(ep).status == ST_OK && reply(0) == ST_OK);
}

TEST(message_is_answered_by_its_own_server_only)
{
	struct actor *a = job_new(), *other = job_new();
	cap_t ep = new_endpoint();

	bring(a, ep, CAP_NONE, IN_HAND);
	CHECK(STATUS(endpoint_reply, other->thread, 0) == ST_BAD_ARG);
	JOB(other, endpoint_reply, start->thread, 0);
	CHECK(job_end(other).status == ST_BAD_ARG);
	JOB(other, endpoint_reply, other->self, 0);
	CHECK(job_end(other).status == ST_PEER_GONE);
	JOB(other, endpoint_reply, a->thread, 0);
	CHECK(job_end(other).status == ST_BAD_ARG);
	CHECK(job_waits(a) && reply(0) == ST_OK && job_end(a).status == ST_OK);
}

TEST(message_saved_call_is_answered_by_its_number)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	CHECK(STATUS(reply_send, later, 0, 1) == ST_PEER_GONE);
	uint64_t first = bring(a, ep, later, SAVED);
	CHECK(STATUS(reply_send, later, 0, 0) == ST_BAD_ARG);
	for (unsigned bit = 0; bit < 64; bit++)
		if ((first ^ 1ull << bit) != 0)
			CHECK(STATUS(reply_send, later, 0, first ^ 1ull << bit) == ST_PEER_GONE);
	CHECK(job_waits(a) && STATUS(reply_send, later, 0, first) == ST_OK);
	CHECK(job_end(a).status == ST_OK);
	CHECK(STATUS(reply_send, later, 0, first) == ST_PEER_GONE);
	/* The number of the call before does not answer this one. */
	uint64_t second = bring(a, ep, later, SAVED);
	CHECK(STATUS(reply_send, later, 0, first) == ST_PEER_GONE && job_waits(a));
	CHECK(STATUS(reply_send, later, 0, second) == ST_OK && job_end(a).status == ST_OK);
}

TEST(message_reply_object_holds_one_call)
{
	struct actor *a = job_new(), *b = job_new();
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	CHECK(STATUS(reply_save, later) == ST_BAD_STATE);
	uint64_t first = bring(a, ep, later, SAVED);
	CHECK(STATUS(reply_save, later) == ST_EXISTS); /* and there is no call in hand */
	bring(b, ep, CAP_NONE, IN_HAND);
	CHECK(STATUS(reply_save, later) == ST_EXISTS);
	CHECK(reply(0) == ST_OK && job_end(b).status == ST_OK);
	CHECK(job_waits(a) && STATUS(reply_send, later, 0, first) == ST_OK);
	CHECK(job_end(a).status == ST_OK);
}

/* Many saved calls, answered in another order. */
TEST(message_answers_come_in_any_order)
{
	struct actor *a[9];
	cap_t later[ARRAY_LEN(a)];
	uint64_t number[ARRAY_LEN(a)];
	cap_t ep = new_endpoint();

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = job_new();
		later[i] = make(SYS_reply_create, 0, 0, 0);
		number[i] = bring(a[i], ep, later[i], SAVED);
	}
	for (unsigned n = 0; n < ARRAY_LEN(a); n++) {
		unsigned i = n * 4 % ARRAY_LEN(a);
		CHECK(job_waits(a[i]));
		CHECK(STATUS(reply_send, later[i], MSG_INFO(i, 0, 0), number[i]) == ST_OK);
		CHECK(MSG_METHOD(job_end(a[i]).out[0]) == i);
	}
}

/* Whoever was given the reply object can answer, from another process too. */
TEST(message_right_to_answer_can_be_given_away)
{
	struct actor *a = job_new(), *friend = job_process();
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);
	uint64_t number = bring(a, ep, later, SAVED);

	fill(friend->block, 4);
	JOB(friend, reply_send, actor_give(friend, later, RIGHT_REPLY, 0), MSG_INFO(1, 32, 0),
	    number);
	CHECK(job_end(friend).status == ST_OK && job_end(a).status == ST_OK);
	CHECK(is_filled(a->block, 4, 32, 0));
}

/* Answers and waits in one: the one is answered, the next one taken. */
TEST(message_reply_receive_does_both)
{
	struct actor *a = job_new(), *b = job_new();
	cap_t ep = new_endpoint();

	bring(a, ep, CAP_NONE, IN_HAND);
	JOB(b, endpoint_call, ep, MSG_INFO(5, 0, 0), NEVER);
	CHECK(job_waits(b));
	struct sys_result r = SYS(endpoint_reply_receive, ep, MSG_INFO(4, 0, 0), NEVER);
	CHECK(r.status == ST_OK && MSG_METHOD(r.out[0]) == 5);
	CHECK(MSG_METHOD(job_end(a).out[0]) == 4);
	/* The answer goes out even if there is nothing more to take. */
	CHECK(STATUS(endpoint_reply_receive, ep, MSG_INFO(6, 0, 0), 0) == ST_DEADLINE);
	CHECK(MSG_METHOD(job_end(b).out[0]) == 6);
	CHECK(STATUS(endpoint_reply_receive, ep, 0, 0) == ST_DEADLINE);
}

/* ---- calls within calls ---- */

/* Serves arg[0] by calling arg[1], and answers with one more than it was answered with. */
static void pass_on(struct actor *a)
{
	struct sys_result r = SYS(endpoint_receive, a->arg[0], NEVER);

	a->seen = 1;
	r = SYS(endpoint_call, a->arg[1], r.out[0], NEVER);
	a->arg[3] = (uint64_t)(int64_t)r.status;
	SYS(endpoint_reply, a->self, MSG_INFO(MSG_METHOD(r.out[0]) + 1, 0, 0));
}

#define DEPTH 40 /* more than scheds are followed */

static void chain(struct actor *a[DEPTH], cap_t ep[DEPTH + 1])
{
	for (unsigned i = 0; i <= DEPTH; i++)
		ep[i] = new_endpoint();
	for (unsigned i = 0; i < DEPTH; i++) {
		a[i] = actor_new(pass_on);
		a[i]->arg[0] = ep[i];
		a[i]->arg[1] = ep[i + 1];
		actor_start(a[i]);
	}
}

TEST(message_calls_within_calls)
{
	struct actor *a[DEPTH], *client = job_new();
	cap_t ep[DEPTH + 1];

	chain(a, ep);
	JOB(client, endpoint_call, ep[0], MSG_INFO(100, 0, 0), NEVER);
	struct sys_result r = receive(ep[DEPTH]);
	CHECK(r.status == ST_OK && MSG_METHOD(r.out[0]) == 100);
	CHECK(reply(MSG_INFO(1000, 0, 0)) == ST_OK);
	r = job_end(client);
	CHECK(r.status == ST_OK && MSG_METHOD(r.out[0]) == 1000 + DEPTH);
}

/* Each passive server on the sched of who waits for it. */
TEST(message_calls_within_calls_of_passive_servers)
{
	struct actor *a[DEPTH], *client = job_new();
	cap_t ep[DEPTH + 1], lent = make(SYS_sched_create, start->sched, 0, 0);

	for (unsigned i = 0; i <= DEPTH; i++)
		ep[i] = new_endpoint();
	for (unsigned i = 0; i < 12; i++) { /* as deep as scheds are followed */
		a[i] = actor_new(pass_on);
		a[i]->arg[0] = ep[i];
		a[i]->arg[1] = ep[i + 1];
		cap_t own = make(SYS_sched_create, start->sched, 0, 0);
		actor_configure(a[i], own, CAP_NONE, CAP_NONE);
		actor_start(a[i]);
		CHECK(job_waits(a[i]));
		CHECK(STATUS(object_destroy, own) == ST_OK);
	}
	actor_configure(client, lent, CAP_NONE, CAP_NONE);
	JOB(client, endpoint_call, ep[0], MSG_INFO(0, 0, 0), NEVER);
	CHECK(receive(ep[12]).status == ST_OK);
	CHECK(reply(MSG_INFO(50, 0, 0)) == ST_OK);
	CHECK(MSG_METHOD(job_end(client).out[0]) == 62);
}

/* One in the middle dies: both sides of it go on. */
TEST(message_chain_breaks_in_the_middle)
{
	struct actor *a[DEPTH], *client = job_new();
	cap_t ep[DEPTH + 1];

	chain(a, ep);
	JOB(client, endpoint_call, ep[0], 0, NEVER);
	CHECK(receive(ep[DEPTH]).status == ST_OK);
	job_kill(a[DEPTH / 2]);
	struct sys_result r = job_end(client);
	CHECK(r.status == ST_OK && (int64_t)a[DEPTH / 2 - 1]->arg[3] == ST_PEER_GONE);
	CHECK(MSG_METHOD(r.out[0]) == DEPTH / 2);
	CHECK(reply(0) == ST_OK);
	actor_await(a[DEPTH / 2 + 1]);
}

/* Two servers that call each other wait for ever, and harm nobody else. */
TEST(message_calls_in_a_circle)
{
	struct actor *a[3], *client = job_new(), *first = job_new();
	cap_t ep[3];

	for (unsigned i = 0; i < 3; i++)
		ep[i] = new_endpoint();
	for (unsigned i = 0; i < 3; i++) {
		a[i] = actor_new(pass_on);
		a[i]->arg[0] = ep[i];
		a[i]->arg[1] = ep[(i + 1) % 3];
		actor_start(a[i]);
		CHECK(job_waits(a[i]));
	}
	JOB(first, endpoint_call, ep[0], 0, NEVER);
	for (unsigned i = 0; i < 3; i++) {
		while (a[i]->seen == 0)
			yield();
		CHECK(job_waits(a[i]));
	}
	job_kill(first);
	/* An urgent one that joins the circle changes nothing either. */
	cap_t urgent = make(SYS_sched_create, start->sched, 0, 0);
	CHECK(STATUS(sched_configure, urgent, 200 | 1024ull << 32, 0, 0, 1) == ST_OK);
	actor_configure(client, urgent, CAP_NONE, CAP_NONE);
	JOB(client, endpoint_call, ep[1], 0, time_before() + 2 * MS);
	CHECK(job_end(client).status == ST_DEADLINE);
	/* It opens where one is taken out. */
	job_kill(a[1]);
	actor_await(a[0]);
	CHECK((int64_t)a[0]->arg[3] == ST_PEER_GONE);
	CHECK(STATUS(object_destroy, ep[0]) == ST_OK);
	actor_await(a[2]);
}

/* Who calls itself waits until its deadline. */
TEST(message_to_oneself)
{
	cap_t ep = new_endpoint();

	CHECK(STATUS(endpoint_call, ep, 0, time_before() + MS) == ST_DEADLINE);
	CHECK(take(ep).status == ST_DEADLINE);
}
