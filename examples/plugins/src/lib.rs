//! What a plugin and its host agree on: a version, and a function from one text to another, by C's rules.
//!
//! A plugin is a dynamic library with two symbols, which [`export!`] writes. In C they are:
//!
//! ```c
//! uint32_t phalanx_plugin_version(void);
//! size_t phalanx_plugin_run(const uint8_t *input, size_t len, uint8_t *output, size_t capacity);
//! ```

#![allow(unsafe_code, reason = "these are functions by C's rules")]

/// What `phalanx_plugin_version` returns.
pub const VERSION: u32 = 1;

/// The type of `phalanx_plugin_version`.
pub type Version = extern "C" fn() -> u32;

/// The type of `phalanx_plugin_run`: writes at most `capacity` bytes, and returns how many it wrote.
pub type Run = unsafe extern "C" fn(input: *const u8, len: usize, output: *mut u8, capacity: usize) -> usize;

/// Exports a function `fn(&str) -> String` as a plugin.
#[macro_export]
macro_rules! export {
    ($function:path) => {
        /// The version of what plugin and host agree on.
        #[allow(unsafe_code, reason = "the host finds the symbol by its name")]
        #[unsafe(no_mangle)]
        pub extern "C" fn phalanx_plugin_version() -> u32 {
            $crate::VERSION
        }

        /// Runs the plugin.
        ///
        /// # Safety
        /// See `phalanx_plugins::Run`.
        #[allow(unsafe_code, reason = "the host finds the symbol by its name")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn phalanx_plugin_run(
            input: *const u8,
            len: usize,
            output: *mut u8,
            capacity: usize,
        ) -> usize {
            // SAFETY: the host keeps to the type.
            unsafe { $crate::run(input, len, output, capacity, $function) }
        }
    };
}

/// Calls a function of a plugin with what the host has given; what does not fit is left out.
///
/// # Safety
/// `input` is readable for `len` bytes, and `output` writable for `capacity` bytes.
pub unsafe fn run(
    input: *const u8,
    len: usize,
    output: *mut u8,
    capacity: usize,
    function: fn(&str) -> String,
) -> usize {
    // SAFETY: the caller promises it.
    let input = unsafe { std::slice::from_raw_parts(input, len) };
    // SAFETY: as above.
    let output = unsafe { std::slice::from_raw_parts_mut(output, capacity) };
    let text = function(&String::from_utf8_lossy(input));
    let written = text.len().min(capacity);
    output[..written].copy_from_slice(&text.as_bytes()[..written]);
    written
}
