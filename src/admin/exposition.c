#include "admin/exposition.h"

#include <inttypes.h>
#include <stdio.h>

/* One sample, before its value. */
struct sample {
	const char *suffix;
	const struct label *labels;
	unsigned label_count;
	struct span bound; /* of a bucket; empty: no "le" */
};

void
exposition_init(struct exposition *exposition, struct buffer *text)
{
	*exposition = (struct exposition){.text = text};
}

static void
write_span(struct exposition *exposition, struct span words)
{
	if (exposition->status == STATUS_OK)
		exposition->status = buffer_append(exposition->text, words);
}

static void
write_string(struct exposition *exposition, const char *words)
{
	write_span(exposition, span_from_string(words));
}

void
exposition_begin(struct exposition *exposition, const char *name, const char *type,
		 const char *help)
{
	exposition->family = name;
	if (exposition->status == STATUS_OK)
		exposition->status =
			buffer_print(exposition->text, "# HELP %s %s\n# TYPE %s %s\n",
				     name, help, name, type);
}

static struct span
escape_of(char byte)
{
	switch (byte) {
	case '\\':
		return SPAN("\\\\");
	case '"':
		return SPAN("\\\"");
	case '\n':
		return SPAN("\\n");
	default:
		return SPAN("");
	}
}

static void
write_value(struct exposition *exposition, struct span value)
{
	size_t plain = 0;

	for (size_t i = 0; i < value.length; i++) {
		struct span escape = escape_of(value.at[i]);

		if (span_is_empty(escape))
			continue;
		write_span(exposition, span_of(value.at + plain, i - plain));
		write_span(exposition, escape);
		plain = i + 1;
	}
	write_span(exposition, span_skip(value, plain));
}

static void
write_label(struct exposition *exposition, const char *before, const char *name,
	    struct span value)
{
	write_string(exposition, before);
	write_string(exposition, name);
	write_string(exposition, "=\"");
	write_value(exposition, value);
	write_string(exposition, "\"");
}

static void
write_sample(struct exposition *exposition, const struct sample *sample,
	     struct span value)
{
	const char *before = "{";

	write_string(exposition, exposition->family);
	write_string(exposition, sample->suffix);
	for (unsigned i = 0; i < sample->label_count; i++) {
		write_label(exposition, before, sample->labels[i].name,
			    sample->labels[i].value);
		before = ",";
	}
	if (!span_is_empty(sample->bound)) {
		write_label(exposition, before, "le", sample->bound);
		before = ",";
	}
	write_string(exposition, *before == ',' ? "} " : " ");
	write_span(exposition, value);
	write_string(exposition, "\n");
}

static void
write_count(struct exposition *exposition, const struct sample *sample, uint64_t value)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%" PRIu64, value);

	write_sample(exposition, sample, span_of(text, (size_t)length));
}

static void
write_real(struct exposition *exposition, const struct sample *sample, double value)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%.15g", value);

	write_sample(exposition, sample, span_of(text, (size_t)length));
}

void
exposition_count(struct exposition *exposition, const struct label *labels,
		 unsigned label_count, uint64_t value)
{
	const struct sample sample = {"", labels, label_count, SPAN_INITIALIZER("")};

	write_count(exposition, &sample, value);
}

void
exposition_real(struct exposition *exposition, const struct label *labels,
		unsigned label_count, double value)
{
	const struct sample sample = {"", labels, label_count, SPAN_INITIALIZER("")};

	write_real(exposition, &sample, value);
}

void
exposition_histogram(struct exposition *exposition, const struct label *labels,
		     unsigned label_count, const struct histogram *histogram)
{
	struct sample sample = {"_bucket", labels, label_count, SPAN_INITIALIZER("")};
	unsigned last = histogram->bucket_count - 1;
	uint64_t sum = 0;
	char bound[32];

	for (unsigned i = 0; i <= last; i++) {
		sum += histogram->buckets[i];
		if (i < last)
			snprintf(bound, sizeof(bound), "%g",
				 histogram->bounds[i] / 1000.0);
		sample.bound = i < last ? span_from_string(bound) : SPAN("+Inf");
		write_count(exposition, &sample, sum);
	}
	sample.bound = SPAN("");
	sample.suffix = "_sum";
	write_real(exposition, &sample, (double)histogram->sum_us / 1e6);
	sample.suffix = "_count";
	write_count(exposition, &sample, sum);
}
