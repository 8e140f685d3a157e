/*
 * crc32c: the Castagnoli checksum (RFC 3720 appendix B.4) of journal records.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at first) over n bytes; uses the processor's instruction where there is one. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);

#endif
