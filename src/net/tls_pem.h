/*
 * tls_pem: certificates and private keys from PEM files. Keys that a password protects
 * are refused: nobody is there to be asked.
 * Thread: any, but it reads files: the control thread's work. Allocates.
 */
#ifndef EVENPOST_NET_TLS_PEM_H
#define EVENPOST_NET_TLS_PEM_H

#include "net/tls_fault.h"

#include <openssl/x509.h>

/* All certificates of the file, at least one, in their order. */
MUST_CHECK enum status
tls_pem_certificates(const char *path, STACK_OF(X509) * *certificates,
		     struct tls_fault *fault);

/* The first private key of the file. */
MUST_CHECK enum status
tls_pem_key(const char *path, EVP_PKEY **key, struct tls_fault *fault);

#endif
