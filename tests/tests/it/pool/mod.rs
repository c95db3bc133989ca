//! Pools of processes.

mod balance;
mod cancels;
mod crashes;
mod ends;
mod lanes;
mod maps;
mod preloads;
mod results;
mod surroundings;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::Duration;

use phalanx::Pool;
use phalanx_tests::{EVENT_TIMEOUT, LATCH_TIMEOUT, eventually, until};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

fn square(n: u64) -> u64 {
    n * n
}

fn pid(_: ()) -> u32 {
    process::id()
}

fn nap(millis: u64) -> u64 {
    thread::sleep(Duration::from_millis(millis));
    millis
}

/// Waits in a task until the file is there; says by another one that it has begun, and in which process.
fn pass(latch: String) -> u32 {
    note_pid(&PathBuf::from(format!("{latch}.begun")));
    eventually("an open latch", LATCH_TIMEOUT, || fs::exists(&latch).unwrap());
    process::id()
}

/// Bytes that travel as such, and not as a sequence of numbers, which takes its time without optimisation.
#[derive(Debug, PartialEq, Eq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct All;
        impl Visitor<'_> for All {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(All)
    }
}

/// Notes this process in a file, for others to find.
fn note_pid(file: &Path) {
    fs::write(file, format!("{}.", process::id())).unwrap();
}

/// The process that is noted there, once it is.
fn noted_pid(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.strip_suffix('.')?.parse().ok()
}

/// What holds tasks back until a case has looked at them.
struct Latch(PathBuf);

impl Latch {
    fn closed(name: &str) -> Latch {
        Latch(env::temp_dir().join(name))
    }

    fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    fn open(&self) {
        File::create(&self.0).unwrap();
    }

    fn begun(&self) -> PathBuf {
        self.0.with_file_name(format!("{}.begun", self.0.file_name().unwrap().to_string_lossy()))
    }

    /// Waits until the task has begun; returns the pid of its process.
    fn await_begun(&self) -> u32 {
        until("a task that has begun", EVENT_TIMEOUT, || noted_pid(&self.begun()))
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(self.begun());
    }
}
