#include "admin/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SIXTY_FOUR "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG                                                                           \
	SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR   \
		SIXTY_FOUR

static const struct {
	const char *name;
	struct span file;
	enum status status;
	const char *token;
} files[] = {
	{"one line", SPAN_INITIALIZER("secret\n"), STATUS_OK, "secret"},
	{"no line end", SPAN_INITIALIZER("secret"), STATUS_OK, "secret"},
	{"CRLF", SPAN_INITIALIZER("secret\r\n"), STATUS_OK, "secret"},
	{"blanks around", SPAN_INITIALIZER(" \tsecret \n"), STATUS_OK, "secret"},
	{"the first line counts", SPAN_INITIALIZER("one\ntwo\n"), STATUS_OK, "one"},
	{"longest", SPAN_INITIALIZER(LONG), STATUS_OK, LONG},
	{"longer", SPAN_INITIALIZER(LONG "!"), STATUS_INVALID, NULL},
	{"empty", SPAN_INITIALIZER(""), STATUS_INVALID, NULL},
	{"an empty line", SPAN_INITIALIZER("\nsecret\n"), STATUS_INVALID, NULL},
	{"two words", SPAN_INITIALIZER("two words\n"), STATUS_INVALID, NULL},
	{"NUL", SPAN_INITIALIZER("se\0cret\n"), STATUS_INVALID, NULL},
	{"not ASCII",
	 SPAN_INITIALIZER("s\xc3\xa9"
			  "cret\n"),
	 STATUS_INVALID, NULL},
};

static void
write_file(const char *path, struct span content)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(content.at, 1, content.length, file), content.length);
	assert_int_equal(fclose(file), 0);
}

static void
test_files(void **state)
{
	char path[] = "/tmp/evenpost-token-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		struct token token;
		enum status status;

		write_file(path, files[i].file);
		status = token_read(&token, path);
		if (status != files[i].status)
			fail_msg("%s: %s", files[i].name, status_name(status));
		if (files[i].token &&
		    (token.length != strlen(files[i].token) ||
		     memcmp(token.text, files[i].token, token.length)))
			fail_msg("%s: %.*s", files[i].name, (int)token.length,
				 token.text);
	}
	unlink(path);
}

static void
test_no_file(void **state)
{
	struct token token;

	(void)state;
	assert_int_equal(token_read(&token, "/nonexistent/token"), STATUS_NOT_FOUND);
	assert_string_equal(token_fault(STATUS_NOT_FOUND), "No such file or directory");
	assert_int_equal(token_read(&token, "/tmp"), STATUS_SYSTEM);
	assert_string_equal(token_fault(STATUS_SYSTEM), "Is a directory");
}

static const struct {
	const char *name;
	const char *token;
	const char *given;
	bool matches;
} comparisons[] = {
	{"the same", "secret", "secret", true},
	{"none is wanted", "", "", true},
	{"none is wanted, one is given", "", "secret", true},
	{"none is given", "secret", "", false},
	{"a byte differs", "secret", "secreT", false},
	{"too short", "secret", "secre", false},
	{"too long", "secret", "secrets", false},
	{"twice", "secret", "secretsecret", false},
};

static void
test_comparisons(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(comparisons); i++) {
		struct token token = {.length = strlen(comparisons[i].token)};

		memcpy(token.text, comparisons[i].token, token.length);
		if (token_matches(&token, span_from_string(comparisons[i].given)) !=
		    comparisons[i].matches)
			fail_msg("%s", comparisons[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_comparisons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
