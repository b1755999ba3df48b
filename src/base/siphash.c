#include "base/siphash.h"

#include <endian.h>

struct state {
	uint64_t a, b, c, d;
};

static uint64_t
rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void
mix(struct state *state, unsigned rounds)
{
	while (rounds--) {
		state->a += state->b;
		state->b = rotate(state->b, 13) ^ state->a;
		state->a = rotate(state->a, 32);
		state->c += state->d;
		state->d = rotate(state->d, 16) ^ state->c;
		state->a += state->d;
		state->d = rotate(state->d, 21) ^ state->a;
		state->c += state->b;
		state->b = rotate(state->b, 17) ^ state->c;
		state->c = rotate(state->c, 32);
	}
}

static void
absorb(struct state *state, uint64_t word)
{
	state->d ^= word;
	mix(state, 2);
	state->a ^= word;
}

/* Up to eight bytes, the first the lowest. */
static uint64_t
word_of(struct span bytes)
{
	uint64_t word = 0;

	if (bytes.length)
		memcpy(&word, bytes.at, bytes.length);
	return le64toh(word);
}

uint64_t
siphash(const struct siphash_key *key, struct span bytes)
{
	/* "somepseudorandomlygeneratedbytes", as the paper has it */
	struct state state = {
		key->words[0] ^ 0x736f6d6570736575u,
		key->words[1] ^ 0x646f72616e646f6du,
		key->words[0] ^ 0x6c7967656e657261u,
		key->words[1] ^ 0x7465646279746573u,
	};
	uint64_t length = bytes.length;

	for (; bytes.length >= 8; bytes = span_skip(bytes, 8))
		absorb(&state, word_of(span_take(bytes, 8)));
	absorb(&state, length << 56 | word_of(bytes));
	state.c ^= 0xff;
	mix(&state, 4);
	return state.a ^ state.b ^ state.c ^ state.d;
}
