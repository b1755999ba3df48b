/* Files that change while the program runs, on a clock that the test moves. */
#include "app/certificates.h"
#include "config/report.h"
#include "net/loop.h"
#include "net/pki.h"
#include "rows.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK 5000
#define HOUR 3600000
#define NAME_SIZE 16

/* What the configuration names are links, so that one system call changes a file. */
#define TEXT                                                                           \
	"tls: {certificates: [{certificate: %s, key: %s}]%s%s}\n"                      \
	"listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer}}\n"                 \
	"pools: {p: {servers: {s: h.example:25}}}\n"

#define TEXT_WITH_PASSWORD                                                             \
	"tls: {certificates: [{certificate: %s, key: %s}]}\n"                          \
	"listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer}}\n"                 \
	"pools: {p: {servers: {s: h.example:25},\n"                                    \
	"  auth: {username: u, password-file: %s}}}\n"

struct scene {
	struct loop loop;
	struct snapshot *snapshot;
	struct certificates *certificates;
	unsigned changes;
	int64_t expiry; /* of the set that came last */
};

static struct {
	char text[8192];
	size_t length;
} said;

static void
keep_line(struct span line, enum log_level level)
{
	(void)level;
	assert_true(said.length + line.length < sizeof(said.text));
	memcpy(said.text + said.length, line.at, line.length);
	said.length += line.length;
	said.text[said.length] = 0;
}

static void
forget_lines(void)
{
	said.length = 0;
	said.text[0] = 0;
}

static unsigned
count_lines(const char *with)
{
	unsigned count = 0;

	for (const char *at = said.text; (at = strstr(at, with)); at++)
		count++;
	return count;
}

static void
serve(const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "%s.pem", name);
	pki_link("live.pem", file);
	snprintf(file, sizeof(file), "%s.key", name);
	pki_link("live.key", file);
}

static void
changed(struct tls_set *set, void *with)
{
	struct scene *scene = with;

	scene->changes++;
	scene->expiry = tls_material_expiry(tls_set_material(set), 0);
}

static void
read_snapshot(struct scene *scene, const char *text)
{
	struct report report;
	enum status status;

	report_init(&report, "");
	status = snapshot_read_text(span_from_string(text), "", &report,
				    &scene->snapshot);
	assert_int_equal(status, STATUS_OK);
	report_fini(&report);
}

static enum status
scene_open_with(struct scene *scene, const char *text)
{
	enum status status;

	*scene = (struct scene){0};
	forget_lines();
	assert_int_equal(loop_open(&scene->loop), STATUS_OK);
	read_snapshot(scene, text);
	status = certificates_open(&scene->certificates, &scene->loop, scene->snapshot);
	if (status == STATUS_OK)
		certificates_watch(scene->certificates, changed, scene);
	return status;
}

/* One certificate. */
static enum status
scene_open(struct scene *scene, const char *ticket_keys)
{
	char text[1024];

	snprintf(text, sizeof(text), TEXT, pki_path("live.pem"), pki_path("live.key"),
		 *ticket_keys ? ", ticket-keys: " : "", ticket_keys);
	return scene_open_with(scene, text);
}

/* A certificate, and the password of a pool. */
static enum status
scene_open_with_password(struct scene *scene)
{
	char text[1024];

	snprintf(text, sizeof(text), TEXT_WITH_PASSWORD, pki_path("live.pem"),
		 pki_path("live.key"), pki_path("live.word"));
	return scene_open_with(scene, text);
}

static void
scene_close(struct scene *scene)
{
	certificates_close(scene->certificates);
	snapshot_unref(scene->snapshot);
	loop_close(&scene->loop);
}

static void
pass(struct scene *scene, int64_t milliseconds)
{
	scene->loop.now += milliseconds;
	timer_wheel_advance(&scene->loop.timers, scene->loop.now);
}

/* One look at the files. */
static void
look(struct scene *scene)
{
	pass(scene, LOOK + TIMER_TICK);
}

static void
what_stays_is_left_alone(void **state)
{
	struct scene scene;

	(void)state;
	serve("mx");
	assert_int_equal(scene_open(&scene, ""), STATUS_OK);
	assert_non_null(certificates_set(scene.certificates));
	for (int i = 0; i < 3; i++)
		look(&scene);
	certificates_look(scene.certificates);
	assert_int_equal(scene.changes, 0);
	assert_string_equal(said.text, "");
	scene_close(&scene);
}

static void
a_new_file_is_taken_when_it_stands_still(void **state)
{
	struct scene scene;

	(void)state;
	serve("mx");
	assert_int_equal(scene_open(&scene, ""), STATUS_OK);
	serve("second");
	look(&scene);
	assert_int_equal(scene.changes, 0);
	serve("wild"); /* it is being written */
	look(&scene);
	assert_int_equal(scene.changes, 0);
	look(&scene);
	assert_int_equal(scene.changes, 1);
	assert_int_equal(scene.expiry, pki_end());
	assert_int_equal(count_lines("level=info event=tls certificates=1 expires=2"),
			 1);
	assert_int_equal(count_lines("why=\"certificates and passwords taken over\""),
			 1);
	look(&scene);
	assert_int_equal(scene.changes, 1);
	scene_close(&scene);
}

static void
a_bad_file_is_refused_until_it_is_mended(void **state)
{
	struct scene scene;
	struct tls_set *set;

	(void)state;
	serve("mx");
	assert_int_equal(scene_open(&scene, ""), STATUS_OK);
	set = certificates_set(scene.certificates);
	pki_link("live.pem", "second.pem");
	for (int i = 0; i < 4; i++)
		look(&scene);
	assert_int_equal(count_lines("tls.certificates[0].key: "), 1);
	assert_int_equal(count_lines("level=error event=tls"), 2);
	assert_int_equal(count_lines("those in force stay"), 1);
	unlink(pki_path("live.key"));
	for (int i = 0; i < 4; i++)
		look(&scene);
	assert_int_equal(count_lines("No such file or directory"), 1);
	assert_int_equal(scene.changes, 0);
	assert_ptr_equal(certificates_set(scene.certificates), set);
	pki_link("live.key", "second.key");
	look(&scene);
	look(&scene);
	assert_int_equal(scene.changes, 1);
	assert_int_equal(count_lines("level=error event=tls"), 4);
	scene_close(&scene);
}

static void
a_fault_that_comes_back_is_told_again(void **state)
{
	struct scene scene;

	(void)state;
	serve("mx");
	assert_int_equal(scene_open(&scene, ""), STATUS_OK);
	for (unsigned times = 1; times <= 2; times++) {
		pki_link("live.pem", "garbage.pem");
		look(&scene);
		look(&scene);
		assert_int_equal(count_lines("cannot be read"), times);
		serve("mx");
		look(&scene);
		look(&scene);
		assert_int_equal(scene.changes, times);
	}
	scene_close(&scene);
}

static void
who_says_so_is_believed_at_once(void **state)
{
	struct scene scene;

	(void)state;
	serve("mx");
	assert_int_equal(scene_open(&scene, ""), STATUS_OK);
	serve("expired");
	certificates_look(scene.certificates);
	assert_int_equal(scene.changes, 1);
	assert_int_equal(scene.expiry, pki_end_of_expired());
	assert_int_equal(count_lines("level=warning event=tls"), 1);
	assert_int_equal(count_lines("live.pem: expired on 2"), 1);
	scene_close(&scene);
}

static void
an_end_is_told_once_a_day(void **state)
{
	struct scene scene;

	(void)state;
	serve("expired");
	assert_int_equal(scene_open(&scene, ""), STATUS_OK);
	assert_int_equal(count_lines("live.pem: expired on 2"), 1);
	for (int i = 0; i < 23; i++)
		pass(&scene, HOUR + TIMER_TICK);
	assert_int_equal(count_lines("live.pem: expired on 2"), 1);
	pass(&scene, HOUR + TIMER_TICK);
	assert_int_equal(count_lines("live.pem: expired on 2"), 2);
	scene_close(&scene);
}

static void
a_fault_at_the_start_is_told(void **state)
{
	struct scene scene;

	(void)state;
	pki_link("live.pem", "mx.pem");
	pki_link("live.key", "second.key");
	assert_int_equal(scene_open(&scene, pki_path("nowhere")), STATUS_INVALID);
	assert_int_equal(count_lines("level=error event=tls"), 2);
	assert_int_equal(count_lines("tls.certificates[0].key: "), 1);
	assert_int_equal(count_lines("tls.ticket-keys: "), 1);
	scene_close(&scene);
}

/* What is refused now, each with a line of its own; the caller frees it. */
static char *
print_refusals(const struct scene *scene)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	struct refused_file refused;
	uint32_t at = 0;

	while (tls_refusals_next(certificates_refusals(scene->certificates), &at,
				 &refused))
		fprintf(out, "%s: %s\n", refused.name->setting, refused.why);
	fclose(out);
	return text;
}

static void
assert_refused(const struct scene *scene, const char *wanted)
{
	char *refused = print_refusals(scene);

	assert_string_equal(refused, wanted);
	free(refused);
}

static void
a_bad_password_holds_up_no_certificate(void **state)
{
	struct scene scene;

	(void)state;
	serve("mx");
	pki_link("live.word", "word");
	assert_int_equal(scene_open_with_password(&scene), STATUS_OK);
	serve("expired");
	pki_link("live.word", "empty.pem");
	for (int i = 0; i < 4; i++)
		look(&scene);
	assert_int_equal(scene.changes, 1);
	assert_int_equal(scene.expiry, pki_end_of_expired());
	assert_int_equal(count_lines("level=error event=tls"), 2);
	assert_refused(&scene,
		       "pools.p.auth.password-file: there is no password in its "
		       "first line\n");
	pki_link("live.word", "word");
	look(&scene);
	look(&scene);
	assert_int_equal(scene.changes, 2);
	assert_refused(&scene, "");
	scene_close(&scene);
}

static void
a_bad_certificate_holds_up_no_password(void **state)
{
	struct scene scene;

	(void)state;
	serve("mx");
	pki_link("live.word", "word");
	assert_int_equal(scene_open_with_password(&scene), STATUS_OK);
	pki_link("live.key", "second.key");
	pki_write("word.new", "new\n", 4);
	pki_link("live.word", "word.new");
	look(&scene);
	look(&scene);
	assert_int_equal(scene.changes, 1);
	assert_int_equal(scene.expiry, pki_end());
	assert_int_equal(count_lines("tls.certificates[0].key: "), 1);
	look(&scene);
	assert_int_equal(scene.changes, 1);
	scene_close(&scene);
}

/* One that never stands still keeps nobody waiting. */
static void
each_is_waited_for_by_itself(void **state)
{
	struct scene scene;

	(void)state;
	serve("mx");
	pki_link("live.word", "word");
	assert_int_equal(scene_open_with_password(&scene), STATUS_OK);
	serve("expired");
	for (int i = 0; i < 2; i++) {
		pki_link("live.word", i ? "word" : "empty.pem");
		look(&scene);
	}
	assert_int_equal(scene.changes, 1);
	assert_int_equal(scene.expiry, pki_end_of_expired());
	assert_refused(&scene, "");
	scene_close(&scene);
}

/* ---- session tickets ---- */

/* The name of the key that seals. */
static void
read_name(struct scene *scene, unsigned char name[NAME_SIZE])
{
	unsigned char iv[EVP_MAX_IV_LENGTH];
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);

	assert_int_equal(tls_tickets_apply(
				 tls_set_tickets(certificates_set(scene->certificates)),
				 name, iv, cipher, mac, true),
			 TLS_TICKET_GOOD);
	EVP_MAC_CTX_free(mac);
	EVP_MAC_free(hmac);
	EVP_CIPHER_CTX_free(cipher);
}

static void
keys_of_tickets_rotate(void **state)
{
	struct scene scene;
	unsigned char before[NAME_SIZE], after[NAME_SIZE];

	(void)state;
	serve("mx");
	assert_int_equal(scene_open(&scene, ""), STATUS_OK);
	read_name(&scene, before);
	pass(&scene, HOUR - LOOK);
	read_name(&scene, after);
	assert_memory_equal(before, after, NAME_SIZE);
	pass(&scene, LOOK + TIMER_TICK);
	read_name(&scene, after);
	assert_memory_not_equal(before, after, NAME_SIZE);
	assert_int_equal(scene.changes, 0);
	scene_close(&scene);
}

static void
keys_of_tickets_come_from_their_file(void **state)
{
	struct scene scene;
	unsigned char name[NAME_SIZE];
	unsigned char key[TLS_TICKETS_KEY_SIZE];

	(void)state;
	serve("mx");
	memset(key, 'a', sizeof(key));
	pki_write("a.keys", key, sizeof(key));
	memset(key, 'b', sizeof(key));
	pki_write("b.keys", key, sizeof(key));
	pki_link("live.keys", "a.keys");
	assert_int_equal(scene_open(&scene, pki_path("live.keys")), STATUS_OK);
	pass(&scene, HOUR + TIMER_TICK);
	read_name(&scene, name);
	assert_int_equal(name[0], 'a');
	pki_link("live.keys", "b.keys");
	look(&scene);
	look(&scene);
	read_name(&scene, name);
	assert_int_equal(name[0], 'b');
	scene_close(&scene);
}

static int
open_files(void **state)
{
	int failed = pki_open(state);

	if (!failed)
		pki_write("word", "secret\n", 7);
	return failed;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stays_is_left_alone),
		cmocka_unit_test(a_new_file_is_taken_when_it_stands_still),
		cmocka_unit_test(a_bad_file_is_refused_until_it_is_mended),
		cmocka_unit_test(a_fault_that_comes_back_is_told_again),
		cmocka_unit_test(who_says_so_is_believed_at_once),
		cmocka_unit_test(an_end_is_told_once_a_day),
		cmocka_unit_test(a_fault_at_the_start_is_told),
		cmocka_unit_test(a_bad_password_holds_up_no_certificate),
		cmocka_unit_test(a_bad_certificate_holds_up_no_password),
		cmocka_unit_test(each_is_waited_for_by_itself),
		cmocka_unit_test(keys_of_tickets_rotate),
		cmocka_unit_test(keys_of_tickets_come_from_their_file),
	};

	log_set_sink(keep_line);
	return cmocka_run_group_tests_name("certificates", tests, open_files,
					   pki_close);
}
