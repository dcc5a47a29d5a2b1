/* SPDX-License-Identifier: MIT */
/* lib/pci/test/machine.h - PCI functions that are played: bytes, and which of their bits can be
 * written. What a real function has in its BARs follows from that. */
#pragma once
#include <lib/pci/config.h>

#define MACHINE_FUNCTIONS 80u

struct machine_function {
	struct pci_address address;
	uint8_t byte[PCI_SPACE], writable[PCI_SPACE];
	uint8_t once[PCI_SPACE]; /* bits that change by themselves at each write */
	unsigned reset_at;       /* offset of the byte whose bit resets it; 0: none does */
	uint8_t reset_bit;
	unsigned resets;
};

struct machine {
	struct machine_function function[MACHINE_FUNCTIONS];
	unsigned count;
	unsigned slept;       /* milliseconds */
	unsigned bad_decodes; /* a BAR had all ones while its function answered there */
};

/* Begins a machine without functions, and gives the interface to it. */
struct pci_config machine_begin(struct machine *m);

/* Adds a function: a device with an identity, that can be allowed memory and bus mastering. */
struct machine_function *machine_add(struct machine *m, uint8_t bus, uint8_t device,
				     uint8_t function);

/* Adds a bridge to the buses from `first` to `last`. */
struct machine_function *machine_add_bridge(struct machine *m, struct pci_address a, uint8_t first,
					    uint8_t last);

/* Gives a function a BAR with these bits, of which some can be written. */
void machine_bar(struct machine_function *f, unsigned bar, uint32_t value, uint32_t writable);

/* Appends a capability of `id` at `offset` to the list, at whose end `last` is (PCI_CAPABILITY - 1
 * for the first). */
void machine_capability(struct machine_function *f, unsigned last, unsigned offset, uint8_t id);

/* Sets `size` bytes of a function. */
void machine_put(struct machine_function *f, unsigned offset, uint64_t value, unsigned size);

/* For struct pci_pause: counts. */
void machine_sleep(void *self, unsigned milliseconds);
