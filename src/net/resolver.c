#include "net/resolver.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>

/* RFC 1035 section 3.2, RFC 3596. */
enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, CLASS_IN = 1 };
enum { RCODE_NO_ERROR = 0, RCODE_NAME_ERROR = 3 };

struct resolver {
	struct ub_ctx *unbound; /* from the first question on, with its own thread */
	struct loop *loop;
	struct loop_source source;
	struct list resolutions;
	enum resolver_mode mode;
	size_t server_count;
	struct endpoint servers[];
};

/*
 * What a query is about while it runs; owned by the resolver. Its answer is always
 * given from the task, never from inside libunbound: so the receiver may cancel, ask
 * and close.
 */
struct resolution {
	struct list link;
	struct resolver *resolver;
	struct resolver_query *query;
	int question_count;
	struct ub_result *results[2]; /* as query->pending; NULL: none, or an error */
	struct loop_task task;
	struct timer patience;
	struct resolver_answer answer;
};

static struct resolution *
query_resolution(const struct resolver_query *query)
{
	return CONTAINER_OF(query->answer, struct resolution, answer);
}

static void
questions_cancel(struct resolution *resolution)
{
	int *pending = resolution->query->pending;

	for (int i = 0; i < 2; i++) {
		if (pending[i])
			ub_cancel(resolution->resolver->unbound, pending[i]);
		pending[i] = 0;
	}
}

/* The query is idle again. */
static void
resolution_free(struct resolution *resolution)
{
	questions_cancel(resolution);
	ub_resolve_free(resolution->results[0]);
	ub_resolve_free(resolution->results[1]);
	resolution->query->answer = NULL;
	loop_undefer(&resolution->task);
	loop_timer_stop(resolution->resolver->loop, &resolution->patience);
	list_remove(&resolution->link);
	free(resolution);
}

static void
resolution_answer(struct loop_task *task)
{
	struct resolution *resolution = CONTAINER_OF(task, struct resolution, task);
	struct resolver_query *query = resolution->query;
	const struct resolver_answer answer = resolution->answer;

	resolution_free(resolution);
	query->answered(query, &answer);
}

static void
answer_add_address(struct resolver_answer *answer, int type, const char *bytes,
		   size_t length)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
	struct endpoint *endpoint = &answer->addresses[answer->count];

	if (answer->count == RESOLVER_ADDRESSES_MAX)
		return;
	if (type == TYPE_A && length == sizeof(ipv4.sin_addr)) {
		memcpy(&ipv4.sin_addr, bytes, length);
		endpoint_from_sockaddr(endpoint, (struct sockaddr *)&ipv4,
				       sizeof(ipv4));
	} else if (type == TYPE_AAAA && length == sizeof(ipv6.sin6_addr)) {
		memcpy(&ipv6.sin6_addr, bytes, length);
		endpoint_from_sockaddr(endpoint, (struct sockaddr *)&ipv6,
				       sizeof(ipv6));
	} else {
		return;
	}
	answer->count++;
}

static void
answer_add_name(struct resolver_answer *answer, struct span wire)
{
	if (answer->count < RESOLVER_NAMES_MAX &&
	    domain_name_from_wire(wire, answer->names[answer->count]))
		answer->count++;
}

/* No result, a failed server, or a lie. Else it has records or says that none are. */
static bool
result_is_failure(const struct ub_result *result)
{
	return !result || result->bogus ||
	       (result->rcode != RCODE_NO_ERROR && result->rcode != RCODE_NAME_ERROR);
}

static void
answer_take(struct resolver_answer *answer, const struct ub_result *result)
{
	for (int i = 0; result->havedata && result->data[i]; i++) {
		const char *bytes = result->data[i];
		size_t length = (size_t)result->len[i];

		if (result->qtype == TYPE_PTR)
			answer_add_name(answer, span_of(bytes, length));
		else
			answer_add_address(answer, result->qtype, bytes, length);
	}
}

/*
 * The shortest of those that the answer rests on: that there is no IPv6 address says
 * nothing about how long the IPv4 ones hold.
 */
static uint32_t
answer_ttl(const struct resolution *resolution)
{
	bool found = resolution->answer.status == STATUS_OK;
	uint32_t shortest = UINT32_MAX;

	for (int i = 0; i < resolution->question_count; i++) {
		const struct ub_result *result = resolution->results[i];
		uint32_t ttl;

		if (result_is_failure(result) || (found && !result->havedata))
			continue;
		ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;
		if (ttl < shortest)
			shortest = ttl;
	}
	return shortest;
}

/* failure: what it means where a question brought nothing. */
static void
resolution_finish(struct resolution *resolution, enum status failure)
{
	struct resolver_answer *answer = &resolution->answer;

	answer->status = STATUS_NOT_FOUND;
	for (int i = 0; i < resolution->question_count; i++) {
		if (result_is_failure(resolution->results[i]))
			answer->status = failure;
		else
			answer_take(answer, resolution->results[i]);
	}
	if (answer->count > 0)
		answer->status = STATUS_OK;
	if (answer->status == STATUS_OK || answer->status == STATUS_NOT_FOUND)
		answer->ttl = answer_ttl(resolution);
	loop_defer(resolution->resolver->loop, &resolution->task);
}

static void
patience_ended(struct timer *timer)
{
	struct resolution *resolution =
		CONTAINER_OF(timer, struct resolution, patience);

	questions_cancel(resolution);
	resolution_finish(resolution, STATUS_TIMEOUT);
}

static void
question_ended(struct resolution *resolution, int index, struct ub_result *result)
{
	int *pending = resolution->query->pending;

	pending[index] = 0;
	resolution->results[index] = result;
	if (pending[0] || pending[1])
		return;
	loop_timer_stop(resolution->resolver->loop, &resolution->patience);
	resolution_finish(resolution, STATUS_SYSTEM);
}

/* An error comes without a result: each question needs its own function. */
static void
first_ended(void *resolution, int error, struct ub_result *result)
{
	question_ended(resolution, 0, error ? NULL : result);
}

static void
second_ended(void *resolution, int error, struct ub_result *result)
{
	question_ended(resolution, 1, error ? NULL : result);
}

static const ub_callback_type question_endings[2] = {first_ended, second_ended};

static void
resolver_ready(struct loop_source *source)
{
	struct resolver *resolver = CONTAINER_OF(source, struct resolver, source);

	source->ready = 0;
	ub_process(resolver->unbound);
}

static int
forward_to(struct ub_ctx *unbound, const struct endpoint *server)
{
	char address[ENDPOINT_TEXT_MAX];
	char text[ENDPOINT_TEXT_MAX + sizeof("@65535")];
	unsigned port = endpoint_port(server);

	endpoint_print_address(server, address);
	snprintf(text, sizeof(text), "%s@%u", address, port ? port : 53);
	return ub_ctx_set_fwd(unbound, text);
}

/* As libc does it: without the file, the server is on this machine. */
static int
forward_as_system(struct ub_ctx *unbound)
{
	int error = ub_ctx_resolvconf(unbound, NULL);

	if (error == UB_READFILE)
		error = ub_ctx_set_fwd(unbound, "127.0.0.1");
	if (error)
		return error;
	error = ub_ctx_hosts(unbound, NULL);
	return error == UB_READFILE ? UB_NOERROR : error;
}

static int
unbound_set_servers(const struct resolver *resolver)
{
	int error = UB_NOERROR;

	if (resolver->mode == RESOLVER_SYSTEM)
		return forward_as_system(resolver->unbound);
	for (size_t i = 0; !error && i < resolver->server_count; i++)
		error = forward_to(resolver->unbound, &resolver->servers[i]);
	return error;
}

/*
 * libunbound answers for these, and for the names of private addresses, by itself that
 * they do not exist. In a laboratory or at home they do: the servers that we were told
 * to ask shall say so.
 */
static int
unbound_open_zones(struct ub_ctx *unbound)
{
	int error = ub_ctx_set_option(unbound, "unblock-lan-zones:", "yes");

	if (!error)
		error = ub_ctx_zone_add(unbound, "test.", "transparent");
	return error ? error : ub_ctx_zone_add(unbound, "home.arpa.", "transparent");
}

static int
unbound_set_up(const struct resolver *resolver)
{
	struct ub_ctx *unbound = resolver->unbound;
	int error;

	ub_ctx_debugout(unbound, NULL); /* standard error belongs to our log */
	error = ub_ctx_async(unbound, 1);
	if (!error)
		error = unbound_set_servers(resolver);
	if (!error && resolver->mode != RESOLVER_RECURSIVE)
		error = unbound_open_zones(unbound); /* the last: it ends the set-up */
	return error;
}

static enum status
unbound_failure(int error)
{
	return error == UB_NOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM;
}

static void
unbound_close(struct resolver *resolver)
{
	loop_remove(&resolver->source);
	if (resolver->unbound)
		ub_ctx_delete(resolver->unbound);
	resolver->unbound = NULL;
}

/* Does nothing when it is open; what failed is tried again by the next question. */
static enum status
unbound_open(struct resolver *resolver)
{
	enum status status;
	int error;

	if (resolver->unbound)
		return STATUS_OK;
	resolver->unbound = ub_ctx_create();
	if (!resolver->unbound)
		return STATUS_NO_MEMORY;
	error = unbound_set_up(resolver);
	status = error ? unbound_failure(error)
		       : loop_add_level(resolver->loop, &resolver->source,
					ub_fd(resolver->unbound), resolver_ready);
	if (status)
		unbound_close(resolver);
	return status;
}

static enum status
question_ask(struct resolution *resolution, int type, const char *name)
{
	struct resolver *resolver = resolution->resolver;
	int index = resolution->question_count++;
	int error = ub_resolve_async(resolver->unbound, name, type, CLASS_IN,
				     resolution, question_endings[index],
				     &resolution->query->pending[index]);

	return error ? unbound_failure(error) : STATUS_OK;
}

static enum status
ask_addresses(struct resolution *resolution, struct span name)
{
	struct resolver *resolver = resolution->resolver;
	char text[DOMAIN_NAME_SIZE + 1]; /* there may be a final dot */
	enum status status;

	if (!domain_name_is_valid(name))
		return STATUS_INVALID;
	memcpy(text, name.at, name.length);
	text[name.length] = 0;
	status = unbound_open(resolver);
	if (status == STATUS_OK)
		status = question_ask(resolution, TYPE_A, text);
	if (status == STATUS_OK)
		status = question_ask(resolution, TYPE_AAAA, text);
	return status;
}

static enum status
ask_names(struct resolution *resolution, const struct endpoint *address)
{
	char name[DOMAIN_NAME_SIZE];
	enum status status;

	if (!domain_name_of_address(address, name))
		return STATUS_INVALID;
	status = unbound_open(resolution->resolver);
	return status == STATUS_OK ? question_ask(resolution, TYPE_PTR, name) : status;
}

/* NULL: no memory. */
static struct resolution *
resolution_new(struct resolver *resolver, struct resolver_query *query,
	       resolver_answered *answered)
{
	struct resolution *resolution = calloc(1, sizeof(*resolution));

	assert(!query->answer);
	if (!resolution)
		return NULL;
	resolution->resolver = resolver;
	resolution->query = query;
	resolution->task.run = resolution_answer;
	timer_init(&resolution->patience, patience_ended);
	list_append(&resolver->resolutions, &resolution->link);
	*query = (struct resolver_query){
		.answered = answered,
		.resolver = resolver,
		.answer = &resolution->answer,
	};
	return resolution;
}

/* status: of asking the questions. */
static enum status
resolution_begin(struct resolution *resolution, enum status status)
{
	if (status == STATUS_OK)
		loop_timer_start(resolution->resolver->loop, &resolution->patience,
				 RESOLVER_PATIENCE);
	else
		resolution_free(resolution);
	return status;
}

enum status
resolver_ask(struct resolver *resolver, struct resolver_query *query, struct span name,
	     resolver_answered *answered)
{
	struct resolution *resolution = resolution_new(resolver, query, answered);
	struct resolver_answer *answer;

	if (!resolution)
		return STATUS_NO_MEMORY;
	answer = &resolution->answer;
	if (endpoint_read_address(name, 0, &answer->addresses[0])) {
		answer->count = 1;
		answer->ttl = UINT32_MAX;
		loop_defer(resolver->loop, &resolution->task);
		return STATUS_OK;
	}
	return resolution_begin(resolution, ask_addresses(resolution, name));
}

enum status
resolver_ask_name(struct resolver *resolver, struct resolver_query *query,
		  const struct endpoint *address, resolver_answered *answered)
{
	struct resolution *resolution = resolution_new(resolver, query, answered);

	if (!resolution)
		return STATUS_NO_MEMORY;
	return resolution_begin(resolution, ask_names(resolution, address));
}

void
resolver_cancel(struct resolver_query *query)
{
	if (query->answer)
		resolution_free(query_resolution(query));
}

enum status
resolver_open(struct resolver **resolver, struct loop *loop, enum resolver_mode mode,
	      const struct endpoint *servers, size_t server_count)
{
	size_t size = server_count * sizeof(*servers);
	struct resolver *made = calloc(1, sizeof(*made) + size);

	assert(mode == RESOLVER_FORWARD ? server_count > 0 : server_count == 0);
	if (!made)
		return STATUS_NO_MEMORY;
	made->loop = loop;
	made->mode = mode;
	made->server_count = server_count;
	if (size)
		memcpy(made->servers, servers, size);
	list_init(&made->resolutions);
	*resolver = made;
	return STATUS_OK;
}

void
resolver_close(struct resolver *resolver)
{
	if (!resolver)
		return;
	LIST_EACH (&resolver->resolutions, at)
		resolution_free(CONTAINER_OF(at, struct resolution, link));
	unbound_close(resolver);
	free(resolver);
}
