//! The files and pipes that standard output and standard error of a future process go to.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

use crate::sys::fd;
use crate::types::output::{Channel, Output};

/// Opens a file to append to.
///
/// # Errors
/// In words.
pub(crate) fn open(path: &Path) -> Result<File, String> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| format!("cannot append to `{}`: {error}", path.display()))
}

/// Opens the null device.
///
/// # Errors
/// In words.
pub(crate) fn open_null() -> Result<File, String> {
    let opened = OpenOptions::new().write(true).open("/dev/null");
    opened.map_err(|error| format!("cannot open `/dev/null`: {error}"))
}

/// The ends to write to of the streams that a supervisor reads.
#[derive(Debug, Default)]
pub(crate) struct Writers([Option<OwnedFd>; 2]);

/// The ends that the supervisor reads.
pub(crate) type Readers = [Option<OwnedFd>; 2];

impl Writers {
    /// Makes a pipe for each stream that goes to the log.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub(crate) fn for_logged(streams: &[Option<Output>; 2]) -> io::Result<(Readers, Writers)> {
        let (mut readers, mut writers) = (Readers::default(), Writers::default());
        for channel in Channel::BOTH {
            if streams[channel as usize] == Some(Output::Log) {
                let (mut reader, writer) = fd::pipe()?;
                // No child needs it, and low numbers are for those that one does.
                fd::move_up(&mut reader);
                (readers[channel as usize], writers.0[channel as usize]) = (Some(reader), Some(writer));
            }
        }
        Ok((readers, writers))
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.0.iter().flatten().map(AsRawFd::as_raw_fd)
    }

    /// In the supervisor: what stays open until the child has a table of its own.
    pub(crate) fn into_ends(self) -> impl Iterator<Item = OwnedFd> {
        self.0.into_iter().flatten()
    }

    /// In the new process, which has a table of its own: puts them in the place of its streams. Returns
    /// whether it could.
    pub(crate) fn install(self) -> bool {
        let ends = Channel::BOTH.into_iter().zip(self.0);
        ends.filter_map(|(channel, end)| Some((channel, end?)))
            .all(|(channel, end)| fd::put(end, channel.number()).is_ok())
    }
}
