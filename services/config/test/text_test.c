/* SPDX-License-Identifier: MIT */
#include <services/config/text.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

/* Asks with a copy that ends where it should, so that a look beyond is seen. */
static bool is(bool (*check)(const char *, size_t), const char *text)
{
	char *copy = strdup(text);
	bool yes = check(copy, strlen(copy));

	free(copy);
	return yes;
}

static void check_all(bool (*check)(const char *, size_t), const char *const *good,
		      const char *const *bad)
{
	for (; *good != NULL; good++) {
		if (!is(check, *good))
			test_fail(__FILE__, __LINE__, *good);
	}
	for (; *bad != NULL; bad++) {
		if (is(check, *bad))
			test_fail(__FILE__, __LINE__, *bad);
	}
}

#define LONG_LABEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 63 */

TEST(text_hosts)
{
	check_all(text_is_host,
		  (const char *const[]){ "node", "Node-7.example.org", "3com", LONG_LABEL, NULL },
		  (const char *const[]){ "", "-node", "node-", "a..b", ".a", "a.", "a_b", "a b",
					 LONG_LABEL "a", NULL });
}

TEST(text_addresses)
{
	check_all(text_is_address,
		  (const char *const[]){ "10.0.2.15", "0.0.0.0", "::", "fe80::1", "::ffff:1.2.3.4",
					 NULL },
		  (const char *const[]){ "", "10.0.2", "10.0.2.256", "10.0.2.15 ", "1.2.3.4.5",
					 "::1::", "fe80::12345", "10.0.2.15/24", NULL });
	check_all(text_is_network,
		  (const char *const[]){ "10.0.2.15/24", "10.0.2.15/32", "fd00::1/64", "::1/128",
					 NULL },
		  (const char *const[]){ "10.0.2.15", "10.0.2.15/", "10.0.2.15/33", "::1/129",
					 "10.0.2.15/024", "10.0.2.15/0", "/24", NULL });
}

TEST(text_listeners)
{
	check_all(text_is_listener,
		  (const char *const[]){ "http://127.0.0.1:2375", "https://[::]:1",
					 "https://0.0.0.0:65535", NULL },
		  (const char *const[]){ "", "http://", "http://:80", "http://1.2.3.4",
					 "http://1.2.3.4:", "http://1.2.3.4:0",
					 "http://1.2.3.4:65536", "http://::1:80",
					 "http://[1.2.3.4]:80", "http://[]:80", "ftp://1.2.3.4:80",
					 "http://node:80", "http://[::1:80", NULL });
}

#define BEGIN(label) "-----BEGIN " label "-----\n"
#define END(label)   "-----END " label "-----"

TEST(text_pem)
{
	check_all(text_is_certificates,
		  (const char *const[]){ BEGIN("CERTIFICATE") "aGk=\n" END("CERTIFICATE"),
					 BEGIN("CERTIFICATE") "a+/\nb\n" END("CERTIFICATE") "\n",
					 BEGIN("CERTIFICATE") "aa\n" END("CERTIFICATE") "\n" BEGIN(
						 "CERTIFICATE") "aa\n" END("CERTIFICATE") "\n",
					 "-----BEGIN CERTIFICATE-----\r\naa\r\n-----END "
					 "CERTIFICATE-----\r\n",
					 NULL },
		  (const char *const[]){ "", "aGk=", BEGIN("CERTIFICATE") "aGk=\n",
					 BEGIN("CERTIFICATE") "a!\n" END("CERTIFICATE"),
					 BEGIN("CERTIFICATE") "aa\n" END("PRIVATE KEY"),
					 BEGIN("PRIVATE KEY") "aa\n" END("PRIVATE KEY"),
					 BEGIN("CERTIFICATE") "aa\n" END("CERTIFICATE") "x",
					 BEGIN("CERTIFICATE") "aa\n\n" END("CERTIFICATE"), NULL });
	check_all(text_is_key,
		  (const char *const[]){ BEGIN("PRIVATE KEY") "aa\n" END("PRIVATE KEY") "\n",
					 BEGIN("EC PRIVATE KEY") "aa\n" END("EC PRIVATE KEY"),
					 NULL },
		  (const char *const[]){
			  "", BEGIN("CERTIFICATE") "aa\n" END("CERTIFICATE"),
			  BEGIN("ENCRYPTED PRIVATE KEY") "aa\n" END("ENCRYPTED PRIVATE KEY"),
			  BEGIN("PRIVATE KEY") "aa\n" END("PRIVATE KEY") "\nx", NULL });
}

TEST(text_names_of_containers_and_images)
{
	check_all(text_is_registry,
		  (const char *const[]){ "docker.io", "localhost:5000", "10.0.0.1:5000",
					 "[::1]:5000", NULL },
		  (const char *const[]){ "", ":5000", "host:", "host:99999", "http://host", "a:b:c",
					 NULL });
	check_all(text_is_image,
		  (const char *const[]){ "alpine", "docker.io/library/alpine:3.20", "a@sha256:0123",
					 NULL },
		  (const char *const[]){ "", "/a", "a b", "a;b", "a\n", NULL });
	check_all(text_is_name, (const char *const[]){ "web", "web-1_a.b", "1", NULL },
		  (const char *const[]){ "", "-web", "a/b", "a b", NULL });
	check_all(text_is_publication,
		  (const char *const[]){ "80:8080", "53:53/udp", "1:65535/tcp", NULL },
		  (const char *const[]){ "", ":", "80", "80:", ":80", "80:/tcp", "0:1", "1:65536",
					 "80:80/sctp", "/tcp", "a:b", NULL });
	check_all(text_is_assignment, (const char *const[]){ "A=", "A=b=c", NULL },
		  (const char *const[]){ "", "A", "=b", "A=\n", NULL });
}

TEST(text_with_a_zero_byte_is_refused)
{
	CHECK(!text_is_host("a\0b", 3));
	CHECK(!text_is_address("1.2.3.4\0", 8));
	CHECK(!text_is_plain("a\0", 2));
	CHECK(!text_is_name("a\0", 2));
	CHECK(!text_is_image("a\0", 2));
	CHECK(!text_is_key(BEGIN("PRIVATE KEY") "aa\n" END("PRIVATE KEY") "\0", 66));
}
