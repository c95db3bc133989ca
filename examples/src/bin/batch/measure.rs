//! The task that reads and decodes a file, and may die of it.

use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use phalanx::pool::PoolBuilder;
use phalanx::prelude::*;
use serde::{Deserialize, Serialize};

/// What a picture adds to the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) pixels: u64,
    /// The sum of all pixels, each from 0 (black) to 255 (white).
    pub(crate) light: u64,
}

/// Reads and decodes one file. A broken one is an error in the words of the system or of the library; one
/// that breaks the library ends its process, and the pool says how.
#[task]
pub(crate) fn measure(path: OsString) -> Result<Measured, String> {
    let file = fs::read(path).map_err(|error| error.to_string())?;
    let picture = grey_sys::decode(&file).map_err(|refused| refused.to_string())?;
    let light = picture.pixels.iter().map(|&pixel| u64::from(pixel)).sum();
    Ok(Measured { pixels: picture.pixels.len() as u64, light })
}

/// The pool of workers, not started yet. The library leaks, so a worker that has grown is replaced.
pub(crate) fn pool(workers: usize, deadline: Duration) -> PoolBuilder {
    Pool::builder().name("batch").workers(workers).deadline(deadline).recycle_growth(64 << 20).memory(1 << 30)
}
