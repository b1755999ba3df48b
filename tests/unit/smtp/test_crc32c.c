#include "rows.h"
#include "smtp/crc32c.h"

#define ZEROS_8 "\0\0\0\0\0\0\0\0"
#define ONES_8 "\xff\xff\xff\xff\xff\xff\xff\xff"

/* RFC 3720 appendix B.4, where the octets of a sum stand in the reverse order. */
static const struct vector {
	const char *name;
	struct span bytes;
	uint32_t sum;
} vectors[] = {
	{"nothing", SPAN(""), 0},
	{"32 zeros", SPAN(ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8), 0x8a9136aa},
	{"32 ones", SPAN(ONES_8 ONES_8 ONES_8 ONES_8), 0x62a8ab43},
	{"32 rising",
	 SPAN("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
	      "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"),
	 0x46dd794e},
	{"32 falling",
	 SPAN("\x1f\x1e\x1d\x1c\x1b\x1a\x19\x18\x17\x16\x15\x14\x13\x12\x11\x10"
	      "\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\x06\x05\x04\x03\x02\x01\x00"),
	 0x113fdb5c},
	{"an iSCSI read",
	 SPAN("\x01\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	      "\x14\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x14\x00\x00\x00\x18"
	      "\x28\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"),
	 0xd9963a56},
	{"nine digits", SPAN("123456789"), 0xe3069283},
};

static void
test_vector(void **state)
{
	const struct vector *row = *state;

	assert_int_equal(crc32c_extend(0, row->bytes), row->sum);
	for (size_t cut = 0; cut <= row->bytes.length; cut++) {
		uint32_t sum = crc32c_extend(0, span_take(row->bytes, cut));

		sum = crc32c_extend(sum, span_skip(row->bytes, cut));
		assert_int_equal(sum, row->sum);
	}
}

int
main(void)
{
	return ROWS_RUN(vectors, test_vector);
}
