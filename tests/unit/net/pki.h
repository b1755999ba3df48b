/*
 * pki: authorities and certificates for tests, made when they are asked for, in a
 * folder that is gone afterwards. All are called by the file that they are in:
 *
 *   ca                  the authority; "middle" is signed by it
 *   other-ca            another one, which nobody trusts
 *   mx, mx-p256         RSA and P-256 for mx.test, of middle, with the chain
 *   second              second.test and third.test
 *   wild                *.wild.test
 *   plain               no alternative names: the common name is plain.test
 *   address             127.0.0.1
 *   expired, self       mx.test, of the past; and signed by itself
 *   future              future.test, not valid yet
 *   cut, disorder       mx.test without, and in front of, a wrong chain
 *   weak                an RSA key of 1024 bits
 *   client, stranger    of a client: CN=client, and of other-ca: CN=stranger
 *   crowd               so many names that it is larger than two records
 *
 * NAME.pem has the certificate and NAME.key the key, for its owner alone.
 * "encrypted.key" wants a password, "garbage.pem" and "empty.pem" are what they say.
 * Owner: the test program.
 */
#ifndef EVENPOST_TESTS_PKI_H
#define EVENPOST_TESTS_PKI_H

#include "net/tls_material.h"

/* cmocka's group set-up and tear-down. */
int pki_open(void **state);
int pki_close(void **state);

/* Of a file, for as long as the folder is there. */
const char *pki_path(const char *file);
struct tls_files pki_files(const char *name);
/* Those side by side, up to the NULL: at most eight. */
struct tls_material *pki_material(const char *const *names);
/* Seconds since 1970: when all end that have not expired; and when "expired" did. */
int64_t pki_end(void);
int64_t pki_end_of_expired(void);
/* When "future" will be valid. */
int64_t pki_begin_of_future(void);

/* From now on name is another name of that file. */
void pki_link(const char *name, const char *file);

/* A file with these bytes. */
void pki_write(const char *file, const void *bytes, size_t size);

#endif
