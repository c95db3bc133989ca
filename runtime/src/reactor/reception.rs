//! The reply channel of a process, and the set of descriptors in which one thread waits for replies, exits
//! and wake-ups.
//!
//! A process has one reception at a time. It can be broken from outside: any process with the sending end of
//! a reply channel can shut it down, and code in this process can close a descriptor that is not its own.
//! Then there is a new one, which actors are told of with the next call.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::ipc::channel;
use crate::ipc::envelope::Answered;
use crate::sys::fd;
use crate::sys::poll::{self, Epoll, Event, Events};
use crate::sys::seqpacket::{self, Packet};
use crate::sys::verdict::Verdict;

/// Tokens of the epoll set; every other token is the id of an endpoint.
pub(super) const ANSWERS: u64 = 0;
pub(super) const WAKE: u64 = 1;

/// How long to wait for a condition to pass if the kernel does not report when it does.
const MOMENT: Duration = Duration::from_millis(1);

pub(crate) struct Reception {
    /// How many receptions there were before it.
    number: u64,
    sender: OwnedFd,
    receiver: OwnedFd,
    epoll: Epoll,
    /// Interrupts the leader's wait.
    wake: Event,
}

/// Why nothing comes in any more.
pub(super) enum Fault {
    /// The reply channel has been shut down.
    Ended,
    /// A descriptor is no longer what this process opened.
    Broken(io::Error),
}

impl Reception {
    /// # Errors
    /// `EMFILE` and the like.
    pub(super) fn new(number: u64) -> io::Result<Reception> {
        let (sender, receiver) = channel::pair::<Answered>()?;
        let (epoll, wake) = (Epoll::new()?, Event::new()?);
        epoll.add(receiver.as_fd(), ANSWERS)?;
        epoll.add(wake.as_fd(), WAKE)?;
        Ok(Reception { number, sender, receiver, epoll, wake })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The descriptor through which actors send their replies.
    pub(super) fn sender(&self) -> BorrowedFd<'_> {
        self.sender.as_fd()
    }

    pub(super) fn set(&self) -> &Epoll {
        &self.epoll
    }

    /// Makes the leader return from the kernel.
    pub(super) fn wake(&self) {
        self.wake.set();
    }

    pub(super) fn clear(&self) {
        self.wake.clear();
    }

    /// Waits in the kernel for everything.
    pub(super) fn wait<'a>(
        &self,
        events: &'a mut Events,
        limit: Option<Duration>,
    ) -> Result<impl Iterator<Item = u64> + use<'a>, Fault> {
        self.epoll.wait(events, limit).map_err(Fault::Broken)
    }

    /// Returns the next reply, without waiting; `None` if there is none for now.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Result<Option<Packet>, Fault> {
        match seqpacket::receive(self.receiver.as_fd(), buffer, false) {
            Ok(None) if fd::has_ended(self.receiver.as_fd()) => Err(Fault::Ended),
            // None: an empty packet, which is no reply.
            Ok(packet) => Ok(packet),
            Err(error) => match Verdict::of(&error) {
                Verdict::Passes => {
                    if Verdict::passes_unseen(&error) {
                        poll::pause(MOMENT);
                    }
                    Ok(None)
                }
                // No other process has a part in a receive.
                Verdict::Ours | Verdict::Theirs | Verdict::Packet => Err(Fault::Broken(error)),
            },
        }
    }
}
