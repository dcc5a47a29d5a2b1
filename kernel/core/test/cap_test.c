/* SPDX-License-Identifier: MIT */
#include "world.h"
#include <core/assert.h>
#include <test/test.h>
#include <string.h>

/* ---- tokens and handles ---- */

TEST(token_layout_is_published)
{
	_Static_assert(TOKEN_OBJECT_SHIFT == 32 && TOKEN_GEN_SHIFT == 16 && TOKEN_RIGHTS_SHIFT == 0,
	               "the token is 32/16/16");
	_Static_assert(sizeof(rights_t) == 2 && sizeof(cap_t) == 8, "as abi/rights.h says");
	uint64_t token = 0x12345678abcd9001;

	CHECK(token_object(token) == 0x12345678);
	CHECK(token_gen(token) == 0xabcd);
	CHECK(token_rights(token) == 0x9001);
	CHECK(token_make(0x12345678, 0xabcd, 0x9001) == token);
	CHECK(token_make(UINT32_MAX, 0, 0) == 0xffffffff00000000);
	CHECK(token_make(0, UINT16_MAX, 0) == 0xffff0000);
	CHECK(token_make(0, 0, UINT16_MAX) == 0xffff);
}

TEST(cap_find_tells_why_not)
{
	struct cap_ref ref;
	cap_t h;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	struct object *o = test_object_make(quota_root, cs, 0x0003, &h);
	CHECK(o != NULL && o->type == OBJ_NONE);

	CHECK(cap_find(cs, h, OBJ_NONE, 0x0003, &ref) == ST_OK);
	CHECK(ref.object == o && token_rights(ref.token) == 3 && ref.badge == 0);
	CHECK(cap_find(cs, h, OBJ_ANY, 0x0001, &ref) == ST_OK);
	CHECK(cap_find(cs, h, OBJ_ENDPOINT, 0x0001, &ref) == ST_BAD_TYPE);
	CHECK(cap_find(cs, h, OBJ_NONE, 0x0004, &ref) == ST_NO_RIGHT);
	CHECK(cap_find(cs, h, OBJ_NONE, 0x0007, &ref) == ST_NO_RIGHT);

	CHECK(cap_find(cs, CAP_NONE, OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	CHECK(cap_find(cs, h + 1, OBJ_ANY, 0, &ref) == ST_BAD_CAP); /* an empty slot */
	CHECK(cap_find(cs, h + (1ull << 32), OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	CHECK(cap_find(cs, (uint32_t)h, OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	for (unsigned shift = 6; shift < 32; shift++)
		CHECK(cap_find(cs, h | 1ull << shift, OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	CHECK(cap_find(cs, UINT64_MAX, OBJ_ANY, 0, &ref) == ST_BAD_CAP);

	CHECK(cap_lock(cs, h, OBJ_NONE, 1, &ref) == ST_OK);
	CHECK(spin_is_held(&o->lock));
	spin_unlock(&o->lock);
	CHECK(object_kill(o) != 0);
	CHECK(cap_lock(cs, h, OBJ_NONE, 1, &ref) == ST_BAD_CAP);
	CHECK(cap_find(cs, h, OBJ_ENDPOINT, 1, &ref) == ST_BAD_CAP); /* not: of another type */
	CHECK(cap_find(cs, h, OBJ_NONE, 4, &ref) == ST_BAD_CAP);
}
