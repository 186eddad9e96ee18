#include "seal.h"

#include <stdbool.h>
#include <string.h>

#include "frames.h"

/* SHA-256 as FIPS 180-4 defines it, and HMAC as RFC 2104 does. */
enum { BLOCK = 64, DIGEST = 32 };

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[BLOCK];
};

static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const struct sha256 fresh = {
    .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
              0x5be0cd19},
};

/* The hash after the inner and the outer key block: every seal goes on from here. */
static struct sha256 inner, outer;
static bool has_secret;

static uint32_t turned(uint32_t word, int by) {
    return word >> by | word << (32 - by);
}

static void mix(struct sha256 *hash, const uint8_t *block) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) w[i] = get_u32(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) + w[i - 7] +
               (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
    }
    memcpy(s, hash->state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t sum_e = turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25);
        uint32_t sum_a = turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t first = s[7] + sum_e + choice + rounds[i] + w[i];
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += first;
        s[0] = first + sum_a + majority;
    }
    for (int i = 0; i < 8; i++) hash->state[i] += s[i];
}

static void add(struct sha256 *hash, const uint8_t *bytes, size_t length) {
    while (length > 0) {
        size_t at = hash->length % BLOCK;
        size_t count = length < BLOCK - at ? length : BLOCK - at;
        memcpy(hash->block + at, bytes, count);
        hash->length += count;
        bytes += count;
        length -= count;
        if (at + count == BLOCK) mix(hash, hash->block);
    }
}

static void finish(struct sha256 *hash, uint8_t digest[DIGEST]) {
    static const uint8_t padding[BLOCK] = {0x80};
    uint8_t bits[8];
    put_u64(bits, hash->length * 8);
    add(hash, padding, 1 + (BLOCK + 55 - hash->length % BLOCK) % BLOCK);
    add(hash, bits, sizeof bits);
    for (int i = 0; i < 8; i++) put_u32(digest + 4 * i, hash->state[i]);
}

void seal_begin(const uint8_t secret[SECRET_BYTES]) {
    uint8_t inner_key[BLOCK], outer_key[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        uint8_t byte = i < SECRET_BYTES ? secret[i] : 0;
        inner_key[i] = byte ^ 0x36;
        outer_key[i] = byte ^ 0x5c;
    }
    inner = outer = fresh;
    add(&inner, inner_key, BLOCK);
    add(&outer, outer_key, BLOCK);
    has_secret = true;
}

size_t seal(uint8_t type, const uint8_t *payload, size_t length, uint8_t *to) {
    if (!has_secret) return 0;
    uint8_t digest[DIGEST];
    struct sha256 within = inner, around = outer;
    add(&within, &type, 1);
    add(&within, payload, length);
    finish(&within, digest);
    add(&around, digest, DIGEST);
    finish(&around, digest);
    memcpy(to, digest, SEAL_BYTES);
    return SEAL_BYTES;
}
