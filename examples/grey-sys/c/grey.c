#include "grey.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST 8192

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* PackBits: n below 128 stands before n + 1 bytes as they are, n above 128 before one byte that is repeated
 * 257 - n times. */
static int unpack(const uint8_t *from, const uint8_t *end, uint8_t *to, size_t expected)
{
    uint8_t *begin = to;
    while (from < end) {
        size_t n = *from++;
        if (n < 128) {
            n += 1;
            if ((size_t)(end - from) < n)
                return GREY_TOO_SHORT;
            memcpy(to, from, n);
            from += n;
            to += n;
        } else if (n > 128) {
            n = 257 - n;
            if (from == end)
                return GREY_TOO_SHORT;
            memset(to, *from++, n);
            to += n;
        }
    }
    return (size_t)(to - begin) < expected ? GREY_TOO_SHORT : GREY_OK;
}

static int read_head(const uint8_t *chunk, uint32_t size, grey_image *image)
{
    size_t pixels;
    if (size < 8)
        return GREY_NO_HEAD;
    image->width = big_endian(chunk);
    image->height = big_endian(chunk + 4);
    if (image->width == 0 || image->height == 0 || image->width > LARGEST || image->height > LARGEST)
        return GREY_BAD_SIZE;
    pixels = (size_t)image->width * image->height;
    image->pixels = malloc(pixels);
    if (image->pixels == NULL)
        return GREY_NO_MEMORY;
    memset(image->pixels, 255, pixels); /* white paper */
    return GREY_OK;
}

int grey_decode(const uint8_t *data, size_t len, grey_image *image)
{
    uint32_t at = 12;
    memset(image, 0, sizeof *image);
    if (len < 12 || memcmp(data, "FORM", 4) != 0 || memcmp(data + 8, "GREY", 4) != 0)
        return GREY_NO_FORM;
    while ((size_t)at + 8 <= len) {
        const uint8_t *chunk = data + at + 8;
        uint32_t size = big_endian(data + at + 4);
        size_t left = len - at - 8;
        size_t here = size < left ? size : left;
        if (memcmp(data + at, "HEAD", 4) == 0) {
            int code = read_head(chunk, (uint32_t)here, image);
            if (code != GREY_OK)
                return code;
        } else if (memcmp(data + at, "BODY", 4) == 0) {
            if (image->pixels == NULL)
                return GREY_NO_HEAD;
            return unpack(chunk, chunk + here, image->pixels, (size_t)image->width * image->height);
        }
        at += 8 + size + size % 2; /* chunks begin at even places */
    }
    return image->pixels == NULL ? GREY_NO_HEAD : GREY_TOO_SHORT;
}

void grey_free(grey_image *image)
{
    free(image->pixels);
    image->pixels = NULL;
}

const char *grey_message(int code)
{
    switch (code) {
    case GREY_OK: return "no error";
    case GREY_NO_FORM: return "not a grey picture";
    case GREY_NO_HEAD: return "no head before the body";
    case GREY_BAD_SIZE: return "a width or height of 0, or above 8192";
    case GREY_TOO_SHORT: return "the body is too short";
    case GREY_NO_MEMORY: return "out of memory";
    default: return "unknown error";
    }
}
