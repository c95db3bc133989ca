//! The actor that calls the C library, and may die of it.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ActorPool, Restart};
use serde::{Deserialize, Serialize};

/// What the service says of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The mean of all pixels: 0 is black, 255 white.
    pub(crate) mean: f64,
}

/// One decoder, in a process of its own.
///
/// Its mailbox is short, so that the service refuses what it cannot do soon. A process that has grown by what
/// the library leaks is replaced between two pictures, and costs none; one that grows too fast for that has a
/// limit. At the end nobody waits for what is still in the mailbox.
#[actor(mailbox = 4, recycle_above = "96MiB", memory = "512MiB", drain = never, shutdown = "1s")]
pub(crate) struct Decoder;

#[actor]
impl Decoder {
    /// Decodes a file; an error is in the library's own words.
    pub(crate) fn decode(&self, file: Vec<u8>) -> Result<Summary, String> {
        let picture = grey_sys::decode(&file).map_err(|refused| refused.to_string())?;
        let sum: u64 = picture.pixels.iter().map(|&pixel| u64::from(pixel)).sum();
        let mean = sum as f64 / picture.pixels.len() as f64;
        Ok(Summary { width: picture.width, height: picture.height, mean })
    }
}

/// Starts a pool of so many decoders; done when all are ready.
///
/// Strangers decide how often decoders crash, so many restarts are bearable. A supervisor that is permanent
/// comes back when the root supervisor has been killed, and once when it has given up. After that, the
/// decoders are gone, and the service ends with an error.
pub(crate) async fn start(count: u32) -> Result<ActorPool<Decoder>, SpawnError> {
    let decoders = Supervisor::pool("decoders", count, |_| Decoder.builder());
    decoders.intensity(1000, Duration::from_secs(10)).restart(Restart::Permanent).start_async().await
}
