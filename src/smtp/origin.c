#include "smtp/origin.h"

void
smtp_origin_stand_in(struct smtp_origin *origin, const struct endpoint *local,
		     const struct endpoint *peer)
{
	if (smtp_origin_is_ip(&origin->client))
		return;
	origin->client = *local;
	origin->destination = *peer;
	if (smtp_origin_is_ip(local) && smtp_origin_is_ip(peer))
		return;
	endpoint_read_address(SPAN("127.0.0.1"), 0, &origin->client);
	origin->destination = origin->client;
}
