//! A plugin in this process.

#![allow(unsafe_code, reason = "nothing safe can be said of code that is loaded while the program runs")]

use std::error::Error;
use std::mem;
use std::path::Path;

use libloading::Library;
use phalanx_plugins::{Run, VERSION, Version};

/// The longest text that a plugin returns.
const CAPACITY: usize = 64 << 10;

/// A loaded plugin.
pub(crate) struct Plugged(Run);

/// Loads a library, which may run code of it, and looks whether it is a plugin.
///
/// # Errors
/// If it is none, in the words of the system.
pub(crate) fn load(path: &Path) -> Result<Plugged, String> {
    // SAFETY: what the library does while it is loaded, it does to this process, which is there for nothing
    // else.
    let library = unsafe { Library::new(path) }.map_err(in_words)?;
    // SAFETY: the symbol has this type in each plugin; what has the name alone is no worse than a plugin with
    // a fault.
    let version = unsafe { library.get::<Version>("phalanx_plugin_version") };
    let version = version.map_err(in_words)?();
    if version != VERSION {
        return Err(format!("made for version {version}, and not {VERSION}"));
    }
    // SAFETY: as above.
    let run = *unsafe { library.get::<Run>("phalanx_plugin_run") }.map_err(in_words)?;
    // It stays loaded as long as its process runs: its threads and handlers may use it to the end.
    mem::forget(library);
    Ok(Plugged(run))
}

/// What the system says, which is the cause of what the loader says.
fn in_words(error: libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

impl Plugged {
    /// Calls the plugin. Does not return if the plugin does not.
    ///
    /// # Errors
    /// If what it returned is no text, or longer than it may be.
    pub(crate) fn run(&self, input: &str) -> Result<String, String> {
        let mut output = vec![0; CAPACITY];
        // SAFETY: both buffers are as long as said, and outlive the call. A plugin that writes elsewhere
        // harms this process.
        let written = unsafe { (self.0)(input.as_ptr(), input.len(), output.as_mut_ptr(), CAPACITY) };
        if written > CAPACITY {
            return Err(format!("the plugin says that it wrote {written} bytes where {CAPACITY} fit"));
        }
        output.truncate(written);
        String::from_utf8(output).map_err(|_| "the plugin returned no text".to_owned())
    }
}
