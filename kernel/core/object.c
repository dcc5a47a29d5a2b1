/* SPDX-License-Identifier: MIT */
#include <core/object.h>
#include <core/assert.h>

void object_start(struct object *o)
{
	spin_lock(&o->lock);
	ASSERT(!(o->flags & OBJECT_LIVE));
	o->flags = OBJECT_LIVE;
	spin_unlock(&o->lock);
}

/* Under the lock: a look-up that holds it sees a whole life or none, never a new
 * generation on an object that still counts as alive. */
bool object_kill(struct object *o)
{
	spin_lock(&o->lock);
	bool was_live = o->flags & OBJECT_LIVE;
	if (was_live) {
		o->flags = 0;
		o->gen = (object_gen_t)((o->gen + 1) & ARCH_OBJECT_GEN_MASK);
	}
	spin_unlock(&o->lock);
	return was_live;
}

bool object_is(const struct object *o, uint8_t type, object_gen_t gen)
{
	return (o->flags & OBJECT_LIVE) && o->type == type && o->gen == gen;
}
