//! The descriptors that outlive an actor's process, beside its mailbox: the reply channels of its callers.
//!
//! A caller sends its channel once, to the process that exists at that moment. The next process needs it too,
//! for the messages already queued. So the channels are also put, as packets, into a socket whose two ends
//! the supervisor holds and every process of the actor inherits. Only these processes read it, and the
//! supervisor does not look at it. So a channel there survives the process that stored it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::sys::{fd, rlimit, seqpacket};

/// How many channels fit at least, where the system allows it.
const ROOM: u32 = 1024;

/// How many channels of dead callers may lie there before they are cleared out.
const LITTER: usize = 32;

#[derive(Debug)]
pub(crate) struct FdStore {
    in_end: OwnedFd,
    out_end: OwnedFd,
}

impl FdStore {
    pub(crate) fn new() -> io::Result<FdStore> {
        let (in_end, out_end) = fd::seqpacket_pair()?;
        fd::widen(&in_end, ROOM);
        Ok(FdStore { in_end, out_end })
    }

    /// Makes a store of ends that another process made.
    pub(crate) fn of(in_end: OwnedFd, out_end: OwnedFd) -> FdStore {
        FdStore { in_end, out_end }
    }

    pub(crate) fn ends(&self) -> [BorrowedFd<'_>; 2] {
        [self.in_end.as_fd(), self.out_end.as_fd()]
    }

    pub(crate) fn descriptors(&self) -> [RawFd; 2] {
        [self.in_end.as_raw_fd(), self.out_end.as_raw_fd()]
    }

    pub(crate) fn ends_mut(&mut self) -> [&mut OwnedFd; 2] {
        [&mut self.in_end, &mut self.out_end]
    }

    /// Whether code in a process of the actor shut it down. That affects all its processes, for good.
    pub(crate) fn is_shut_down(&self) -> bool {
        fd::has_ended(self.in_end.as_fd()) || fd::has_ended(self.out_end.as_fd())
    }

    /// Stores a channel.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room.
    pub(crate) fn park(&self, session: u64, channel: BorrowedFd<'_>) -> io::Result<()> {
        let put = || seqpacket::send_raw(self.in_end.as_fd(), &session.to_ne_bytes(), &[channel]);
        // The kernel counts descriptors in flight against the soft limit, and an actor has the program's
        // limit.
        put().or_else(|_| rlimit::with_raised_descriptors(put))
    }

    /// In a new process: all stored channels, and whether each is still stored. They stay, unless too many
    /// callers are gone.
    pub(crate) fn channels(&self) -> Vec<(u64, OwnedFd, bool)> {
        let (found, gone) = rlimit::with_raised_descriptors_if_needed(|| self.look_through());
        if gone > LITTER && gone > found.len() {
            return rlimit::with_raised_descriptors(|| self.clear_out(found.len() + gone));
        }
        found.into_iter().map(|(session, channel)| (session, channel, true)).collect()
    }

    /// Reads all channels without taking any out, so no exit can lose one. `Err` if there were more channels
    /// than free descriptors.
    fn look_through(&self) -> Result<Channels, Channels> {
        let (mut found, mut gone) = (Vec::new(), 0);
        if seqpacket::peek_from_the_first(self.out_end.as_fd()).is_err() {
            return Ok((found, gone));
        }
        let mut buffer = [0; 16];
        while let Ok(Some(packet)) = seqpacket::peek(self.out_end.as_fd(), &mut buffer, false) {
            if packet.truncated {
                return Err((found, gone));
            }
            match read(&buffer[..packet.len], packet.fds).filter(|(_, channel)| !fd::hung_up(channel.as_fd()))
            {
                Some(one) => found.push(one),
                None => gone += 1,
            }
        }
        Ok((found, gone))
    }

    /// Takes out `count` channels, and puts back those whose callers are alive.
    fn clear_out(&self, count: usize) -> Vec<(u64, OwnedFd, bool)> {
        let (mut left, mut buffer) = (Vec::new(), [0; 16]);
        for _ in 0..count {
            let Ok(Some(packet)) = seqpacket::receive(self.out_end.as_fd(), &mut buffer, false) else {
                break;
            };
            let one = read(&buffer[..packet.len], packet.fds);
            if let Some((session, channel)) = one.filter(|(_, channel)| !fd::hung_up(channel.as_fd())) {
                let parked = self.park(session, channel.as_fd()).is_ok();
                left.push((session, channel, parked));
            }
        }
        left
    }
}

type Channels = (Vec<(u64, OwnedFd)>, usize);

fn read(session: &[u8], fds: Vec<OwnedFd>) -> Option<(u64, OwnedFd)> {
    Some((u64::from_ne_bytes(session.try_into().ok()?), fds.into_iter().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_stay_for_every_process_and_those_of_callers_who_are_gone_go() {
        let fd_store = FdStore::new().unwrap();
        let (mine, theirs) = fd::seqpacket_pair().unwrap();
        let (gone, other) = fd::seqpacket_pair().unwrap();
        fd_store.park(7, mine.as_fd()).unwrap();
        fd_store.park(8, gone.as_fd()).unwrap();
        drop((other, gone));
        for _ in 0..3 {
            let found = fd_store.channels();
            assert_eq!(found.iter().map(|(session, ..)| *session).collect::<Vec<_>>(), [7]);
            seqpacket::send_raw(found[0].1.as_fd(), b"here", &[]).unwrap();
            let mut buffer = [0; 16];
            assert_eq!(seqpacket::receive(theirs.as_fd(), &mut buffer, false).unwrap().unwrap().len, 4);
        }
    }

    #[test]
    fn the_channels_of_many_who_are_gone_are_cleared_out() {
        let fd_store = FdStore::new().unwrap();
        let (mine, _theirs) = fd::seqpacket_pair().unwrap();
        for session in 0..100 {
            let (gone, _) = fd::seqpacket_pair().unwrap();
            fd_store.park(session, gone.as_fd()).unwrap();
        }
        fd_store.park(100, mine.as_fd()).unwrap();
        for _ in 0..2 {
            assert_eq!(fd_store.channels().iter().map(|(session, ..)| *session).collect::<Vec<_>>(), [100]);
            assert_eq!(fd_store.look_through().map_err(drop).unwrap().1, 0);
        }
    }

    #[test]
    fn a_full_attic_says_so_and_loses_nothing() {
        let fd_store = FdStore::new().unwrap();
        let (mine, _theirs) = fd::seqpacket_pair().unwrap();
        let parked = (0..100_000).take_while(|&session| fd_store.park(session, mine.as_fd()).is_ok()).count();
        assert!(parked > 200);
        for _ in 0..2 {
            let found = fd_store.channels();
            assert_eq!(found.len(), parked);
            assert!(found.iter().all(|(_, _, parked)| *parked));
        }
    }
}
