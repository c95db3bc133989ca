//! Two typed ends of a line between two processes.
//!
//! A socket pair of the kernel, with the packets of the mailboxes on it: one message is one packet, and a
//! large one is a sealed memory file beside it. So a sender that is killed at any point has sent a message or
//! not, and no end waits for the rest of one.

use std::any::type_name;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

use crate::ipc::codec::{self, Portable};
use crate::ipc::envelope::{Body, Outgoing, Sealed, packet, parse};
use crate::sys::{clock, fd, poll, seqpacket};
use crate::types::escape::escaped;

/// Makes a line between two processes: the first end sends `A` and receives `B`, the second one sends `B` and
/// receives `A` (Python's `Pipe()`).
///
/// Either end can be an argument, a field of a message or of an actor's state, and is then the receiver's.
///
/// ```
/// use phalanx::Pipe;
/// use phalanx::prelude::*;
///
/// #[task]
/// fn measure(mut words: Pipe<usize, String>) -> phalanx::Result<()> {
///     while let Ok(word) = words.recv() {
///         words.send(&word.len())?;
///     }
///     Ok(()) // the other end is gone
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let (mut ours, theirs) = phalanx::pipe::<String, usize>()?;
/// let measuring = measure::spawn(theirs)?;
/// for word in ["to", "be", "", "or", "not"] {
///     ours.send(&word.to_owned())?;
///     assert_eq!(ours.recv()?, word.len());
/// }
/// drop(ours);
/// measuring.join()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// At the limit on descriptors (`RLIMIT_NOFILE`).
pub fn pipe<A: Portable, B: Portable>() -> io::Result<(Pipe<A, B>, Pipe<B, A>)> {
    let (one, other) = fd::seqpacket_pair()?;
    Ok((Pipe::of(one), Pipe::of(other)))
}

/// One end of a [`pipe`]: sends `Out`, receives `In`.
///
/// It has one owner, so two threads cannot get each other's messages: sending and receiving take `&mut self`.
/// No server stands between the ends, and only the kernel keeps messages: some two hundred small ones each
/// way, then [`send`](Self::send) waits. What was sent before an end went away can still be received; then
/// the other end gets [`Closed`](PipeError::Closed), whether the first one was dropped or its process has
/// died.
///
/// An end in the state of an actor that may be restarted is held by its supervisor too, and given to each
/// process of that actor: the other end sees it closed when the actor has ended for good.
///
/// [`AsFd`] is for [`wait_any`](crate::wait_any) and others that poll: readable when `recv` would not block.
pub struct Pipe<Out, In = Out> {
    socket: Arc<OwnedFd>,
    /// For one packet; empty until something is received.
    buffer: Vec<u8>,
    kind: PhantomData<fn(Out) -> In>,
}

/// Why an end of a [`pipe`] could not send or receive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PipeError {
    /// The other end is gone, and everything that it has sent has been received.
    Closed,
    /// The value could not be encoded (nothing was sent) or decoded (that message is lost; the pipe works
    /// on).
    Codec(String),
    /// The operating system refused: no memory or descriptor for a large message, or too many descriptors in
    /// it.
    Io(String),
}

impl fmt::Display for PipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            PipeError::Closed => f.write_str("the other end of the pipe is gone"),
            PipeError::Codec(error) => f.write_str(error),
            PipeError::Io(error) => write!(f, "pipe: {error}"),
        })
    }
}

impl std::error::Error for PipeError {}

impl From<io::Error> for PipeError {
    fn from(error: io::Error) -> PipeError {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected => {
                PipeError::Closed
            }
            _ => PipeError::Io(error.to_string()),
        }
    }
}

/// A packet of a pipe.
#[derive(Serialize, Deserialize)]
struct Message<P> {
    large: bool,
    payload: P,
}

impl<Out, In> Pipe<Out, In> {
    fn of(socket: OwnedFd) -> Pipe<Out, In> {
        Pipe { socket: Arc::new(socket), buffer: Vec::new(), kind: PhantomData }
    }
}

impl<Out: Portable, In: Portable> Pipe<Out, In> {
    /// Sends a message. Blocks while the line is full, until the other end has received some of it or is
    /// gone; a single message never waits for its receiver, however large it is.
    ///
    /// Two ends that both send more than the line holds, and do not receive, wait for each other for ever;
    /// [`send_timeout`](Self::send_timeout) does not.
    ///
    /// # Errors
    /// See [`PipeError`]. If the other end goes away later, it may not have received what was sent.
    pub fn send(&mut self, message: &Out) -> Result<(), PipeError> {
        self.send_until(message, None).map(drop)
    }

    /// Like [`send`](Self::send), but waits for room for `limit` at most; returns whether the message was
    /// sent.
    ///
    /// # Errors
    /// See [`PipeError`].
    pub fn send_timeout(&mut self, message: &Out, limit: Duration) -> Result<bool, PipeError> {
        self.send_until(message, Some(clock::after(limit)))
    }

    fn send_until(&mut self, message: &Out, deadline: Option<u64>) -> Result<bool, PipeError> {
        let outgoing = Outgoing::new(codec::encode(message).map_err(PipeError::Codec)?, 0)?;
        let bytes = packet(&Message { large: outgoing.is_large(), payload: outgoing.bytes() })?;
        let mut sealed = Sealed::new(outgoing, bytes);
        loop {
            match sealed.send(self.socket.as_fd(), &[]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(true),
            }
            let limit = deadline.map(clock::until);
            if limit == Some(Duration::ZERO) {
                return Ok(false);
            }
            uninterrupted(poll::writable(self.socket.as_fd(), limit))?;
        }
    }

    /// The next message. Blocks until there is one, or the other end is gone.
    ///
    /// # Errors
    /// See [`PipeError`].
    pub fn recv(&mut self) -> Result<In, PipeError> {
        loop {
            if let Some(message) = self.receive(true)? {
                return Ok(message);
            }
        }
    }

    /// The next message, if there is one. Does not block.
    ///
    /// # Errors
    /// See [`PipeError`].
    pub fn try_recv(&mut self) -> Result<Option<In>, PipeError> {
        self.receive(false)
    }

    /// The next message, or `None` if there is none for `limit`; never early.
    ///
    /// # Errors
    /// See [`PipeError`].
    pub fn recv_timeout(&mut self, limit: Duration) -> Result<Option<In>, PipeError> {
        let deadline = clock::after(limit);
        loop {
            let message = self.receive(false)?;
            let left = clock::until(deadline);
            if message.is_some() || left.is_zero() {
                return Ok(message);
            }
            uninterrupted(poll::readable(self.socket.as_fd(), Some(left)))?;
        }
    }

    /// With `wait`, blocks until there is a message or a signal has interrupted the wait.
    fn receive(&mut self, wait: bool) -> Result<Option<In>, PipeError> {
        if self.buffer.is_empty() {
            self.buffer = seqpacket::buffer();
        }
        let packet = match seqpacket::receive(self.socket.as_fd(), &mut self.buffer, wait) {
            Ok(Some(packet)) => packet,
            Ok(None) => return Err(PipeError::Closed),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(message) =
            parse::<Message<ByteBuf>>(&self.buffer[..packet.len]).filter(|_| !packet.truncated)
        else {
            return Err(PipeError::Codec("not a message of a pipe".to_owned()));
        };
        let mut fds = packet.fds.into_iter();
        let body = Body::open(message.payload, message.large, &mut fds)?;
        codec::decode(&body, fds.collect()).map(Some).map_err(PipeError::Codec)
    }
}

/// A wait that a signal handler has ended was a short one: the caller looks at the clock and comes back.
fn uninterrupted(waited: io::Result<bool>) -> io::Result<()> {
    match waited {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other.map(drop),
    }
}

impl<Out, In> AsFd for Pipe<Out, In> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<Out, In> fmt::Debug for Pipe<Out, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipe<{}, {}>", type_name::<Out>(), type_name::<In>())
    }
}

/// In messages of phalanx only: it is a descriptor, not bytes.
impl<Out, In> Serialize for Pipe<Out, In> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        codec::put_fd(&self.socket)?;
        serializer.serialize_unit()
    }
}

impl<'de, Out, In> Deserialize<'de> for Pipe<Out, In> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer)?;
        codec::take_fd().map(Pipe::of)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use super::*;
    use crate::Process;
    use crate::sys::{process, signal};

    /// Runs in its own process, whose one thread is interrupted all the time: by a signal that has a handler
    /// and does not restart calls.
    fn echo_under_signals(mut end: Pipe<ByteBuf>) -> bool {
        signal::watch(process::SIGCONT);
        while let Ok(bytes) = end.recv() {
            end.send(&bytes).unwrap();
        }
        let (start, limit) = (Instant::now(), Duration::from_millis(100));
        let (_open, mut silent) = pipe::<u8, u8>().unwrap();
        let timed_out = silent.recv_timeout(limit) == Ok(None);
        // Waits of other kinds are interrupted too.
        let joined = Process::spawn(|number: u32| number + 1, 41).unwrap().join() == Ok(42);
        timed_out && joined && start.elapsed() >= limit && signal::take(process::SIGCONT)
    }

    #[test]
    fn signals_with_a_handler_disturb_nobody() {
        let (mut ours, theirs) = pipe::<ByteBuf, ByteBuf>().unwrap();
        let echo = Process::spawn(echo_under_signals, theirs).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut sent = 0;
                while sent < 1000 || !over.load(Ordering::Relaxed) {
                    process::kill(echo.pid() as i32, process::SIGCONT);
                    std::thread::sleep(Duration::from_micros(100));
                    sent += 1;
                }
            });
            for round in 0..100 {
                let len = if round % 50 == 0 { 16 << 20 } else { round };
                let message = ByteBuf::from(vec![round as u8; len]);
                ours.send(&message).unwrap();
                assert!(ours.recv().unwrap() == message);
            }
            drop(ours);
            let joined = echo.join();
            over.store(true, Ordering::Relaxed);
            assert_eq!(joined, Ok(true));
        });
    }

    #[test]
    fn rubbish_is_an_error_and_the_next_message_is_fine() {
        let (one, mut other) = pipe::<u32, u32>().unwrap();
        for rubbish in [&b"x"[..], &[0xff; 64], &[0; 4096]] {
            seqpacket::send_raw(one.as_fd(), rubbish, &[]).unwrap();
            assert!(matches!(other.recv(), Err(PipeError::Codec(_))));
        }
        let mut one = one;
        one.send(&7).unwrap();
        assert_eq!(other.recv(), Ok(7));
    }
}
