#include "config/yaml.h"

#include "smtp/utf8.h"

#include <assert.h>
#include <libfyaml.h>

/* A list or mapping that is being read. */
struct frame {
	struct yaml_node *node;
	struct yaml_entry **tail;
	const struct yaml_node *key; /* waits for its value */
	struct span anchor;
};

struct anchor {
	struct span name;
	const struct yaml_node *node;
	struct anchor *next;
};

struct builder {
	struct arena *arena;
	struct report *report;
	struct frame frames[YAML_DEPTH_MAX];
	unsigned depth;
	struct anchor *anchors; /* the last definition of a name comes first */
	const struct yaml_node *root;
	uint32_t documents;
	uint32_t nodes;
};

static struct place
place_of(const struct fy_mark *mark)
{
	if (!mark || mark->line < 0 || mark->column < 0)
		return (struct place){0};
	return (struct place){(uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

/* Marks stand behind the sign that a quoted text or an alias begins with. */
static struct place
step_back(struct place place)
{
	if (place.column > 1)
		place.column--;
	return place;
}

static bool
is_quoted(struct fy_token *token)
{
	enum fy_scalar_style style =
		token ? fy_scalar_token_get_style(token) : FYSS_PLAIN;

	return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* A value that is not there has no mark: it is missed where its key is. */
static struct place
place_of_scalar(const struct builder *builder, struct fy_token *token,
		struct place place)
{
	const struct frame *frame =
		builder->depth ? &builder->frames[builder->depth - 1] : NULL;

	if (!place.line && frame)
		return frame->key ? frame->key->place : frame->node->place;
	return is_quoted(token) ? step_back(place) : place;
}

static enum status
refuse(struct builder *builder, struct place place, const char *why)
{
	report_error(builder->report, place, "", "%s", why);
	return STATUS_INVALID;
}

static struct span
token_text(struct fy_token *token)
{
	size_t length = 0;
	const char *text = token ? fy_token_get_text(token, &length) : NULL;

	return text ? span_of(text, length) : span_of("", 0);
}

static struct yaml_node *
new_node(struct builder *builder, enum yaml_kind kind, struct place place)
{
	struct yaml_node *node = arena_take(builder->arena, sizeof(*node));

	if (node)
		*node = (struct yaml_node){.kind = kind, .place = place, .size = 1};
	return node;
}

static enum status
append_entry(struct builder *builder, struct frame *frame,
	     const struct yaml_node *value)
{
	struct yaml_entry *entry = arena_take(builder->arena, sizeof(*entry));

	if (!entry)
		return STATUS_NO_MEMORY;
	*entry = (struct yaml_entry){.key = frame->key, .value = value};
	*frame->tail = entry;
	frame->tail = &entry->next;
	frame->node->size += value->size;
	frame->key = NULL;
	/* Aliases of aliases grow by powers: what is counted is what a reader walks. */
	if (frame->node->size > YAML_NODES_MAX)
		return refuse(builder, value->place, "the file holds too many values");
	return STATUS_OK;
}

/* A node that is complete goes to where the one around it wants it. */
static enum status
place_node(struct builder *builder, const struct yaml_node *node)
{
	struct frame *frame;

	if (builder->depth == 0) {
		builder->root = node;
		return STATUS_OK;
	}
	frame = &builder->frames[builder->depth - 1];
	if (frame->node->kind == YAML_MAP && !frame->key) {
		if (node->kind != YAML_TEXT)
			return refuse(builder, node->place,
				      "a key must be a plain word");
		frame->key = node;
		frame->node->size++;
		return STATUS_OK;
	}
	return append_entry(builder, frame, node);
}

static enum status
remember_anchor(struct builder *builder, struct span name, const struct yaml_node *node)
{
	struct anchor *anchor;

	if (span_is_empty(name))
		return STATUS_OK;
	anchor = arena_take(builder->arena, sizeof(*anchor));
	if (!anchor)
		return STATUS_NO_MEMORY;
	*anchor = (struct anchor){arena_copy(builder->arena, name), node,
				  builder->anchors};
	builder->anchors = anchor;
	return anchor->name.at ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool
means_nothing(struct fy_token *token, struct span text)
{
	if (token && fy_scalar_token_get_style(token) != FYSS_PLAIN)
		return false;
	return span_is_empty(text) || span_equals(text, SPAN("~")) ||
	       span_equals(text, SPAN("null"));
}

static enum status
add_scalar(struct builder *builder, struct fy_event *event, struct place place)
{
	struct span text = token_text(event->scalar.value);
	bool nothing = means_nothing(event->scalar.value, text);
	struct yaml_node *node;
	enum status status;

	place = place_of_scalar(builder, event->scalar.value, place);
	node = new_node(builder, nothing ? YAML_NOTHING : YAML_TEXT, place);
	if (!node)
		return STATUS_NO_MEMORY;
	node->text = arena_copy(builder->arena, text);
	if (!node->text.at)
		return STATUS_NO_MEMORY;
	status = remember_anchor(builder, token_text(event->scalar.anchor), node);
	return status == STATUS_OK ? place_node(builder, node) : status;
}

static enum status
add_alias(struct builder *builder, struct fy_event *event, struct place place)
{
	struct span name = token_text(event->alias.anchor);

	for (struct anchor *at = builder->anchors; at; at = at->next)
		if (span_equals(at->name, name))
			return place_node(builder, at->node);
	report_error(builder->report, place, "",
		     "no value is anchored as \"&%.*s\" above",
		     SPAN_ARGS(report_excerpt(name)));
	return STATUS_INVALID;
}

static enum status
begin(struct builder *builder, enum yaml_kind kind, struct fy_token *anchor,
      struct place place)
{
	struct yaml_node *node = new_node(builder, kind, place);
	struct span name = arena_copy(builder->arena, token_text(anchor));

	if (builder->depth == YAML_DEPTH_MAX)
		return refuse(builder, place, "nested too deeply");
	if (!node || !name.at)
		return STATUS_NO_MEMORY;
	builder->frames[builder->depth++] =
		(struct frame){.node = node, .tail = &node->entries, .anchor = name};
	return STATUS_OK;
}

static const struct yaml_entry *
find_entry(const struct yaml_node *map, struct span key)
{
	for (const struct yaml_entry *at = map->entries; at; at = at->next)
		if (span_equals(at->key->text, key))
			return at;
	return NULL;
}

/* Takes over what the frame's mapping does not say itself. */
static enum status
merge_map(struct builder *builder, struct frame *frame, const struct yaml_node *from)
{
	enum status status = STATUS_OK;

	if (from->kind != YAML_MAP)
		return refuse(builder, from->place, "\"<<\" merges mappings only");
	for (const struct yaml_entry *at = from->entries; at && status == STATUS_OK;
	     at = at->next) {
		if (find_entry(frame->node, at->key->text))
			continue;
		frame->key = at->key;
		status = append_entry(builder, frame, at->value);
	}
	return status;
}

static enum status
merge_value(struct builder *builder, struct frame *frame, const struct yaml_node *value)
{
	enum status status = STATUS_OK;

	if (value->kind != YAML_LIST)
		return merge_map(builder, frame, value);
	for (const struct yaml_entry *at = value->entries; at && status == STATUS_OK;
	     at = at->next)
		status = merge_map(builder, frame, at->value);
	return status;
}

/* Replaces every "<<" by what it brings in. */
static enum status
resolve_merges(struct builder *builder, struct frame *frame)
{
	struct yaml_entry **at = &frame->node->entries;

	while (*at) {
		const struct yaml_node *value = (*at)->value;
		enum status status;

		if (!span_equals((*at)->key->text, SPAN("<<"))) {
			at = &(*at)->next;
			continue;
		}
		if (frame->tail == &(*at)->next)
			frame->tail = at;
		*at = (*at)->next;
		status = merge_value(builder, frame, value);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum status
end(struct builder *builder)
{
	struct frame *frame = &builder->frames[builder->depth - 1];
	enum status status = STATUS_OK;

	assert(frame->node);
	if (frame->node->kind == YAML_MAP)
		status = resolve_merges(builder, frame);
	/* Anchored when complete: no value can hold itself. */
	if (status == STATUS_OK)
		status = remember_anchor(builder, frame->anchor, frame->node);
	builder->depth--;
	return status == STATUS_OK ? place_node(builder, frame->node) : status;
}

static enum status
add_event(struct builder *builder, struct fy_event *event)
{
	struct place place = place_of(fy_event_start_mark(event));

	if (++builder->nodes > 2 * YAML_NODES_MAX)
		return refuse(builder, place, "the file holds too many values");
	if (fy_event_get_tag_token(event))
		return refuse(builder, place, "tags (\"!…\") have no meaning here");
	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (builder->documents++)
			return refuse(builder, place, "a second document begins here");
		return STATUS_OK;
	case FYET_MAPPING_START:
		return begin(builder, YAML_MAP, event->mapping_start.anchor, place);
	case FYET_SEQUENCE_START:
		return begin(builder, YAML_LIST, event->sequence_start.anchor, place);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return end(builder);
	case FYET_SCALAR:
		return add_scalar(builder, event, place);
	case FYET_ALIAS:
		return add_alias(builder, event, step_back(place));
	default:
		return STATUS_OK;
	}
}

/* What libfyaml has to say about the syntax. */
static void
report_syntax(struct builder *builder, struct fy_diag *diag)
{
	struct fy_diag_error *error;
	uint32_t before = builder->report->errors;
	void *at = NULL;

	while ((error = fy_diag_errors_iterate(diag, &at))) {
		struct place place = {0};

		if (error->line > 0 && error->column > 0)
			place = (struct place){(uint32_t)error->line,
					       (uint32_t)error->column};
		report_error(builder->report, place, "", "not YAML: %s",
			     error->msg ? error->msg : "");
	}
	if (builder->report->errors == before)
		refuse(builder, (struct place){0}, "not YAML");
}

static enum status
parse(struct builder *builder, struct fy_parser *parser, struct fy_diag *diag)
{
	enum status status = STATUS_OK;
	struct fy_event *event;

	while (status == STATUS_OK && (event = fy_parser_parse(parser))) {
		status = add_event(builder, event);
		fy_parser_event_free(parser, event);
	}
	if (status == STATUS_OK && fy_parser_get_stream_error(parser)) {
		report_syntax(builder, diag);
		status = STATUS_INVALID;
	}
	return status;
}

static enum status
build(struct builder *builder, struct span text)
{
	struct fy_diag_cfg diag_options;
	struct fy_diag *diag;
	struct fy_parser *parser = NULL;
	enum status status = STATUS_NO_MEMORY;

	fy_diag_cfg_default(&diag_options);
	diag_options.fp = NULL;
	diag = fy_diag_create(&diag_options);
	if (diag) {
		struct fy_parse_cfg options = {.flags = FYPCF_DEFAULT_PARSE,
					       .diag = diag};

		fy_diag_set_collect_errors(diag, true);
		parser = fy_parser_create(&options);
	}
	if (parser && fy_parser_set_string(parser, text.at, text.length) == 0)
		status = parse(builder, parser, diag);
	if (parser)
		fy_parser_destroy(parser);
	if (diag)
		fy_diag_destroy(diag);
	return status;
}

/* Bytes that no text has are found before any library sees them. */
static enum status
check_characters(struct builder *builder, struct span text)
{
	struct place place = {1, 1};

	while (text.length) {
		size_t length = utf8_character_length(text);

		if (length == 0)
			return refuse(builder, place, "a byte that is not UTF-8");
		if (text.at[0] == 0)
			return refuse(builder, place, "a NUL byte");
		place.column++;
		if (text.at[0] == '\n')
			place = (struct place){place.line + 1, 1};
		text = span_skip(text, length);
	}
	return STATUS_OK;
}

enum status
yaml_read(struct span text, struct arena *arena, struct report *report,
	  const struct yaml_node **root)
{
	struct builder builder = {.arena = arena, .report = report};
	enum status status;

	if (text.length > YAML_BYTES_MAX)
		return refuse(&builder, (struct place){0}, "larger than 1 MB");
	status = check_characters(&builder, text);
	if (status == STATUS_OK && text.length)
		status = build(&builder, text);
	if (status == STATUS_OK && !builder.root)
		builder.root = new_node(&builder, YAML_NOTHING, (struct place){1, 1});
	if (status == STATUS_OK && !builder.root)
		status = STATUS_NO_MEMORY;
	*root = builder.root;
	return status;
}
