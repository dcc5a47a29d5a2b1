/* SPDX-License-Identifier: MIT */
#include "feature.h"
#include <core/format.h>

/* What every CPU with long mode has at least (Intel SDM volume 3, section 4.1.4). */
#define PHYSICAL_BITS_UNTOLD 36

static const char *const names[FEATURE_COUNT] = {
#define FEATURE_NAME(id, name, leaf, reg, bit, required) name,
	FEATURE_LIST(FEATURE_NAME)
#undef FEATURE_NAME
};

static const uint64_t required_bits = 0
#define FEATURE_REQUIRED(id, name, leaf, reg, bit, required) | (uint64_t)(required) << FEATURE_##id
	FEATURE_LIST(FEATURE_REQUIRED)
#undef FEATURE_REQUIRED
	;

/* Family 15 adds the extended family; both old families extend the model. */
static void decode_model(uint32_t eax, struct feature_set *to)
{
	uint32_t family = eax >> 8 & 0xf, model = eax >> 4 & 0xf;

	if (family == 6 || family == 15)
		model |= (eax >> 16 & 0xf) << 4;
	if (family == 15)
		family += eax >> 20 & 0xff;
	to->family = family;
	to->model = model;
	to->stepping = eax & 0xf;
}

static void decode_vendor(const struct cpuid *leaf, char out[13])
{
	const uint32_t words[3] = { leaf->ebx, leaf->edx, leaf->ecx };

	for (unsigned i = 0; i < 12; i++)
		out[i] = (char)(words[i / 4] >> (i % 4 * 8));
	out[12] = '\0';
}

/* The states that the kernel will save and restore. AVX-512 comes whole, and
 * only on top of AVX. */
static uint64_t choose_xcr0(const struct feature_leaves *from)
{
	const uint64_t offered = (uint64_t)from->xsave0.edx << 32 | from->xsave0.eax;
	uint64_t chosen = XCR0_X87 | XCR0_SSE;

	if ((offered & XCR0_AVX) == 0)
		return chosen;
	chosen |= XCR0_AVX;
	if ((offered & XCR0_AVX512) == XCR0_AVX512)
		chosen |= XCR0_AVX512;
	return chosen;
}

void feature_decode(const struct feature_leaves *from, struct feature_set *to)
{
	*to = (struct feature_set){ 0 };
#define FEATURE_BIT(id, name, leaf, reg, bit, required)                                            \
	to->bits |= (uint64_t)((from->leaf.reg >> (bit)) & 1u) << FEATURE_##id;
	FEATURE_LIST(FEATURE_BIT)
#undef FEATURE_BIT
	decode_vendor(&from->vendor, to->vendor);
	decode_model(from->basic.eax, to);
	to->physical_bits = from->sizes.eax & 0xff;
	if (to->physical_bits == 0)
		to->physical_bits = PHYSICAL_BITS_UNTOLD;
	to->arch_capabilities = from->arch_capabilities;
	if (feature_has(to, FEATURE_XSAVE))
		to->xcr0 = choose_xcr0(from);
}

void feature_names(uint64_t bits, char *out, size_t size)
{
	size_t used = 0;

	if (size > 0)
		out[0] = '\0';
	for (unsigned f = 0; f < FEATURE_COUNT && used < size; f++) {
		if (bits >> f & 1)
			used += format(out + used, size - used, used == 0 ? "%s" : " %s", names[f]);
	}
}

/* All that is missing at once: who has to choose another processor wants the list. */
uint64_t feature_missing(const struct feature_set *s)
{
	return required_bits & ~s->bits;
}

static bool vendor_is(const struct feature_set *s, const char *name)
{
	for (unsigned i = 0; i < sizeof(s->vendor); i++) {
		if (s->vendor[i] != name[i])
			return false;
	}
	return true;
}

/* Intel's in-order Atoms do not speculate: Bonnell and Saltwell. */
static bool is_in_order_atom(const struct feature_set *s)
{
	if (s->family != 6 || !vendor_is(s, "GenuineIntel"))
		return false;
	switch (s->model) {
	case 0x1c:
	case 0x26:
	case 0x27:
	case 0x35:
	case 0x36:
		return true;
	default:
		return false;
	}
}

bool feature_needs_isolation(const struct feature_set *s)
{
	if (s->arch_capabilities & ARCH_CAPABILITIES_RDCL_NO)
		return false;
	if (vendor_is(s, "AuthenticAMD") || vendor_is(s, "HygonGenuine"))
		return false;
	return !is_in_order_atom(s);
}
