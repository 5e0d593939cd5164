/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 by libcrypto, fed in pieces. */
#include "base/digest.h"

#include <openssl/evp.h>
#include <stdio.h>

/* libcrypto's context is the whole of the state; the name keeps its type out of our headers. */
struct digest *digest_new(void)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(context);
		context = NULL;
	}
	return (struct digest *)context;
}

void digest_free(struct digest **digest)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)*digest);
	*digest = NULL;
}

bool digest_add(struct digest *digest, const void *bytes, size_t length)
{
	return EVP_DigestUpdate((EVP_MD_CTX *)digest, bytes, length) == 1;
}

bool digest_finish(struct digest *digest, unsigned char ret_bytes[DIGEST_SIZE])
{
	return EVP_DigestFinal_ex((EVP_MD_CTX *)digest, ret_bytes, NULL) == 1;
}

const char *digest_text(const unsigned char bytes[DIGEST_SIZE], char *text)
{
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}
