//! Which side an error of a system call on a socket of ours is about: decided once, for all calls on
//! mailboxes, reply channels, descriptor stores, and the sockets of log and names.

use std::io;

/// Which side an error is about, and so what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The number is not (any more) what this process has made of it: closed, something else, unusable.
    /// Trying again cannot help, and more may be broken: the process ends with a message, and its supervisor
    /// does the rest. (A program makes its reply channel anew.)
    Ours,
    /// The other end is gone. The process there is forgotten.
    Theirs,
    /// No room, no memory, no descriptor, a signal. The packet is kept and tried again, or the reply names
    /// the error. Nothing is concluded about either side.
    Passes,
    /// This packet cannot go this way, but others may: too large, or forbidden by policy, or something in it
    /// is broken.
    Packet,
}

impl Verdict {
    /// The verdict on an error of a call on a socket.
    pub fn of(error: &io::Error) -> Verdict {
        use Verdict::{Ours, Packet, Passes, Theirs};
        let Some(code) = error.raw_os_error() else {
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Passes,
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Theirs,
                _ => Packet,
            };
        };
        match code {
            libc::EBADF | libc::ENOTSOCK | libc::EINVAL | libc::EFAULT => Ours,
            // Made as another kind of socket, file or set than the one this number stands for now.
            libc::EOPNOTSUPP | libc::EPROTOTYPE | libc::EDESTADDRREQ | libc::EISCONN | libc::ENOSYS => Ours,
            libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN | libc::ECONNREFUSED | libc::ESHUTDOWN => Theirs,
            libc::EAGAIN | libc::EINTR => Passes,
            libc::ENOBUFS | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ETOOMANYREFS => Passes,
            _ => Packet,
        }
    }

    /// Whether the reason passes, but polling the socket does not show when: it is neither a full socket nor
    /// a signal.
    pub fn passes_unseen(error: &io::Error) -> bool {
        Verdict::of(error) == Verdict::Passes
            && !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_errors_has_its_verdict() {
        let verdict = |code| Verdict::of(&io::Error::from_raw_os_error(code));
        assert_eq!([libc::EBADF, libc::ENOTSOCK, libc::EINVAL].map(verdict), [Verdict::Ours; 3]);
        assert_eq!([libc::EPIPE, libc::ECONNRESET, libc::ENOTCONN].map(verdict), [Verdict::Theirs; 3]);
        let passing =
            [libc::EAGAIN, libc::EINTR, libc::ENOBUFS, libc::ENOMEM, libc::EMFILE, libc::ETOOMANYREFS];
        assert_eq!(passing.map(verdict), [Verdict::Passes; 6]);
        assert_eq!([libc::EMSGSIZE, libc::EPERM].map(verdict), [Verdict::Packet; 2]);
        assert_eq!(Verdict::of(&io::ErrorKind::WouldBlock.into()), Verdict::Passes);
    }

    #[test]
    fn a_lack_of_room_is_seen_and_a_lack_of_descriptors_is_not() {
        let unseen = |code| Verdict::passes_unseen(&io::Error::from_raw_os_error(code));
        assert!(unseen(libc::ETOOMANYREFS) && unseen(libc::ENOMEM));
        assert!(!unseen(libc::EAGAIN) && !unseen(libc::EINTR) && !unseen(libc::EPIPE));
    }
}
