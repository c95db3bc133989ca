//! The functions of the library, and all unsafe code that calls it.

#![allow(unsafe_code, reason = "these are bindings to a library in C")]

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int};
use std::{ptr, slice};

use crate::Picture;

#[repr(C)]
struct Image {
    width: u32,
    height: u32,
    pixels: *mut u8,
}

unsafe extern "C" {
    fn grey_decode(data: *const u8, len: usize, image: *mut Image) -> c_int;
    fn grey_free(image: *mut Image);
    safe fn grey_message(code: c_int) -> *const c_char;
}

/// Decodes a file; the error is a code.
pub(crate) fn decode(file: &[u8]) -> Result<Picture, c_int> {
    let mut image = Image { width: 0, height: 0, pixels: ptr::null_mut() };
    // SAFETY: the slice and the image are valid for the call, and the library keeps neither. It may write
    // beyond its own buffer: then this process is lost, which is what its caller has a process for.
    let code = unsafe { grey_decode(file.as_ptr(), file.len(), &raw mut image) };
    if code != 0 {
        return Err(code);
    }
    let len = image.width as usize * image.height as usize;
    // SAFETY: the library has returned success, and so a buffer of this length, written in full.
    let pixels = unsafe { slice::from_raw_parts(image.pixels, len) }.to_vec();
    // SAFETY: the image comes from the library, is freed once, and is not used after.
    unsafe { grey_free(&raw mut image) };
    Ok(Picture { width: image.width, height: image.height, pixels })
}

/// What a code means.
pub(crate) fn message(code: c_int) -> Cow<'static, str> {
    // SAFETY: for each code the library returns a text that ends with 0 and is never freed.
    unsafe { CStr::from_ptr(grey_message(code)) }.to_string_lossy()
}
