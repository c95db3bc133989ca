//! Bindings to `grey`, a picture decoder in C (`c/grey.c`), and the files that hurt it.
//!
//! The library is written as such libraries are, and has three faults that decoders have had again and again:
//!
//! * a run is not compared with the room that is left: it writes beyond its buffer ([`files::overrun`]);
//! * the place of the next chunk is added up in 32 bits, and may be the same again: an endless loop
//!   ([`files::endless`]);
//! * a picture that turns out to be broken is not freed: a leak ([`files::truncated`]).
//!
//! A bindings crate cannot mend that. So the function that calls the library is safe only for a process that
//! nothing else depends on, and each example calls it in an actor or in a worker of a pool.

mod ffi;
pub mod files;

use std::fmt;

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The rows from the top, one byte a pixel: 0 is black, 255 white.
    pub pixels: Vec<u8>,
}

/// Why a file is no picture, as the library says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(i32);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ffi::message(self.0))
    }
}

impl std::error::Error for Refused {}

/// Decodes a file. Blocks for as long as the library takes, which can be for ever; see [the faults](self).
///
/// # Errors
/// What the library says of a broken file.
pub fn decode(file: &[u8]) -> Result<Picture, Refused> {
    ffi::decode(file).map_err(Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        for (width, height) in [(1, 1), (3, 5), (200, 2)] {
            let pixels: Vec<u8> = (0..width * height).map(|at| (at / 3 % 256) as u8).collect();
            let decoded = decode(&files::encode(width, height, &pixels)).unwrap();
            assert_eq!(decoded, Picture { width, height, pixels });
        }
    }

    #[test]
    fn a_broken_file_is_refused_in_words() {
        let refusal = |file: &[u8]| decode(file).unwrap_err().to_string();
        assert_eq!(refusal(b""), "not a grey picture");
        assert_eq!(refusal(b"FORM\0\0\0\0GREYBODY\0\0\0\0"), "no head before the body");
        assert_eq!(refusal(&files::encode(0, 1, &[])), "a width or height of 0, or above 8192");
        assert_eq!(refusal(&files::truncated(10, 10)), "the body is too short");
    }
}
