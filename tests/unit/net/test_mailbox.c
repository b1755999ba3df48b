/* Mailboxes: order, one wake a batch, and four threads that post at once. */
#include "net/mailbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct loop loop;
static struct mailbox mailbox;
static char order[16];

struct note {
	struct letter letter;
	struct note *answer; /* posted when this one is opened */
	char text;
};

static void
note_open(struct letter *letter)
{
	struct note *note = CONTAINER_OF(letter, struct note, letter);

	strncat(order, &note->text, 1);
	if (note->answer)
		mailbox_post(&mailbox, &note->answer->letter);
}

static struct note
note_make(char text)
{
	return (struct note){.letter.open = note_open, .text = text};
}

static int
setup(void **state)
{
	(void)state;
	memset(order, 0, sizeof(order));
	return loop_open(&loop) || mailbox_open(&mailbox, &loop);
}

static int
teardown(void **state)
{
	(void)state;
	mailbox_close(&mailbox);
	loop_close(&loop);
	return 0;
}

static void
letters_are_opened_in_order(void **state)
{
	struct note a = note_make('a');
	struct note b = note_make('b');
	struct note c = note_make('c');

	(void)state;
	mailbox_post(&mailbox, &a.letter);
	mailbox_post(&mailbox, &b.letter);
	mailbox_post(&mailbox, &c.letter);
	assert_string_equal(order, "");
	loop_round(&loop, 0);
	assert_string_equal(order, "abc");
	/* an opened letter may be posted again */
	mailbox_post(&mailbox, &b.letter);
	mailbox_post(&mailbox, &a.letter);
	loop_round(&loop, 0);
	assert_string_equal(order, "abcba");
}

static void
the_bell_rings_once_a_batch(void **state)
{
	struct note a = note_make('a');
	struct note b = note_make('b');
	uint64_t rung = 0;

	(void)state;
	mailbox_post(&mailbox, &a.letter);
	mailbox_post(&mailbox, &b.letter);
	assert_int_equal(read(mailbox.fd, &rung, sizeof(rung)), sizeof(rung));
	assert_int_equal(rung, 1);
	assert_int_equal(write(mailbox.fd, &rung, sizeof(rung)), sizeof(rung));
	loop_round(&loop, 0);
	assert_string_equal(order, "ab");
	assert_int_equal(read(mailbox.fd, &rung, sizeof(rung)), -1);
}

static void
a_letter_may_post_another(void **state)
{
	struct note b = note_make('b');
	struct note a = note_make('a');

	(void)state;
	a.answer = &b;
	mailbox_post(&mailbox, &a.letter);
	loop_round(&loop, 0);
	loop_round(&loop, 0);
	assert_string_equal(order, "ab");
}

static int reposts_left;

static void
repost(struct letter *letter)
{
	if (reposts_left-- > 0)
		mailbox_post(&mailbox, letter);
}

static void
a_letter_to_oneself_does_not_hold_up_the_loop(void **state)
{
	struct letter letter = {.open = repost};

	(void)state;
	reposts_left = 1000000;
	mailbox_post(&mailbox, &letter);
	loop_round(&loop, 0);
	assert_true(reposts_left > 0);
	while (reposts_left >= 0)
		loop_round(&loop, 1000000);
}

static void
closing_opens_what_is_left(void **state)
{
	struct note a = note_make('a');
	struct note b = note_make('b');

	(void)state;
	mailbox_post(&mailbox, &a.letter);
	mailbox_post(&mailbox, &b.letter);
	mailbox_close(&mailbox);
	assert_string_equal(order, "ab");
}

#define SENDERS 4
#define LETTERS_EACH 100000

struct numbered {
	struct letter letter;
	int sender;
	int number;
};

static struct numbered letters[SENDERS][LETTERS_EACH];
static int opened[SENDERS];
static int disorders;

static void
numbered_open(struct letter *letter)
{
	struct numbered *numbered = CONTAINER_OF(letter, struct numbered, letter);

	if (numbered->number != opened[numbered->sender]++)
		disorders++;
}

static void *
sender_run(void *argument)
{
	struct numbered *mine = argument;

	for (int number = 0; number < LETTERS_EACH; number++) {
		/* written here, so that a missing barrier shows */
		mine[number].number = number;
		mailbox_post(&mailbox, &mine[number].letter);
	}
	return NULL;
}

static bool
all_opened(void)
{
	for (int sender = 0; sender < SENDERS; sender++) {
		if (opened[sender] < LETTERS_EACH)
			return false;
	}
	return true;
}

static void
many_senders_keep_their_order(void **state)
{
	pthread_t threads[SENDERS];

	(void)state;
	for (int sender = 0; sender < SENDERS; sender++) {
		for (int number = 0; number < LETTERS_EACH; number++)
			letters[sender][number] = (struct numbered){
				.letter.open = numbered_open,
				.sender = sender,
			};
		assert_int_equal(pthread_create(&threads[sender], NULL, sender_run,
						letters[sender]),
				 0);
	}
	/* a lost wake would leave it waiting until the test's time is up */
	while (!all_opened())
		loop_round(&loop, 1000000);
	for (int sender = 0; sender < SENDERS; sender++)
		assert_int_equal(pthread_join(threads[sender], NULL), 0);
	assert_int_equal(disorders, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(letters_are_opened_in_order),
		TEST(the_bell_rings_once_a_batch),
		TEST(a_letter_may_post_another),
		TEST(a_letter_to_oneself_does_not_hold_up_the_loop),
		TEST(closing_opens_what_is_left),
		TEST(many_senders_keep_their_order),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
