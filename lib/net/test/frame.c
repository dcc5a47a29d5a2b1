/* SPDX-License-Identifier: MIT */
#include "frame.h"
#include <string.h>

void frame_put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

unsigned frame_get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static uint32_t sum(const uint8_t *at, size_t length, uint32_t so_far)
{
	for (size_t i = 0; i < length; i++)
		so_far += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
	return so_far;
}

static void put_sum(uint8_t *at, uint32_t total)
{
	while (total >> 16 != 0)
		total = (total & 0xffff) + (total >> 16);
	frame_put16(at, ~total & 0xffff);
}

void frame_mend(uint8_t *frame, size_t length)
{
	uint8_t *ip = frame + FRAME_IP;
	size_t header = (size_t)(ip[0] & 15) * 4;

	if (length < FRAME_IP + 20 || header < 20 || length < FRAME_IP + header)
		return;
	frame_put16(ip + 10, 0);
	put_sum(ip + 10, sum(ip, header, 0));
	size_t whole = frame_get16(ip + 2);
	if (whole < header || whole > length - FRAME_IP)
		return;
	uint8_t *body = ip + header;
	size_t rest = whole - header;
	size_t at = ip[9] == 1 ? 2 : ip[9] == 6 ? 16 : 6;
	if ((ip[9] != 1 && ip[9] != 6 && ip[9] != 17) || rest < at + 2)
		return;
	frame_put16(body + at, 0);
	uint32_t pseudo = ip[9] == 1 ? 0 : sum(ip + 12, 8, ip[9] + (uint32_t)rest);
	put_sum(body + at, sum(body, rest, pseudo));
}

size_t frame_begin(uint8_t *frame, unsigned from, unsigned to, unsigned protocol, size_t length)
{
	memset(frame, 0, FRAME_BODY + length);
	memcpy(frame, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)to, 2, 0, 0, 0, 0, (uint8_t)from, 8 },
	       13);
	uint8_t *ip = frame + FRAME_IP;
	ip[0] = 0x45;
	frame_put16(ip + 2, (unsigned)(20 + length));
	ip[8] = 64;
	ip[9] = (uint8_t)protocol;
	memcpy(ip + 12, (uint8_t[]){ 10, 0, 0, (uint8_t)from, 10, 0, 0, (uint8_t)to }, 8);
	return FRAME_BODY + length;
}
