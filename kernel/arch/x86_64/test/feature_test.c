/* SPDX-License-Identifier: MIT */
/* Decisions about processors that are not there; runs on the host. */
#include "../feature.h"
#include <test/test.h>

static bool text_is(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* CPUID's answer to leaf 0 for the vendor `name` of twelve letters. */
static struct cpuid vendor_leaf(const char *name)
{
	uint32_t word[3] = { 0 };

	for (unsigned i = 0; i < 12; i++)
		word[i / 4] |= (uint32_t)(uint8_t)name[i] << (i % 4 * 8);
	return (struct cpuid){ .eax = 0xd, .ebx = word[0], .edx = word[1], .ecx = word[2] };
}

static struct feature_set decode(const char *vendor, uint32_t signature, uint64_t capabilities)
{
	const struct feature_leaves leaves = {
		.vendor = vendor_leaf(vendor),
		.basic = { .eax = signature },
		.arch_capabilities = capabilities,
	};
	struct feature_set set;

	feature_decode(&leaves, &set);
	return set;
}

TEST(feature_decodes_vendor_and_model)
{
	static const struct {
		const char *vendor;
		uint32_t signature, family, model, stepping;
	} cpus[] = {
		{ "GenuineIntel", 0x000506e3, 6, 94, 3 },   /* Skylake */
		{ "GenuineIntel", 0x000106ca, 6, 28, 10 },  /* Bonnell */
		{ "GenuineIntel", 0x00000f29, 15, 2, 9 },   /* Pentium 4 */
		{ "GenuineIntel", 0x00000543, 5, 4, 3 },    /* Pentium */
		{ "AuthenticAMD", 0x00060fb1, 15, 107, 1 }, /* what TCG shows */
		{ "AuthenticAMD", 0x00870f10, 23, 113, 0 }, /* Zen 2 */
		{ "HygonGenuine", 0x00900f02, 24, 0, 2 },   /* Dhyana */
	};

	for (unsigned i = 0; i < ARRAY_LEN(cpus); i++) {
		const struct feature_set s = decode(cpus[i].vendor, cpus[i].signature, 0);

		CHECK(text_is(s.vendor, cpus[i].vendor));
		CHECK(s.family == cpus[i].family && s.model == cpus[i].model);
		CHECK(s.stepping == cpus[i].stepping);
	}
}

TEST(feature_isolation_is_asked_of_the_right_cpus)
{
	static const struct {
		const char *vendor;
		uint32_t signature;
		uint64_t capabilities;
		bool needs;
	} cpus[] = {
		{ "AuthenticAMD", 0x00060fb1, 0, false },
		{ "AuthenticAMD", 0x00870f10, 0, false },
		{ "HygonGenuine", 0x00900f02, 0, false },
		{ "GenuineIntel", 0x000506e3, 0, true },     /* Skylake */
		{ "GenuineIntel", 0x000506e3, 1, false },    /* says RDCL_NO */
		{ "GenuineIntel", 0x000506e3, ~1ull, true }, /* says all but that */
		{ "GenuineIntel", 0x00050656, 0, true },     /* Skylake-SP without the register */
		{ "GenuineIntel", 0x00050656, 0x2b, false }, /* Cascade Lake */
		{ "GenuineIntel", 0x000106ca, 0, false },    /* Bonnell: in order */
		{ "GenuineIntel", 0x00030673, 0, true },     /* Silvermont */
		{ "GenuineIntel", 0x00000f29, 0, true },     /* Pentium 4 */
		{ "GenuineIntel", 0x000106ca | 15u << 8, 0, true }, /* its model, another family */
		{ "AuthenticAMe", 0x000106ca, 0, true },            /* its model, another vendor */
		{ "CentaurHauls", 0x000006f2, 0, true },            /* unknown to us */
		{ "CentaurHauls", 0x000006f2, 1, false },
		{ "            ", 0, 0, true },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cpus); i++) {
		const struct feature_set s =
			decode(cpus[i].vendor, cpus[i].signature, cpus[i].capabilities);

		CHECK(feature_needs_isolation(&s) == cpus[i].needs);
	}
}

TEST(feature_bits_come_from_their_leaves)
{
	struct feature_leaves none = { 0 };
	struct feature_leaves leaves = { 0 };
	struct feature_set s;

	feature_decode(&none, &s);
	CHECK(s.bits == 0 && s.xcr0 == 0 && s.physical_bits == 36);

	leaves.structured.ebx = 1u << 20 | 1u << 7;
	leaves.extended.edx = 1u << 20;
	leaves.power.edx = 1u << 8;
	leaves.sizes.eax = 0x3028;
	feature_decode(&leaves, &s);
	CHECK(s.bits == (1ull << FEATURE_SMAP | 1ull << FEATURE_SMEP | 1ull << FEATURE_NX |
			 1ull << FEATURE_INVARIANT_TSC));
	CHECK(feature_has(&s, FEATURE_SMAP) && !feature_has(&s, FEATURE_UMIP));
	CHECK(s.physical_bits == 40);
}

TEST(feature_missing_names_what_is_required)
{
	const struct feature_leaves leaves = {
		.basic = { .edx = ~0u },
		.extended = { .edx = ~(1u << 20) },
	};
	struct feature_set s;
	char names[32], cut[4];

	feature_decode(&leaves, &s);
	CHECK(feature_missing(&s) == 1ull << FEATURE_NX);
	feature_names(feature_missing(&s), names, sizeof(names));
	CHECK(text_is(names, "nx"));
	s.bits |= 1ull << FEATURE_NX;
	CHECK(feature_missing(&s) == 0);
	feature_names(0, names, sizeof(names));
	CHECK(text_is(names, ""));
	feature_names(1ull << FEATURE_SMEP | 1ull << FEATURE_SMAP, names, sizeof(names));
	CHECK(text_is(names, "smep smap"));
	feature_names(1ull << FEATURE_SMEP | 1ull << FEATURE_SMAP, cut, sizeof(cut));
	CHECK(text_is(cut, "sme"));
}

static uint64_t xcr0_for(uint32_t offered)
{
	const struct feature_leaves leaves = {
		.basic = { .ecx = 1u << 26 },
		.xsave0 = { .eax = offered },
	};
	struct feature_set s;

	feature_decode(&leaves, &s);
	return s.xcr0;
}

TEST(feature_vector_state_comes_in_whole_sets)
{
	CHECK(xcr0_for(0x003) == 0x03); /* x87 and SSE */
	CHECK(xcr0_for(0x007) == 0x07); /* AVX */
	CHECK(xcr0_for(0x0e7) == 0xe7); /* AVX-512 */
	CHECK(xcr0_for(0x0c7) == 0x07); /* half of AVX-512 */
	CHECK(xcr0_for(0x0e3) == 0x03); /* AVX-512 without AVX */
	CHECK(xcr0_for(0x21f) == 0x07); /* bounds registers and keys are left off */
}
