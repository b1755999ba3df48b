#include "proxy/names.h"

#include "net/resolver.h"

#include <stdlib.h>

/* Milliseconds: bounds of the time for which a name holds, and the time of no name. */
#define FOUND_LIFETIME_MIN 5000
#define FOUND_LIFETIME_MAX 3600000
#define NONE_LIFETIME 60000
#define FAILED_LIFETIME 5000

struct names {
	struct loop *loop;
	struct resolver *resolver;
	struct mailbox mailbox;
	int64_t patience;
	struct list inquiries;
	atomic_uint under_way;
	bool closing;
};

/*
 * What the control thread does about a question: first the names of the address, then
 * the addresses of each name, one after the other.
 */
struct inquiry {
	struct list link;
	struct names *names;
	struct name_question *question;
	struct resolver_query query;
	struct timer patience;
	char candidates[RESOLVER_NAMES_MAX][DOMAIN_NAME_SIZE];
	unsigned candidate_count;
	unsigned candidate; /* the one that is asked about */
	uint32_t ttl;       /* seconds, of the candidates */
	bool failed;        /* it is not known where one of them leads */
};

/* ---- giving back ---- */

static void
question_came_back(struct letter *letter)
{
	struct name_question *question =
		CONTAINER_OF(letter, struct name_question, letter);

	question->answered(question);
}

static int64_t
lifetime(enum name_state state, uint32_t ttl)
{
	int64_t found = (int64_t)ttl * 1000;

	if (state != NAME_FOUND)
		return state == NAME_NONE ? NONE_LIFETIME : FAILED_LIFETIME;
	if (found < FOUND_LIFETIME_MIN)
		return FOUND_LIFETIME_MIN;
	return found > FOUND_LIFETIME_MAX ? FOUND_LIFETIME_MAX : found;
}

/* ttl: seconds, of NAME_FOUND. The question is the asker's again. */
static void
give_back(struct names *names, struct name_question *question, enum name_state state,
	  uint32_t ttl)
{
	question->state = state;
	question->lifetime = lifetime(state, ttl);
	question->letter.open = question_came_back;
	atomic_fetch_sub_explicit(&names->under_way, 1, memory_order_relaxed);
	mailbox_post(question->back, &question->letter);
}

static void
inquiry_end(struct inquiry *inquiry, enum name_state state)
{
	struct names *names = inquiry->names;

	resolver_cancel(&inquiry->query);
	loop_timer_stop(names->loop, &inquiry->patience);
	list_remove(&inquiry->link);
	give_back(names, inquiry->question, state, inquiry->ttl);
	free(inquiry);
}

static void
patience_ended(struct timer *timer)
{
	inquiry_end(CONTAINER_OF(timer, struct inquiry, patience), NAME_FAILED);
}

/* ---- asking ---- */

static void
addresses_answered(struct resolver_query *query, const struct resolver_answer *answer);

/* Asks about the candidate, or says what it means that there are no more. */
static void
ask_candidate(struct inquiry *inquiry)
{
	enum status status;

	if (inquiry->candidate == inquiry->candidate_count) {
		inquiry_end(inquiry, inquiry->failed ? NAME_FAILED : NAME_NONE);
		return;
	}
	status = resolver_ask(inquiry->names->resolver, &inquiry->query,
			      span_from_string(inquiry->candidates[inquiry->candidate]),
			      addresses_answered);
	if (status != STATUS_OK)
		inquiry_end(inquiry, NAME_FAILED);
}

static bool
leads_back(const struct inquiry *inquiry, const struct resolver_answer *answer)
{
	for (unsigned i = 0; answer->status == STATUS_OK && i < answer->count; i++) {
		if (endpoint_equals_address(&inquiry->question->client,
					    &answer->addresses[i]))
			return true;
	}
	return false;
}

static void
addresses_answered(struct resolver_query *query, const struct resolver_answer *answer)
{
	struct inquiry *inquiry = CONTAINER_OF(query, struct inquiry, query);

	if (leads_back(inquiry, answer)) {
		if (answer->ttl < inquiry->ttl)
			inquiry->ttl = answer->ttl;
		memcpy(inquiry->question->name, inquiry->candidates[inquiry->candidate],
		       DOMAIN_NAME_SIZE);
		inquiry_end(inquiry, NAME_FOUND);
		return;
	}
	if (answer->status != STATUS_OK && answer->status != STATUS_NOT_FOUND)
		inquiry->failed = true;
	inquiry->candidate++;
	ask_candidate(inquiry);
}

static void
names_answered(struct resolver_query *query, const struct resolver_answer *answer)
{
	struct inquiry *inquiry = CONTAINER_OF(query, struct inquiry, query);

	if (answer->status != STATUS_OK) {
		inquiry_end(inquiry, answer->status == STATUS_NOT_FOUND ? NAME_NONE
									: NAME_FAILED);
		return;
	}
	inquiry->candidate_count = answer->count;
	memcpy(inquiry->candidates, answer->names, sizeof(inquiry->candidates));
	inquiry->ttl = answer->ttl;
	ask_candidate(inquiry);
}

static void
inquiry_begin(struct inquiry *inquiry)
{
	struct names *names = inquiry->names;
	enum status status =
		resolver_ask_name(names->resolver, &inquiry->query,
				  &inquiry->question->client, names_answered);

	if (status != STATUS_OK) /* a UNIX socket's path has no name */
		inquiry_end(inquiry,
			    status == STATUS_INVALID ? NAME_NONE : NAME_FAILED);
}

static void
question_arrived(struct letter *letter)
{
	struct name_question *question =
		CONTAINER_OF(letter, struct name_question, letter);
	struct names *names = question->names;
	struct inquiry *inquiry = names->closing ? NULL : calloc(1, sizeof(*inquiry));

	if (!inquiry) {
		give_back(names, question, NAME_FAILED, 0);
		return;
	}
	inquiry->names = names;
	inquiry->question = question;
	list_append(&names->inquiries, &inquiry->link);
	timer_init(&inquiry->patience, patience_ended);
	loop_timer_start(names->loop, &inquiry->patience, names->patience);
	inquiry_begin(inquiry);
}

bool
names_ask(struct names *names, struct name_question *question)
{
	if (atomic_fetch_add_explicit(&names->under_way, 1, memory_order_relaxed) >=
	    NAMES_UNDER_WAY_MAX) {
		atomic_fetch_sub_explicit(&names->under_way, 1, memory_order_relaxed);
		return false;
	}
	question->names = names;
	question->letter.open = question_arrived;
	mailbox_post(&names->mailbox, &question->letter);
	return true;
}

/* ---- life ---- */

enum status
names_open(struct names **names, struct loop *loop, struct resolver *resolver,
	   int64_t patience)
{
	struct names *made = calloc(1, sizeof(*made));
	enum status status;

	if (!made)
		return STATUS_NO_MEMORY;
	made->loop = loop;
	made->resolver = resolver;
	made->patience = patience;
	list_init(&made->inquiries);
	status = mailbox_open(&made->mailbox, loop);
	if (status != STATUS_OK) {
		free(made);
		return status;
	}
	*names = made;
	return STATUS_OK;
}

void
names_close(struct names *names)
{
	if (!names)
		return;
	names->closing = true;
	mailbox_close(&names->mailbox);
	LIST_EACH (&names->inquiries, at)
		inquiry_end(CONTAINER_OF(at, struct inquiry, link), NAME_FAILED);
	free(names);
}
