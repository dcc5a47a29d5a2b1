/* SPDX-License-Identifier: MIT */
#include <services/config/config.h>
#include <services/config/service.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

/* What was told, one line below the other. */
static char told[16384];
static unsigned told_lines;

static void say(void *self, const char *line)
{
	(void)self;
	told_lines++;
	strncat(told, line, sizeof(told) - strlen(told) - 1);
	strncat(told, "\n", sizeof(told) - strlen(told) - 1);
}

static const struct report report = { say, NULL };

static void merge(struct document *d, const char *json, const char *options)
{
	char *copy = strdup(json); /* so that a look behind the end is seen */

	told[0] = '\0';
	told_lines = 0;
	document_init(d);
	config_merge(d, copy, strlen(copy), options, &report);
	free(copy);
}

static bool has(const struct document *d, const char *path, uint32_t index, const char *text)
{
	const struct document_value *v = document_find(d, path, index);

	return text == NULL ? v == NULL : v != NULL && strcmp(v->text, text) == 0;
}

/* Whether this alone is wrong, and told with this line and these words. */
static bool is_told(const char *json, const char *options, const char *words)
{
	struct document d;
	bool good;

	merge(&d, json, options);
	good = told_lines == 1 && strstr(told, words) != NULL;
	if (!good)
		fprintf(stderr, "%s: told: %s", json, told);
	document_destroy(&d);
	return good;
}

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\\naa\\n-----END CERTIFICATE-----\\n"
#define KEY         "-----BEGIN PRIVATE KEY-----\\naa\\n-----END PRIVATE KEY-----\\n"

static const char whole[] =
	"{\n\"hostname\": \"node-7\", \"log\": {\"level\": \"debug\"},\n"
	"\"network\": {\"mode\": \"static\", \"address\": \"10.0.2.15/24\",\n"
	"  \"gateway\": \"10.0.2.2\", \"dns\": [\"10.0.2.3\", \"fd00::3\"]},\n"
	"\"api\": {\"listen\": [\"https://0.0.0.0:2376\"], \"certificate\": \"" CERTIFICATE "\",\n"
	"  \"key\": \"" KEY "\", \"clients\": \"" CERTIFICATE "\"},\n"
	"\"registries\": [{\"name\": \"docker.io\", \"user\": \"me\", \"password\": \"\\u00e9\"},\n"
	"  {\"name\": \"10.0.2.2:5000\", \"plain_http\": true}],\n"
	"\"containers\": [{\"name\": \"web\", \"image\": \"nginx:1\", \"command\": [\"a\", \"\"],\n"
	"  \"environment\": [\"A=1\"], \"publish\": [\"80:80\"], \"memory_mib\": 64,\n"
	"  \"cpu_percent\": 150, \"restart\": \"always\"}]}\n";

TEST(config_takes_all_that_there_is)
{
	struct document d;

	merge(&d, whole, "");
	CHECK(told_lines == 0);
	CHECK(has(&d, "hostname", 0, "node-7") && has(&d, "log.level", 0, "debug"));
	CHECK(has(&d, "network.mode", 0, "static") &&
	      has(&d, "network.address", 0, "10.0.2.15/24"));
	CHECK(has(&d, "network.gateway", 0, "10.0.2.2") && has(&d, "network.dns", 1, "fd00::3"));
	CHECK(has(&d, "api.listen", 0, "https://0.0.0.0:2376"));
	CHECK(document_find(&d, "api.key", 0)->secret &&
	      !document_find(&d, "api.clients", 0)->secret);
	CHECK(document_count(&d, "registries") == 2 &&
	      has(&d, "registries[0].plain_http", 0, "false"));
	CHECK(has(&d, "registries[0].password", 0, "\303\251") &&
	      has(&d, "registries[0].user", 0, "me"));
	CHECK(has(&d, "registries[1].plain_http", 0, "true"));
	CHECK(has(&d, "containers[0].command", 1, "") &&
	      has(&d, "containers[0].memory_mib", 0, "64"));
	CHECK(has(&d, "containers[0].cpu_percent", 0, "150"));
	CHECK(document_find(&d, "containers[0].environment", 0)->secret);
	document_destroy(&d);
}

static void check_defaults(const struct document *d)
{
	CHECK(has(d, "hostname", 0, "themelios") && has(d, "log.level", 0, "info"));
	CHECK(has(d, "network.mode", 0, "dhcp") && has(d, "network.address", 0, NULL));
	CHECK(document_count(d, "registries") == 0 && document_count(d, "api.listen") == 0);
	CHECK(d->count == 3);
}

TEST(config_of_nothing_has_the_defaults)
{
	struct document d;

	merge(&d, "", "");
	CHECK(told_lines == 0);
	check_defaults(&d);
	document_destroy(&d);
}

/* Every field: a wrong value is told with its line and path, and the default is there. */
TEST(config_tells_each_wrong_field_with_its_place)
{
	static const struct {
		const char *json, *words;
	} wrong[] = {
		{ "{\"hostname\":\n\n\"-\"}",
		  "fw_cfg, line 3: hostname: it has to be a host name" },
		{ "{\"hostname\": 7}", "line 1: hostname: it has to be a text: a host" },
		{ "{\n\"hostname\": \"\"}",
		  "line 2: hostname: it has 0 bytes, and may have 1 to 63" },
		{ "{\n\"hostname\":\nnull}", "line 2: hostname: it has to be a text" },
		{ "{\"host\\nname\": \"a\"}", "line 1: host?name: there is no such field" },
		{ "{\"log\": {\"level\": \"loud\"}}", "log.level: it has to be error, warning" },
		{ "{\"log\": []}", "line 1: log: it has to be an object" },
		{ "{\"network\": {\"mode\": \"ppp\"}}",
		  "network.mode: it has to be dhcp or static" },
		{ "{\"network\": {\"address\": \"1.2.3.4\"}}",
		  "network.address: it has to be an addr" },
		{ "{\"network\": {\"gateway\": \"x\"}}",
		  "network.gateway: it has to be an address" },
		{ "{\"network\": {\"dns\": \"1.2.3.4\"}}", "network.dns: it has to be a list" },
		{ "{\"network\": {\"dns\": [\"1.2.3.4\",\n\"x\"]}}",
		  "line 2: network.dns[1]: it has" },
		{ "{\"network\": {\"dns\": [1,2,3,4,5]}}", "network.dns: the list has 5 elements" },
		{ "{\"api\": {\"listen\": [\"x\"]}}", "api.listen[0]: it has to be http://" },
		{ "{\"api\": {\"certificate\": \"x\"}}",
		  "api.certificate: it has to be certificates" },
		{ "{\"api\": {\"key\": \"x\"}}", "api.key: it has to be a private key" },
		{ "{\"api\": {\"clients\": \"x\"}}", "api.clients: it has to be certificates" },
		{ "{\"registries\": [7]}", "registries[0]: it has to be an object" },
		{ "{\"registries\": [{\"user\": \"x\"}]}",
		  "registries[0]: it has no good name and is" },
		{ "{\"containers\": [{\"name\": \"x\"}]}",
		  "containers[0]: it has no good image and" },
		{ "[]", "line 1: the text: it has to be an object" },
		{ "{\n\"hostname\": \"a\"\n1}", "line 3: the text: it is no JSON" },
		{ "{\"hostname\": \"\xff\"}", "the text: it is no JSON" },
		{ "{\"a\": \"\\ud800\"}", "the text: it is no JSON" },
		{ "\xef\xbb\xbf{}", "the text: it is no JSON" },
		{ "[[[[[[[[[]]]]]]]]]", "the text: it is nested deeper than 8 levels" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct document d;

		CHECK(is_told(wrong[i].json, "", wrong[i].words));
		merge(&d, wrong[i].json, "");
		check_defaults(&d);
		document_destroy(&d);
	}
}

TEST(config_keeps_what_is_good_beside_what_is_wrong)
{
	struct document d;

	merge(&d,
	      "{\"colour\": 1, \"hostname\": \"a\", \"hostname\": \"b\", \"registries\": [\n"
	      "{\"name\": \"-\"}, {\"name\": \"r\", \"plain_http\": 1, \"user\": \"u\"},\n"
	      "{\"name\": \"r\"}, {\"name\": \"s\"}],\n"
	      "\"containers\": [{\"name\": \"c\", \"image\": \"i\", \"memory_mib\": 1.5,\n"
	      "\"cpu_percent\": 0, \"command\": [\"a\", 2], \"restart\": \"no\"}]}",
	      "");
	CHECK(has(&d, "hostname", 0, "a"));
	CHECK(document_count(&d, "registries") == 2);
	CHECK(has(&d, "registries[0].name", 0, "r") && has(&d, "registries[0].user", 0, "u"));
	CHECK(has(&d, "registries[0].plain_http", 0, "false") &&
	      has(&d, "registries[1].name", 0, "s"));
	CHECK(has(&d, "containers[0].memory_mib", 0, NULL));
	CHECK(has(&d, "containers[0].cpu_percent", 0, NULL));
	CHECK(document_count(&d, "containers[0].command") == 0);
	CHECK(has(&d, "containers[0].restart", 0, "never"));
	CHECK(strstr(told, "line 1: hostname: it is there a second time") != NULL);
	CHECK(strstr(told, "line 2: registries[0].name: it has to be a host") != NULL);
	CHECK(strstr(told, "line 2: registries[0]: it has no good name") != NULL);
	CHECK(strstr(told, "line 2: registries[1].plain_http: it has to be true or false") != NULL);
	CHECK(strstr(told, "line 3: registries[2]: one before it has its name") != NULL);
	CHECK(strstr(told, "line 4: containers[0].memory_mib: it has to be a whole number") !=
	      NULL);
	CHECK(strstr(told, "line 5: containers[0].command[1]: it has to be a text") != NULL);
	CHECK(told_lines == 10);
	document_destroy(&d);
}

TEST(config_options_win)
{
	struct document d;

	merge(&d, whole,
	      "quiet hostname=other  loglevel=error dns=1.1.1.1,::1 log=debug hostnames=x");
	CHECK(told_lines == 0);
	CHECK(has(&d, "hostname", 0, "other") && has(&d, "log.level", 0, "error"));
	CHECK(document_count(&d, "network.dns") == 2 && has(&d, "network.dns", 0, "1.1.1.1"));
	document_destroy(&d);
	merge(&d, whole, "hostname=-x");
	CHECK(told_lines == 1 &&
	      strstr(told, "boot options: hostname=: hostname: it has to be") != NULL);
	CHECK(has(&d, "hostname", 0, "themelios"));
	document_destroy(&d);
	CHECK(is_told("", "dns=1.1.1.1,", "boot options: dns="));
	CHECK(is_told("", "dns=1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1", "boot options: dns="));
	CHECK(is_told("", "loglevel=", "boot options: loglevel="));
}

TEST(config_looks_at_the_whole)
{
	CHECK(is_told("{\"network\": {\"mode\": \"static\"}}", "", "network.mode: static needs"));
	CHECK(is_told("{\"api\": {\"listen\": [\"https://1.2.3.4:5\"]}}", "",
		      "api.listen: https needs"));
	CHECK(is_told("{\"api\": {\"key\": \"" KEY "\"}}", "",
		      "api.key: certificate and key belong"));
	CHECK(is_told("{\"api\": {\"certificate\": \"" CERTIFICATE "\"}}", "",
		      "api.certificate: certificate and key belong"));
	CHECK(is_told("", "network=static", "network.mode: static needs"));
}

TEST(config_size_is_bounded)
{
	size_t size = JSON_SIZE + 1;
	char *json = malloc(size + 1);
	struct document d;

	memset(json, ' ', size);
	memcpy(json, "{}", 3);
	json[2] = ' ';
	json[size] = '\0';
	merge(&d, json + 1, "");
	CHECK(strstr(told, "it is no JSON") != NULL); /* it was read */
	document_destroy(&d);
	merge(&d, json, "");
	CHECK(told_lines == 1 && strstr(told, "it is longer than 131072 bytes") != NULL);
	document_destroy(&d);
	free(json);
}

/* Every prefix of a good text, and every text with one byte changed, ends in a document. */
TEST(config_survives_every_cut_and_change)
{
	static const char marks[] = "\"{[]},:\\0 \n";
	char text[sizeof(whole)];
	struct document d;

	for (size_t i = 0; i < sizeof(whole); i++) {
		memcpy(text, whole, i);
		text[i] = '\0';
		merge(&d, text, "");
		CHECK(document_count(&d, "hostname") == 1);
		document_destroy(&d);
		for (const char *m = marks; *m != '\0' && i + 1 < sizeof(whole); m++) {
			memcpy(text, whole, sizeof(whole));
			text[i] = *m;
			merge(&d, text, "");
			CHECK(document_count(&d, "hostname") == 1);
			CHECK(strstr(told, "PRIVATE") == NULL);
			document_destroy(&d);
		}
	}
}

TEST(config_serves_values_in_pieces)
{
	static const char begin[] =
		"{\"containers\":[{\"name\":\"n\",\"image\":\"i\",\"command\":[\"";
	struct config_get_req req = { .path = "containers[0].command" };
	struct config_get_rep rep = { 0 };
	struct document d;
	char json[2048];

	memset(json, 'x', sizeof(json));
	memcpy(json, begin, strlen(begin));
	strcpy(json + strlen(begin) + 1000, "\"]}]}");
	merge(&d, json, "");
	CHECK(told_lines == 0);
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_OK);
	CHECK(rep.count == 1 && rep.size == 1000 && rep.text[0] == 'x' && rep.text[399] == 'x');
	rep = (struct config_get_rep){ 0 };
	req.offset = 999;
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_OK);
	CHECK(rep.text[0] == 'x' && rep.text[1] == '\0');
	rep = (struct config_get_rep){ 0 };
	req.offset = UINT32_MAX;
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_OK && rep.text[0] == '\0');
	req = (struct config_get_req){ .path = "containers[0].command", .index = 1 };
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_OK && rep.size == 0);
	strcpy(req.path, "containers[0].colour");
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_BAD_ARG);
	memset(req.path, 'a', sizeof(req.path));
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_BAD_ARG);
	req.path[0] = '\0';
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_BAD_ARG);
	document_destroy(&d);
}

TEST(config_keeps_secrets)
{
	struct config_secret_req secret = { .path = "api.key" };
	struct config_secret_rep answer = { 0 };
	struct config_get_req req = { .path = "api.key" };
	struct config_get_rep rep = { 0 };
	struct document d;

	merge(&d, whole, "");
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_NO_RIGHT && rep.text[0] == '\0');
	strcpy(req.path, "registries[0].password");
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_NO_RIGHT && rep.size == 0);
	strcpy(req.path, "containers[7].environment");
	CHECK(service_ops.get(&d, NULL, &req, &rep, NULL) == ST_NO_RIGHT);
	CHECK(service_ops.secret(&d, NULL, &secret, &answer, NULL) == ST_OK);
	CHECK(strncmp(answer.text, "-----BEGIN PRIVATE", 18) == 0);
	strcpy(secret.path, "hostname");
	CHECK(service_ops.secret(&d, NULL, &secret, &answer, NULL) == ST_OK && answer.size == 6);
	document_destroy(&d);
}
