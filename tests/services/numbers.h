/* SPDX-License-Identifier: MIT */
/* tests/services/numbers.h - the programs of the test composition. */
#pragma once

enum { TESTER, KEEPER, CLIENT, SECOND, VICTIM, MORTAL, HUNG, BARE, PROGRAMS };
