#include "config/setup.h"

#include "balance/server.h"

#include <assert.h>
#include <stdio.h>

/* What a fault that came with a reply quotes of it: octets. */
#define QUOTED 80

/* What is said of the server, before what is demanded and our own address. */
static const struct {
	const char *words; /* why another one is tried */
	const char *verb;
	const char *preposition;
} faults[SETUP_FAULT_COUNT] = {
	[SETUP_NOT_ANNOUNCED] = {"identity not announced", "does not announce", "to"},
	[SETUP_NO_ADDRESS] = {"identity not announced",
			      "announces, without ADDR among its attributes,", "to"},
	[SETUP_REFUSED] = {"identity refused", "announces, and then refuses,", "to"},
	[SETUP_NOT_TAKEN] = {"identity refused", "does not understand", "from"},
	[SETUP_FAMILY] = {"client of another address family", "can not be reached from",
			  "by"},
	[SETUP_DENIED] = {"no right to use the client's address",
			  "can not be reached from", "by"},
};

const char *
setup_note_fault(enum setup_fault fault, const struct setup_demand *demand,
		 struct server *server, const struct endpoint *own,
		 const struct smtp_reply *reply)
{
	char address[ENDPOINT_TEXT_MAX] = "this machine";
	char said[QUOTED + sizeof(" ()")] = "";
	char why[SERVER_FAULT_MAX];

	assert(demand->what);
	if (own->length)
		endpoint_print_address(own, address);
	if (reply)
		snprintf(said, sizeof(said), " (%.*s)",
			 SPAN_ARGS(span_take(smtp_reply_first_line(reply), QUOTED)));
	snprintf(why, sizeof(why), "%s %s %s %s %s: %s%s", server->name,
		 faults[fault].verb, demand->what, faults[fault].preposition, address,
		 demand->cure, said);
	server_set_fault(server, demand->kind, why);
	return faults[fault].words;
}
