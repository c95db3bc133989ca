/* Grey pictures in IFF files: FORM/GREY, with a chunk HEAD (width and height, 32 bits each, big endian) and a
 * chunk BODY (the rows from the top, one byte a pixel, packed as PackBits). */

#ifndef GREY_H
#define GREY_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t width;
    uint32_t height;
    uint8_t *pixels;
} grey_image;

enum { GREY_OK, GREY_NO_FORM, GREY_NO_HEAD, GREY_BAD_SIZE, GREY_TOO_SHORT, GREY_NO_MEMORY };

/* Decodes a file. Returns GREY_OK, and an image that grey_free takes; or another code, and no image. */
int grey_decode(const uint8_t *data, size_t len, grey_image *image);

void grey_free(grey_image *image);

/* What a code means, in English. */
const char *grey_message(int code);

#endif
