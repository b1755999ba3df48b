/* Identity: which rights are left of root's, in a child for each, since they are gone.
 */
#include "app/identity.h"

#include "base/log.h"

#include <linux/capability.h>
#include <netinet/in.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define USER "nobody"
#define NET_RAW (UINT64_C(1) << CAP_NET_RAW)

/* What a child finds out about itself. */
struct finding {
	enum status status;
	uid_t uid;
	gid_t gid;
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
	uint64_t ambient;
	bool is_transparent; /* IP_TRANSPARENT was granted */
	bool can_return;     /* to root */
	int keeps;           /* PR_GET_KEEPCAPS */
};

struct row {
	const char *name;
	const char *user;
	bool keep;
	bool is_root;
	enum status status;
	bool has_become; /* the user */
	uint64_t capabilities;
};

static const struct row rows[] = {
	{"nothing is kept", USER, false, true, STATUS_OK, true, 0},
	{"one is kept", USER, true, true, STATUS_OK, true, NET_RAW},
	{"no such user", "no-such-user", true, true, STATUS_DENIED, false, 0},
	{"no user", "", true, true, STATUS_OK, false, 0},
	{"not root: nothing to keep", USER, true, false, STATUS_OK, true, 0},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static void
discard(struct span line, enum log_level level)
{
	(void)line;
	(void)level;
}

static uint64_t
status_mask(const char *key)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long mask = UINT64_MAX;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ":%llx", &mask);
	}
	if (file)
		fclose(file);
	return mask;
}

static bool
transparent_is_granted(void)
{
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool granted = setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on)) == 0;

	close(fd);
	return granted;
}

static struct finding
find_out(const struct row *row)
{
	struct finding finding = {0};

	log_set_sink(discard);
	if (!row->is_root && (setgid(65534) || setuid(65534)))
		return finding;
	finding.status = identity_drop(span_from_string(row->user), row->keep);
	finding.uid = getuid();
	finding.gid = getgid();
	finding.effective = status_mask("CapEff");
	finding.permitted = status_mask("CapPrm");
	finding.inheritable = status_mask("CapInh");
	finding.ambient = status_mask("CapAmb");
	finding.is_transparent = transparent_is_granted();
	finding.keeps = prctl(PR_GET_KEEPCAPS);
	finding.can_return = setuid(0) == 0;
	return finding;
}

static struct finding
child_finds(const struct row *row)
{
	struct finding finding = {0};
	int ends[2];
	int status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		finding = find_out(row);
		_exit(write(ends[1], &finding, sizeof(finding)) != sizeof(finding));
	}
	assert_int_equal(read(ends[0], &finding, sizeof(finding)), sizeof(finding));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ends[0]);
	close(ends[1]);
	return finding;
}

static void
assert_is_user(const struct row *row, const struct finding *finding)
{
	const struct passwd *entry = getpwnam(USER);

	assert_non_null(entry);
	assert_int_equal(finding->uid, entry->pw_uid);
	assert_int_equal(finding->gid, entry->pw_gid);
	assert_int_equal(finding->effective, row->capabilities);
	assert_int_equal(finding->permitted, row->capabilities);
	assert_int_equal(finding->inheritable, 0);
	assert_int_equal(finding->ambient, 0);
	assert_int_equal(finding->is_transparent, row->capabilities == NET_RAW);
	assert_int_equal(finding->keeps, 0);
	assert_false(finding->can_return);
}

static void
rights_are_left(void **state)
{
	const struct row *row = *state;
	struct finding finding = child_finds(row);

	assert_int_equal(finding.status, row->status);
	if (row->has_become)
		assert_is_user(row, &finding);
	else
		assert_int_equal(finding.uid, 0);
}

int
main(void)
{
	struct CMUnitTest each[ROW_COUNT];

	if (geteuid() != 0 || !(status_mask("CapEff") & NET_RAW) ||
	    !(status_mask("CapEff") & (1 << CAP_SETUID))) {
		printf("skipped: only root with its capabilities can drop them\n");
		return 77;
	}
	for (size_t i = 0; i < ROW_COUNT; i++)
		each[i] = (struct CMUnitTest){.name = rows[i].name,
					      .test_func = rights_are_left,
					      .initial_state = (void *)&rows[i]};
	return cmocka_run_group_tests_name("identity", each, NULL, NULL);
}
