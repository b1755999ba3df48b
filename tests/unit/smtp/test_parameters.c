#include "rows.h"
#include "smtp/parameters.h"

#define OFFERED                                                                        \
	(SMTP_SIZE | SMTP_8BITMIME | SMTP_SMTPUTF8 | SMTP_DSN | SMTP_PIPELINING |      \
	 SMTP_CHUNKING)

#define OK SMTP_PARAMETERS_OK
#define UNKNOWN SMTP_PARAMETERS_UNKNOWN
#define MALFORMED SMTP_PARAMETERS_MALFORMED

#define ENVID_100                                                                      \
	"0123456789012345678901234567890123456789012345678901234567890123456789"       \
	"012345678901234567890123456789"

static const struct reading {
	const char *name;
	const char *text;
	uint32_t offered;
	enum smtp_parameters_result result;
	uint32_t needs;
	uint64_t size;
	enum smtp_body_type body;
	const char *envid;
} mail_readings[] =
	{
		{"none", "", 0, OK, 0, 0, 0, ""},
		{"blanks", "   ", 0, OK, 0, 0, 0, ""},
		{"SIZE", "SIZE=1000", OFFERED, OK, 0, 1000, 0, ""},
		{"SIZE in lower case", "size=1000", OFFERED, OK, 0, 1000, 0, ""},
		{"SIZE after HELO", "SIZE=1000", 0, UNKNOWN, 0, 0, 0, ""},
		{"SIZE without a value", "SIZE", OFFERED, MALFORMED, 0, 0, 0, ""},
		{"SIZE with an empty value", "SIZE=", OFFERED, MALFORMED, 0, 0, 0, ""},
		{"SIZE with a sign", "SIZE=+1", OFFERED, MALFORMED, 0, 0, 0, ""},
		{"SIZE of 20 digits", "SIZE=18446744073709551615", OFFERED, OK, 0,
		 UINT64_MAX, 0, ""},
		{"SIZE over 64 bits", "SIZE=99999999999999999999", OFFERED, OK, 0,
		 UINT64_MAX, 0, ""},
		{"SIZE of 21 digits", "SIZE=000000000000000000001", OFFERED, MALFORMED,
		 0, 0, 0, ""},
		{"SIZE twice", "SIZE=1 SIZE=1", OFFERED, MALFORMED, 0, 1, 0, ""},
		{"BODY=8BITMIME", "BODY=8BITMIME", OFFERED, OK, 0, 0,
		 SMTP_BODY_8BITMIME, ""},
		{"BODY=7bit", "BODY=7bit", OFFERED, OK, 0, 0, SMTP_BODY_7BIT, ""},
		{"BODY=BINARYMIME", "BODY=BINARYMIME", OFFERED, UNKNOWN, 0, 0, 0, ""},
		{"another BODY", "BODY=9BIT", OFFERED, MALFORMED, 0, 0, 0, ""},
		{"BODY not offered", "BODY=7BIT", SMTP_SIZE, UNKNOWN, 0, 0, 0, ""},
		{"SMTPUTF8", "SMTPUTF8", OFFERED, OK, SMTP_SMTPUTF8, 0, 0, ""},
		{"SMTPUTF8 with a value", "SMTPUTF8=1", OFFERED, MALFORMED,
		 SMTP_SMTPUTF8, 0, 0, ""},
		{"SMTPUTF8 not offered", "SMTPUTF8", SMTP_SIZE, UNKNOWN, 0, 0, 0, ""},
		{"RET=FULL", "RET=FULL", OFFERED, OK, SMTP_DSN, 0, 0, ""},
		{"RET=hdrs", "RET=hdrs", OFFERED, OK, SMTP_DSN, 0, 0, ""},
		{"another RET", "RET=NONE", OFFERED, MALFORMED, SMTP_DSN, 0, 0, ""},
		{"ENVID", "ENVID=QQ+2B314159", OFFERED, OK, SMTP_DSN, 0, 0,
		 "QQ+2B314159"},
		{"the longest ENVID", "ENVID=" ENVID_100, OFFERED, OK, SMTP_DSN, 0, 0,
		 ENVID_100},
		{"ENVID too long", "ENVID=" ENVID_100 "x", OFFERED, MALFORMED, SMTP_DSN,
		 0, 0, ENVID_100 "x"},
		{"ENVID that is no xtext", "ENVID=a+0Ab", OFFERED, MALFORMED, SMTP_DSN,
		 0, 0, "a+0Ab"},
		{"DSN not offered", "RET=FULL", SMTP_SIZE, UNKNOWN, 0, 0, 0, ""},
		{"AUTH not offered", "AUTH=<>", OFFERED, UNKNOWN, 0, 0, 0, ""},
		{"AUTH=<>", "AUTH=<>", SMTP_AUTH, OK, 0, 0, 0, ""},
		{"AUTH with xtext", "AUTH=e+3Dmc2@example.com", SMTP_AUTH, OK, 0, 0, 0,
		 ""},
		{"AUTH that is no xtext", "AUTH=a+0D+0Ab", SMTP_AUTH, MALFORMED, 0, 0,
		 0, ""},
		{"several", "  BODY=8BITMIME  SIZE=7 SMTPUTF8 ENVID=x ", OFFERED, OK,
		 SMTP_SMTPUTF8 | SMTP_DSN, 7, SMTP_BODY_8BITMIME, "x"},
		{"an unknown one", "HOLDFOR=60", OFFERED, UNKNOWN, 0, 0, 0, ""},
		{"an unknown one behind a known one", "SIZE=1 X=1", OFFERED, UNKNOWN, 0,
		 1, 0, ""},
		{"one of RCPT", "NOTIFY=NEVER", OFFERED, UNKNOWN, 0, 0, 0, ""},
		{"no keyword", "=1", OFFERED, MALFORMED, 0, 0, 0, ""},
		{"no characters of a keyword", "SI/ZE=1", OFFERED, MALFORMED, 0, 0, 0,
		 ""},
		{"REQUIRETLS", "REQUIRETLS", SMTP_REQUIRETLS, OK, SMTP_REQUIRETLS, 0, 0,
		 ""},
		{"REQUIRETLS with a value", "REQUIRETLS=1", SMTP_REQUIRETLS, MALFORMED,
		 SMTP_REQUIRETLS, 0, 0, ""},
		{"REQUIRETLS not offered", "REQUIRETLS", OFFERED, UNKNOWN, 0, 0, 0, ""},
},
  rcpt_readings[] = {
	  {"none", "", 0, OK, 0, 0, 0, ""},
	  {"NOTIFY=NEVER", "NOTIFY=NEVER", OFFERED, OK, SMTP_DSN, 0, 0, ""},
	  {"NOTIFY with one occasion", "NOTIFY=success", OFFERED, OK, SMTP_DSN, 0, 0,
	   ""},
	  {"NOTIFY with all occasions", "NOTIFY=SUCCESS,FAILURE,DELAY", OFFERED, OK,
	   SMTP_DSN, 0, 0, ""},
	  {"NEVER among others", "NOTIFY=NEVER,DELAY", OFFERED, MALFORMED, SMTP_DSN, 0,
	   0, ""},
	  {"a comma at the end", "NOTIFY=DELAY,", OFFERED, MALFORMED, SMTP_DSN, 0, 0,
	   ""},
	  {"an unknown occasion", "NOTIFY=ALWAYS", OFFERED, MALFORMED, SMTP_DSN, 0, 0,
	   ""},
	  {"NOTIFY twice", "NOTIFY=NEVER NOTIFY=DELAY", OFFERED, MALFORMED, SMTP_DSN, 0,
	   0, ""},
	  {"NOTIFY not offered", "NOTIFY=NEVER", SMTP_SIZE, UNKNOWN, 0, 0, 0, ""},
	  {"ORCPT", "ORCPT=rfc822;bob+40b@c.d", OFFERED, OK, SMTP_DSN, 0, 0, ""},
	  {"ORCPT without a type", "ORCPT=bob@c.d", OFFERED, MALFORMED, SMTP_DSN, 0, 0,
	   ""},
	  {"ORCPT with an empty type", "ORCPT=;bob@c.d", OFFERED, MALFORMED, SMTP_DSN,
	   0, 0, ""},
	  {"ORCPT without an address", "ORCPT=rfc822;", OFFERED, MALFORMED, SMTP_DSN, 0,
	   0, ""},
	  {"ORCPT that is no xtext", "ORCPT=rfc822;b+zz", OFFERED, MALFORMED, SMTP_DSN,
	   0, 0, ""},
	  {"ORCPT with octets above 0x7f", "ORCPT=rfc822;b\xc3\xb6", OFFERED, MALFORMED,
	   SMTP_DSN, 0, 0, ""},
	  {"ORCPT in UTF-8", "ORCPT=utf-8;b\xc3\xb6@c.d", OFFERED, OK,
	   SMTP_DSN | SMTP_SMTPUTF8, 0, 0, ""},
	  {"ORCPT in UTF-8 not offered", "ORCPT=utf-8;b\xc3\xb6@c.d", SMTP_DSN,
	   MALFORMED, SMTP_DSN, 0, 0, ""},
	  {"ORCPT in UTF-8 as ASCII", "ORCPT=utf-8;b\\x{F6}@c.d", SMTP_DSN, OK,
	   SMTP_DSN, 0, 0, ""},
	  {"ORCPT with a broken escape", "ORCPT=utf-8;b\\x{F6", SMTP_DSN, MALFORMED,
	   SMTP_DSN, 0, 0, ""},
	  {"ORCPT with broken UTF-8", "ORCPT=utf-8;b\xc3", OFFERED, MALFORMED,
	   SMTP_DSN | SMTP_SMTPUTF8, 0, 0, ""},
	  {"one of MAIL", "SIZE=1", OFFERED, UNKNOWN, 0, 0, 0, ""},
};

static void
assert_parameters(const struct smtp_parameters *parameters, const struct reading *row)
{
	assert_int_equal(parameters->needs, row->needs);
	assert_int_equal(parameters->size, row->size);
	assert_int_equal(parameters->body, row->body);
	assert_true(span_equals(parameters->envid, span_from_string(row->envid)));
	assert_true(
		span_equals(parameters->text, span_trim(span_from_string(row->text))));
}

static void
test_mail(void **state)
{
	const struct reading *row = *state;
	struct smtp_extensions offered = {row->offered, 0};
	struct smtp_parameters parameters;

	assert_int_equal(smtp_parameters_read_mail(span_from_string(row->text), offered,
						   &parameters),
			 row->result);
	assert_parameters(&parameters, row);
}

static void
test_rcpt(void **state)
{
	const struct reading *row = *state;
	struct smtp_extensions offered = {row->offered, 0};
	struct smtp_parameters parameters;

	assert_int_equal(smtp_parameters_read_rcpt(span_from_string(row->text), offered,
						   &parameters),
			 row->result);
	assert_parameters(&parameters, row);
}

static const struct printing {
	const char *name;
	const char *text;
	uint32_t server;
	const char *wanted;
} printings[] = {
	{"none", "", OFFERED, ""},
	{"all", "SIZE=1 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x", OFFERED,
	 " SIZE=1 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x"},
	{"as they came", "size=1  Body=7bit", OFFERED, " size=1 Body=7bit"},
	{"SIZE that the server does not know", "SIZE=1 BODY=7BIT", SMTP_8BITMIME,
	 " BODY=7BIT"},
	{"BODY that the server does not know", "BODY=8BITMIME SIZE=1", SMTP_SIZE,
	 " SIZE=1"},
	{"REQUIRETLS", "REQUIRETLS SIZE=1", SMTP_REQUIRETLS, " REQUIRETLS"},
	{"AUTH is never passed on", "AUTH=<> SIZE=1", UINT32_MAX, " SIZE=1"},
	{"those of RCPT", "NOTIFY=NEVER ORCPT=rfc822;a@b", SMTP_DSN,
	 " NOTIFY=NEVER ORCPT=rfc822;a@b"},
};

static void
test_printing(void **state)
{
	const struct printing *row = *state;
	struct smtp_extensions server = {row->server, 0};
	struct buffer output;

	buffer_init(&output, 1024);
	assert_int_equal(
		smtp_parameters_print(span_from_string(row->text), server, &output),
		STATUS_OK);
	assert_true(span_equals(buffer_span(&output), span_from_string(row->wanted)));
	buffer_clear(&output);
}

static const struct xtext {
	const char *name;
	const char *text;
	bool valid;
} xtexts[] = {
	{"nothing", "", true},
	{"plain", "abc@d.e!~", true},
	{"an encoded plus", "a+2Bb", true},
	{"an encoded blank", "a+20b", true},
	{"an encoded tilde", "+7E", true},
	{"a blank", "a b", false},
	{"an equals sign", "a=b", false},
	{"a plus alone", "a+", false},
	{"a plus and one digit", "a+2", false},
	{"lower-case digits", "a+2b", false},
	{"an encoded CR", "+0D", false},
	{"an encoded NUL", "+00", false},
	{"an encoded delete", "+7F", false},
	{"an encoded octet above 0x7f", "+E9", false},
	{"an octet above 0x7f", "\xe9", false},
	{"a delete", "\x7f", false},
};

static void
test_xtext(void **state)
{
	const struct xtext *row = *state;

	assert_int_equal(smtp_xtext_is_valid(span_from_string(row->text)), row->valid);
}

int
main(void)
{
	return ROWS_RUN(mail_readings, test_mail) + ROWS_RUN(rcpt_readings, test_rcpt) +
	       ROWS_RUN(printings, test_printing) + ROWS_RUN(xtexts, test_xtext);
}
