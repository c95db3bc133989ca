//! What the processes of a case wait for.

use std::fs::{self, File};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::wait::{LATCH_TIMEOUT, eventually};

/// Something that is there or not, for all processes of a case: a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Latch(PathBuf);

impl Latch {
    /// One that is closed, in the directory of the case.
    pub fn new(name: &str) -> Latch {
        Latch(std::env::temp_dir().join(name))
    }

    /// Leaves a word beside it.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn mark(&self, what: &str) {
        fs::write(self.0.with_extension(what), "").expect("a place for files");
    }

    /// Waits for that word, and takes it away.
    ///
    /// # Panics
    /// If it does not come.
    pub fn await_mark(&self, what: &str) {
        let path = self.0.with_extension(what);
        eventually(what, LATCH_TIMEOUT, || path.exists());
        fs::remove_file(path).expect("a file of ours");
    }

    /// # Panics
    /// If there is no such place.
    pub fn open(&self) {
        fs::write(&self.0, "").expect("a place for files");
    }

    /// Opens it; returns whether this call was the first.
    pub fn open_first(&self) -> bool {
        File::create_new(&self.0).is_ok()
    }

    pub fn is_open(&self) -> bool {
        self.0.exists()
    }

    /// Waits until it is open.
    pub fn pass(&self) {
        eventually("the latch to open", LATCH_TIMEOUT, || self.is_open());
    }

    /// # Panics
    /// If it was not open.
    pub fn remove(self) {
        fs::remove_file(self.0).expect("a file of ours");
    }
}
