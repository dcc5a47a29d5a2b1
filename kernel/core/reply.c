/* SPDX-License-Identifier: MIT */
#include <core/reply.h>
#include <core/message.h>
#include <core/sched.h>

static struct reply_slot *slot_of(struct object *holder)
{
	if (LIKELY(holder->type == OBJ_THREAD))
		return &container_of(holder, struct thread, obj)->reply;
	return &container_of(holder, struct reply, obj)->slot;
}

struct thread *reply_server(struct object *holder)
{
	return holder->type == OBJ_THREAD ? container_of(holder, struct thread, obj) : NULL;
}

/* Takes the caller out (THREAD_MOVING); NULL if there is none with that number. */
static struct thread *take(struct object *holder, uint64_t number) REQUIRES(holder->lock)
{
	struct reply_slot *slot = slot_of(holder);
	struct thread *caller = slot->caller;

	if (caller == NULL || (number != 0 && slot->number != number))
		return NULL;
	slot->caller = NULL;
	thread_put(caller, THREAD_MOVING, NULL);
	return caller;
}

void reply_put_again(struct object *holder, const struct cap_ref *by, struct thread *caller)
{
	struct reply_slot *slot = slot_of(holder);

	spin_lock(&holder->lock);
	/* It may have got another call, or even be another object by now. */
	bool closed = slot->caller != NULL || (by != NULL && holder->gen != token_gen(by->token));
	if (!closed) {
		slot->caller = caller;
		thread_put(caller, THREAD_REPLY, holder);
	}
	spin_unlock(&holder->lock);
	if (closed)
		thread_complete(caller, &(struct thread_result){ .status = ST_PEER_GONE });
	else if (deadline_passed(caller->deadline)) /* while nobody could wake it */
		(void)thread_cancel_wait(caller, NULL, ST_DEADLINE);
}

status_t reply_answer(struct object *holder, struct thread *self, const struct answer *a,
		      struct thread **caller)
{
	status_t st = message_check(self, a->info);
	struct thread *t = NULL;

	if (st != ST_OK)
		return st;
	spin_lock(&holder->lock);
	if (a->by != NULL && !cap_still(a->by))
		st = ST_BAD_CAP;
	else if ((t = take(holder, a->number)) == NULL)
		st = ST_PEER_GONE;
	spin_unlock(&holder->lock);
	if (st != ST_OK)
		return st;
	struct message_carried m = message_carry(self, t, a->info);
	if (m.status != ST_OK) {
		reply_put_again(holder, a->by, t);
		return m.status;
	}
	thread_answer(t, &(struct thread_result){ .status = ST_OK, .info = m.info });
	*caller = t;
	return ST_OK;
}

status_t reply_save(struct reply *r, struct thread *self, uint64_t *number)
{
	status_t st = ST_OK;

	spin_lock(&self->obj.lock);
	struct thread *caller = self->reply.caller;
	if (r->slot.caller != NULL)
		st = ST_EXISTS;
	else if (caller == NULL)
		st = ST_BAD_STATE;
	if (st == ST_OK) {
		self->reply.caller = NULL;
		r->slot.number = *number = self->reply.number;
		r->slot.caller = caller;
		thread_put(caller, THREAD_REPLY, &r->obj);
	}
	spin_unlock(&self->obj.lock);
	return st;
}

void reply_abandon(struct object *holder)
{
	spin_lock(&holder->lock);
	struct thread *caller = take(holder, 0);
	spin_unlock(&holder->lock);
	if (caller != NULL)
		thread_complete(caller, &(struct thread_result){ .status = ST_PEER_GONE });
}

void reply_forget(struct object *holder, struct thread *t)
{
	struct thread *server = reply_server(holder);

	if (server != NULL)
		sched_note_debt(server, t);
	(void)take(holder, 0);
}

/* ---- the object ---- */

static bool reply_object_close(struct object *o)
{
	if (!(o->flags & OBJECT_NEW))
		reply_abandon(o);
	return true;
}

const struct object_ops reply_ops = OBJECT_OPS("reply", struct reply, LOCK_IPC, reply_object_close);
