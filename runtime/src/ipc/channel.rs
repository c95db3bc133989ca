//! The ends of ipc-channels as descriptors.
//!
//! ipc-channel makes and types the pairs; it has no way to send without blocking, to receive descriptors of
//! another kind or to hand out its own (servo/ipc-channel#112, #214, #275). So the pair is made there, and
//! its packets are moved by `sys::seqpacket`, in ipc-channel's format.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use ipc_channel::ipc;
use serde::{Deserialize, Serialize};

use crate::sys::{fd, poll, seqpacket};

/// Makes a channel for messages of type `T`: the sending and the receiving end.
///
/// # Errors
/// `EMFILE` at the descriptor limit; an error if ipc-channel is not built on sequenced-packet sockets.
pub(crate) fn pair<T>() -> io::Result<(OwnedFd, OwnedFd)>
where
    T: for<'de> Deserialize<'de> + Serialize + Debug,
{
    let _standard = fd::Standard::taken();
    let (sender, receiver) = ipc::channel::<T>().map_err(fd::no_socketpair)?;
    Ok((descriptor(&sender)?, descriptor(&receiver)?))
}

/// More messages than any mailbox holds.
pub(crate) const MOST: usize = 1 << 17;

/// Rings a mailbox from its inner side: there is something new in the status page. All holders of a sending
/// end see this. Only the ringing process takes rings away, through `sender`: when there is no room for
/// another ring, those that were not read go.
pub(crate) fn ring(receiver: BorrowedFd<'_>, sender: Option<BorrowedFd<'_>>) {
    let rung = || seqpacket::send_raw(receiver, b"r", &[]);
    if rung().is_err() {
        // Full: the actor itself has written there.
        sender.map(|sender| poll::drain_bell(sender, MOST));
        // A mailbox that has been shut down is seen without a bell.
        let _ = rung();
    }
}

/// A descriptor of our own for an end of an ipc-channel.
///
/// The API does not give it away, but `Debug` prints it, as `SharedFileDescriptor(3)` or `Cell { value: 4 }`.
/// The version is pinned, a test watches the format, and the number found must be a sequenced-packet socket.
pub(crate) fn descriptor(end: &impl Debug) -> io::Result<OwnedFd> {
    let text = format!("{end:?}");
    let copy = fd::duplicate(printed_number(&text).ok_or_else(|| unexpected(&text))?)?;
    if fd::is_seqpacket(copy.as_fd()) { Ok(copy) } else { Err(unexpected(&text)) }
}

fn unexpected(text: &str) -> io::Error {
    io::Error::other(format!("ipc-channel is not what it was: {text}"))
}

/// The number behind one of the two words that ipc-channel prints before it.
fn printed_number(text: &str) -> Option<RawFd> {
    let known = ["SharedFileDescriptor(", "Cell { value: "];
    let start = known.iter().find_map(|word| text.find(word).map(|at| at + word.len()))?;
    let digits: String = text[start..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_ipc_channel_prints_the_descriptor() {
        let (sender, receiver) = ipc::channel::<u32>().unwrap();
        assert!(printed_number(&format!("{sender:?}")).is_some(), "{sender:?}");
        assert!(printed_number(&format!("{receiver:?}")).is_some(), "{receiver:?}");
        descriptor(&sender).unwrap();
        descriptor(&receiver).unwrap();
    }

    #[test]
    fn numbers_that_are_not_sockets_are_refused() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(descriptor(&file).is_err());
        assert!(descriptor(&"no number at all").is_err());
    }

    #[test]
    fn a_plain_ipc_receiver_reads_our_packets() {
        let (sender, receiver) = ipc::channel::<(u32, String)>().unwrap();
        let mut packet = vec![0; seqpacket::HEADER];
        packet.extend(postcard::to_stdvec(&(7_u32, "seven")).unwrap());
        seqpacket::send(descriptor(&sender).unwrap().as_fd(), &mut packet, &[]).unwrap();
        assert_eq!(receiver.recv().unwrap(), (7, "seven".to_owned()));
    }

    #[test]
    fn we_read_the_packets_of_a_plain_ipc_sender() {
        let (sender, receiver) = ipc::channel::<(u32, String)>().unwrap();
        sender.send((7, "seven".to_owned())).unwrap();
        let mut buffer = seqpacket::buffer();
        let packet =
            seqpacket::receive(descriptor(&receiver).unwrap().as_fd(), &mut buffer, true).unwrap().unwrap();
        let data = seqpacket::data(&buffer[..packet.len]).unwrap();
        assert_eq!(postcard::from_bytes::<(u32, String)>(data).unwrap(), (7, "seven".to_owned()));
    }

    #[test]
    fn a_full_channel_is_would_block_and_never_a_wait() {
        let (sender, _receiver) = pair::<u32>().unwrap();
        let refused = (0..100_000).find_map(|_| {
            let mut packet = vec![0; seqpacket::HEADER + 8];
            seqpacket::send(sender.as_fd(), &mut packet, &[]).err()
        });
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_channel_switched_to_non_blocking_is_waited_for_all_the_same() {
        let (sender, receiver) = ipc::channel::<u32>().unwrap();
        // `try_recv` switches the shared description; a process killed in between leaves it so. Here for
        // good:
        let end = descriptor(&receiver).unwrap();
        std::os::unix::net::UnixStream::from(end.try_clone().unwrap()).set_nonblocking(true).unwrap();
        let reader = std::thread::spawn(move || {
            seqpacket::receive(end.as_fd(), &mut seqpacket::buffer(), true).unwrap().is_some()
        });
        std::thread::yield_now();
        sender.send(1).unwrap();
        assert!(reader.join().unwrap());
    }

    #[test]
    fn a_gone_receiver_is_a_broken_pipe_and_no_signal() {
        let (sender, receiver) = pair::<u32>().unwrap();
        drop(receiver);
        let error = seqpacket::send(sender.as_fd(), &mut [0; seqpacket::HEADER], &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
