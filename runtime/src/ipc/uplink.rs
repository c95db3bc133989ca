//! The uplinks of a tree: one-way sockets from every process of it to the program.
//!
//! There are two. On `log`, a process says what happens to it; on `names`, by which name it can be found. The
//! program makes both once, reads them, and hands the sending ends to its root supervisor; every process
//! below inherits them by being forked. So a process has two descriptors for them, however large the tree,
//! and what was sent is in the socket when its sender is gone. A tree that follows another one uses the
//! uplinks of that one.
//!
//! No process may wait for room in one without a limit, and the program must trust nothing that comes out:
//! every process of the tree can write there.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use once_cell::sync::OnceCell;

use crate::sys::per_process::Own;
use crate::sys::{fd, seqpacket};

/// How much may lie in an uplink, in packets of the smallest kind; see [`fd::widen`].
const ROOM: u32 = 4096;

/// The sending ends, in the processes of a tree, which get them from their supervisors.
static INHERITED: OnceCell<Ends> = OnceCell::new();
/// Both ends, in the program. A copy of it has uplinks of its own, as it has a tree of its own.
static MADE: Own<OnceCell<Lines>> = Own::new();

struct Lines {
    sending: Ends,
    receiving: Ends,
}

struct Ends {
    log: OwnedFd,
    names: OwnedFd,
}

/// The sending ends of this process.
fn sending() -> Option<&'static Ends> {
    INHERITED.get().or_else(|| MADE.here().get().map(|lines| &lines.sending))
}

/// Where this process says what happens; `None` in a program that has not started a tree.
pub(crate) fn log() -> Option<BorrowedFd<'static>> {
    sending().map(|ends| ends.log.as_fd())
}

/// Where this process says by which name it can be found; `None` in a program that has not started a tree.
pub(crate) fn names() -> Option<BorrowedFd<'static>> {
    sending().map(|ends| ends.names.as_fd())
}

/// Where the program reads what happens; `None` everywhere else.
pub(crate) fn incoming_log() -> Option<BorrowedFd<'static>> {
    MADE.here().get().map(|lines| lines.receiving.log.as_fd())
}

/// Where the program reads names; `None` everywhere else.
pub(crate) fn incoming_names() -> Option<BorrowedFd<'static>> {
    MADE.here().get().map(|lines| lines.receiving.names.as_fd())
}

/// What a new process keeps open: the sending ends.
pub(crate) fn descriptors() -> impl Iterator<Item = RawFd> {
    log().into_iter().chain(names()).map(|end| end.as_raw_fd())
}

/// In the program: puts the sending ends and `word` into the control channel of a root supervisor that does
/// not exist yet, which finds them there first. Makes the uplinks, if there are none.
///
/// # Errors
/// `EMFILE` and the like.
pub(crate) fn hand_over(control: BorrowedFd<'_>, word: &[u8]) -> io::Result<()> {
    let make = || open().map(|(sending, receiving)| Lines { sending, receiving });
    MADE.here().get_or_try_init(make)?.sending.put_into(control, word)
}

impl Ends {
    fn put_into(&self, control: BorrowedFd<'_>, word: &[u8]) -> io::Result<()> {
        seqpacket::send_raw(control, word, &[self.log.as_fd(), self.names.as_fd()])
    }
}

/// Makes both uplinks: the sending and the receiving ends.
fn open() -> io::Result<(Ends, Ends)> {
    let ((log, log_sender), (names, names_sender)) = (fd::seqpacket_pair()?, fd::seqpacket_pair()?);
    fd::widen(&log_sender, ROOM);
    fd::widen(&names_sender, ROOM);
    Ok((Ends { log: log_sender, names: names_sender }, Ends { log, names }))
}

/// In a root supervisor: takes what [`hand_over`] has put into its control channel.
///
/// # Errors
/// What `recvmsg` says; `EMFILE` if there was no room for the descriptors.
pub(crate) fn take_over(control: BorrowedFd<'_>) -> io::Result<()> {
    let packet = seqpacket::receive(control, &mut [0; 64], false)?;
    let mut fds = packet.into_iter().flat_map(|packet| packet.fds);
    let (Some(log), Some(names)) = (fds.next(), fds.next()) else { return Err(fd::no_room()) };
    let _ = INHERITED.set(Ends { log, names });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_on_a_line_arrives_in_the_program() {
        let (ours, theirs) = fd::seqpacket_pair().unwrap();
        let (sending, receiving) = open().unwrap();
        sending.put_into(ours.as_fd(), b"word").unwrap();
        sending.put_into(ours.as_fd(), b"word").unwrap();
        // A root supervisor and its successor would find this: ends of one pair of uplinks.
        let mut buffer = [0; 16];
        for word in [b"first ", b"second"] {
            let packet = seqpacket::receive(theirs.as_fd(), &mut buffer, false).unwrap().unwrap();
            assert_eq!(packet.fds.len(), 2);
            for (end, incoming) in packet.fds.iter().zip([&receiving.log, &receiving.names]) {
                seqpacket::send_raw(end.as_fd(), word, &[]).unwrap();
                let came = seqpacket::receive(incoming.as_fd(), &mut buffer, false).unwrap().unwrap();
                assert_eq!(&buffer[..came.len], word);
            }
        }
    }
}
