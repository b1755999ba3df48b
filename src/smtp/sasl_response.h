/*
 * sasl_response: whether the decoded response of a client is as its mechanism has it,
 * and whose it is. What is wrong with a token or a password, the server says.
 * Thread: any. Never allocates; the name borrows from the text.
 */
#ifndef EVENPOST_SMTP_SASL_RESPONSE_H
#define EVENPOST_SMTP_SASL_RESPONSE_H

#include "base/span.h"

struct sasl_identity {
	/* Whose secret it is, or for whom a token is shown. Empty: nobody is named. */
	struct span name;
	bool acts_for_another; /* those two are not one, or that can not be known */
};

/* Sets the identity, zeroed before, where the response has it; the text may be changed.
 */
typedef bool
sasl_response_reader(char *text, size_t length, struct sasl_identity *identity);

sasl_response_reader sasl_response_plain, sasl_response_login_name,
	sasl_response_login_password, sasl_response_xoauth2, sasl_response_oauthbearer;

/* UTF-8 without control characters, at most SASL_NAME_MAX octets. */
bool sasl_name_is_valid(struct span name);

/* An empty one is no password: directories take it for a question without a name. */
bool sasl_password_is_valid(struct span password);

#endif
