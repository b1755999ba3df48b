#include "tools/load_connection.h"

#include "smtp/body.h"

static void
connection_say(struct connection *connection, enum smtp_step step, struct span line)
{
	smtp_client_expect(&connection->client, step, 1);
	if (buffer_append(&connection->output, line))
		dialogue_fail(connection, "memory", "out of memory");
}

void
say_mail(struct connection *connection)
{
	const struct load_options *options = connection->load->options;
	char line[600];
	int length = snprintf(line, sizeof(line), "MAIL FROM:<%s>%s\r\n", options->from,
			      options->utf8 ? " SMTPUTF8" : "");

	connection->dialogue = DIALOGUE_ENVELOPE;
	connection_say(connection, SMTP_STEP_MAIL, span_of(line, (size_t)length));
}

/* The first %d of the pattern is the number. */
void
say_rcpt(struct connection *connection)
{
	struct load *load = connection->load;
	const char *to = load->options->to;
	const char *number = strstr(to, "%d");
	int before = number ? (int)(number - to) : (int)strlen(to);
	char line[600];
	int length;

	if (number)
		length = snprintf(
			line, sizeof(line), "RCPT TO:<%.*s%llu%s>\r\n", before, to,
			(unsigned long long)++load->recipient_number, number + 2);
	else
		length = snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", to);
	connection->message.offered++;
	connection_say(connection, SMTP_STEP_RCPT, span_of(line, (size_t)length));
}

void
say_message(struct connection *connection)
{
	struct load *load = connection->load;
	const struct load_content *content = &load->content;
	struct message *message = &connection->message;
	char header[LOAD_HEADER_MAX];
	char chunk[64];
	size_t header_length = load_content_header(content, message->number, header);
	uint32_t replies = load->options->lmtp ? message->accepted : 1;
	bool failed = false;

	if (load->options->chunking) {
		int length;

		connection->body = content->octets;
		message->length = header_length + content->octets.length;
		length = snprintf(chunk, sizeof(chunk), "BDAT %llu LAST\r\n",
				  (unsigned long long)message->length);
		failed = buffer_append(&connection->output,
				       span_of(chunk, (size_t)length));
	} else {
		connection->body = content->wire;
		message->length =
			header_length + content->wire.length - SMTP_BODY_END.length;
	}
	if (failed ||
	    buffer_append(&connection->output, span_of(header, header_length)))
		dialogue_fail(connection, "memory", "out of memory");
	smtp_client_expect(&connection->client, SMTP_STEP_END, replies);
	connection->dialogue = DIALOGUE_BODY;
}

void
say_group(struct connection *connection)
{
	const struct load_options *options = connection->load->options;

	say_mail(connection);
	while (connection->message.offered < options->recipients)
		say_rcpt(connection);
	connection->dialogue = DIALOGUE_DATA;
	if (!options->chunking)
		say_data(connection);
	else if (!options->lmtp) /* LMTP must know first how many replies there will be
				  */
		say_message(connection);
}

void
say_quit(struct connection *connection)
{
	connection->dialogue = DIALOGUE_QUIT;
	connection_say(connection, SMTP_STEP_QUIT, SPAN("QUIT\r\n"));
}

void
say_data(struct connection *connection)
{
	connection->dialogue = DIALOGUE_DATA;
	connection_say(connection, SMTP_STEP_DATA, SPAN("DATA\r\n"));
}

void
say_reset(struct connection *connection)
{
	connection->dialogue = DIALOGUE_RESET;
	connection_say(connection, SMTP_STEP_RSET, SPAN("RSET\r\n"));
}

void
say_hello(struct connection *connection)
{
	const struct load_options *options = connection->load->options;
	const char *verb = options->lmtp             ? "LHLO"
			   : connection->plain_hello ? "HELO"
						     : "EHLO";
	char line[300];
	int length = snprintf(line, sizeof(line), "%s %s\r\n", verb, options->hello);

	connection->dialogue = DIALOGUE_HELLO;
	connection_say(connection, SMTP_STEP_HELLO, span_of(line, (size_t)length));
}

void
say_starttls(struct connection *connection)
{
	connection->dialogue = DIALOGUE_STARTTLS;
	connection_say(connection, SMTP_STEP_STARTTLS, SPAN("STARTTLS\r\n"));
}

void
say_empty_message(struct connection *connection)
{
	connection->dialogue = DIALOGUE_BODY;
	connection_say(connection, SMTP_STEP_END, SMTP_BODY_END);
}
