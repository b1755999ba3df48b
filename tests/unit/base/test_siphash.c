#include "rows.h"

#include "base/siphash.h"

/* As many of the bytes 0, 1, 2 … as the row says, under the key 0, 1 … 15: the vectors
   of the paper's own program. */
static const struct vector {
	const char *name;
	size_t length;
	uint64_t hash;
} vectors[] = {
	{"nothing", 0, 0x726fdb47dd0e0e31},
	{"a byte", 1, 0x74f839c593dc67fd},
	{"an IPv4 address", 4, 0xcf2794e0277187b7},
	{"a byte less than a word", 7, 0xab0200f58b01d137},
	{"a word", 8, 0x93f5f5799a932462},
	{"a word and a byte", 9, 0x9e0082df0ba9e4b0},
	{"the paper's", 15, 0xa129ca6149be45e5},
	{"two words", 16, 0x3f2acc7f57c29bdb},
	{"many", 63, 0x958a324ceb064572},
};

static void
test_vector(void **state)
{
	const struct vector *vector = *state;
	const struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
	char bytes[64];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	assert_true(siphash(&key, span_of(bytes, vector->length)) == vector->hash);
}

int
main(void)
{
	return ROWS_RUN(vectors, test_vector);
}
