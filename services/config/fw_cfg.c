/* SPDX-License-Identifier: MIT */
#include <services/config/fw_cfg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_SIGNATURE 0x0000 /* reads as "QEMU" */
#define ITEM_DIRECTORY 0x0019
#define FILES_MOST     1024

struct directory_entry {
	uint32_t size;
	uint16_t item;
	char name[FW_CFG_NAME];
};

static status_t read_bytes(const struct fw_cfg *device, void *to, size_t size)
{
	uint8_t *bytes = to;
	status_t st = ST_OK;

	for (size_t i = 0; i < size && st == ST_OK; i++)
		st = device->read(device->self, &bytes[i]);
	return st;
}

/* A number of `size` bytes, the highest first. */
static status_t read_number(const struct fw_cfg *device, size_t size, uint32_t *number)
{
	uint8_t byte[sizeof(*number)];
	status_t st = read_bytes(device, byte, size);

	*number = 0;
	for (size_t i = 0; st == ST_OK && i < size; i++)
		*number = *number << 8 | byte[i];
	return st;
}

static status_t read_entry(const struct fw_cfg *device, struct directory_entry *e)
{
	uint32_t item = 0, reserved;
	status_t st = read_number(device, 4, &e->size);

	if (st == ST_OK)
		st = read_number(device, 2, &item);
	if (st == ST_OK)
		st = read_number(device, 2, &reserved);
	if (st == ST_OK)
		st = read_bytes(device, e->name, sizeof(e->name));
	e->item = (uint16_t)item;
	return st;
}

static status_t check_signature(const struct fw_cfg *device)
{
	char signature[4];
	status_t st = device->select(device->self, ITEM_SIGNATURE);

	if (st == ST_OK)
		st = read_bytes(device, signature, sizeof(signature));
	if (st == ST_OK && memcmp(signature, "QEMU", 4) != 0)
		st = ST_UNSUPPORTED;
	return st;
}

static status_t find(const struct fw_cfg *device, const char *name, struct directory_entry *e)
{
	uint32_t count;
	status_t st = device->select(device->self, ITEM_DIRECTORY);

	if (st == ST_OK)
		st = read_number(device, 4, &count);
	for (uint32_t i = 0; st == ST_OK && i < count && i < FILES_MOST; i++) {
		st = read_entry(device, e);
		if (st == ST_OK && strncmp(e->name, name, sizeof(e->name)) == 0)
			return ST_OK;
	}
	return st == ST_OK ? ST_WOULD_BLOCK : st;
}

status_t fw_cfg_read(const struct fw_cfg *device, const char *name, size_t most, char **bytes,
		     size_t *size)
{
	struct directory_entry e;
	char *buffer;
	status_t st = check_signature(device);

	if (st == ST_OK)
		st = find(device, name, &e);
	if (st == ST_OK && e.size > most)
		st = ST_TOO_BIG;
	if (st == ST_OK)
		st = device->select(device->self, e.item);
	if (st != ST_OK)
		return st;
	buffer = malloc((size_t)e.size + 1);
	if (buffer == NULL)
		return ST_NO_MEMORY;
	st = read_bytes(device, buffer, e.size);
	if (st != ST_OK) {
		free(buffer);
		return st;
	}
	buffer[e.size] = '\0';
	*bytes = buffer;
	*size = e.size;
	return ST_OK;
}
