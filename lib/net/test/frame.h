/* SPDX-License-Identifier: MIT */
/* lib/net/test/frame.h - frames made by hand. Offsets are those of IPv4 without options. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define FRAME_TYPE      12
#define FRAME_IP        14
#define FRAME_FRAGMENT  20
#define FRAME_PROTOCOL  23
#define FRAME_FROM      26
#define FRAME_TO        30
#define FRAME_BODY      34
#define FRAME_TCP_FLAGS 47
#define FRAME_UDP_DATA  42

/* 16 bits in the order of the network. */
void frame_put16(uint8_t *at, unsigned value);
unsigned frame_get16(const uint8_t *at);

/* Makes the checksums of an IPv4 frame right: its header's, and that of ICMP, TCP or UDP. */
void frame_mend(uint8_t *frame, size_t length);

/* Begins a frame from 10.0.0.`from` to 10.0.0.`to` (MAC addresses end in the same) with `length`
 * bytes behind the IPv4 header; returns its length. The body, at FRAME_BODY, is zeros. */
size_t frame_begin(uint8_t *frame, unsigned from, unsigned to, unsigned protocol, size_t length);
