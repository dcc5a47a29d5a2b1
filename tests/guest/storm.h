/* SPDX-License-Identifier: MIT */
/* tests/guest/storm.h - masses of capabilities and objects, for tests and for what they cost.
 *
 * Each begins and ends with as many objects as there were; a CHECK in it fails the case.
 */
#pragma once
#include "world.h"

/* `count` capabilities below one, in four spaces, are revoked while others revoke a part of them,
 * derive from them, and make calls that have nothing to do with it. */
void storm_revoke(unsigned count);

/* One capability with `count` children is dropped, or moved, four of them at once in a message. */
void storm_heirs(unsigned count);

/* A space with `count` capabilities is destroyed, and a quota with `count` objects. */
void storm_destroy(unsigned count);

/* Spaces are made and destroyed. */
void storm_spaces(unsigned count);

/* So much memory is committed, mapped, shared, sealed and given back. */
void storm_memory(uint64_t pages);

/* Capabilities come and go while others use handles that named one before. */
void storm_stale(unsigned rounds);

/* A quota is filled up with objects of every kind, and destroyed. */
void storm_bomb(void);
