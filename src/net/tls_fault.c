#include "net/tls_fault.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status
tls_fault_set(struct tls_fault *fault, enum status status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(fault->text, sizeof(fault->text), format, arguments);
	va_end(arguments);
	return status;
}

const char *
tls_reason(void)
{
	/* the oldest is the cause; those behind it say who passed it on */
	unsigned long code = ERR_peek_error();
	const char *reason = NULL;

	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	if (code)
		reason = ERR_reason_error_string(code);
	return reason ? reason : "no reason given";
}
