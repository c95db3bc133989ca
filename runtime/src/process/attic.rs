//! What outlives the processes of an actor beside its mailbox: the reply channels of its callers.
//!
//! A caller sends its channel once, to the process that is there at that moment. The next one needs it too, for the messages
//! that are queued already. So the channels are also put, as packets, into a socket whose two ends the supervisor holds and
//! every process of the actor inherits. Nobody but these reads it: what lies there is safe from the death of whoever put it
//! there, and the supervisor does not look at it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::sys::{fd, frame, rlimit};

/// How many channels there is room for at least, where the system allows.
const ROOM: u32 = 1024;

/// A packet: a word, and the caller's session or the incarnation.
const CHANNEL: u8 = 1;
const END: u8 = 2;
const SIZE: usize = 9;

#[derive(Debug)]
pub(crate) struct Attic {
    in_end: OwnedFd,
    out_end: OwnedFd,
}

impl Attic {
    pub(crate) fn new() -> io::Result<Attic> {
        let (in_end, out_end) = fd::seqpacket_pair()?;
        fd::widen(&in_end, ROOM);
        Ok(Attic { in_end, out_end })
    }

    pub(crate) fn descriptors(&self) -> [RawFd; 2] {
        [self.in_end.as_raw_fd(), self.out_end.as_raw_fd()]
    }

    /// Puts a channel there.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room.
    pub(crate) fn park(&self, session: u64, channel: BorrowedFd<'_>) -> io::Result<()> {
        // The kernel counts descriptors on their way against the soft limit, and an actor has the program's.
        rlimit::with_raised_descriptors(|| self.put(session, channel))
    }

    fn put(&self, session: u64, channel: BorrowedFd<'_>) -> io::Result<()> {
        frame::send_raw(self.in_end.as_fd(), &word(CHANNEL, session), &[channel])
    }

    /// In a new process: all the channels that are there, and whether each still is. They stay, but for those whose callers are gone.
    pub(crate) fn channels(&self, incarnation: u64) -> Vec<(u64, OwnedFd, bool)> {
        rlimit::with_raised_descriptors(|| self.turn_over(incarnation))
    }

    /// Puts each channel behind the others, until the mark comes to the front that was the last when this began.
    fn turn_over(&self, incarnation: u64) -> Vec<(u64, OwnedFd, bool)> {
        let mut found = Vec::new();
        let mark = word(END, incarnation);
        let mut buffer = [0; 16];
        if frame::send_raw(self.in_end.as_fd(), &mark, &[]).is_err() {
            // There is no room, so one comes out for it, and in again if there is room for that at the end.
            let first = frame::receive(self.out_end.as_fd(), &mut buffer, false);
            let _ = frame::send_raw(self.in_end.as_fd(), &mark, &[]);
            let Ok(Some(packet)) = first else { return found };
            let number = read(&buffer[..packet.len]).1;
            found.extend(packet.fds.into_iter().next().map(|channel| (number, channel, false)));
        }
        while let Ok(Some(packet)) = frame::peek(self.out_end.as_fd(), &mut buffer, false) {
            if packet.truncated {
                // No descriptor is left for it; it stays for another time.
                break;
            }
            let (kind, number) = read(&buffer[..packet.len]);
            if kind == END {
                // That of an earlier process, which died here, is just thrown away.
                frame::skip(self.out_end.as_fd());
                if number == incarnation {
                    break;
                }
                continue;
            }
            let channel = packet.fds.into_iter().next().filter(|channel| !fd::hung_up(channel.as_fd()));
            // A death in between leaves it there twice, which does no harm; the other order would lose it.
            let copied = channel.as_ref().is_some_and(|channel| self.put(number, channel.as_fd()).is_ok());
            frame::skip(self.out_end.as_fd());
            if let Some(channel) = channel {
                let parked = copied || self.put(number, channel.as_fd()).is_ok();
                found.push((number, channel, parked));
            }
        }
        for (number, channel, parked) in found.iter_mut().filter(|(_, _, parked)| !parked) {
            *parked = self.put(*number, channel.as_fd()).is_ok();
        }
        found
    }
}

fn word(kind: u8, number: u64) -> [u8; SIZE] {
    let mut word = [kind; SIZE];
    word[1..].copy_from_slice(&number.to_ne_bytes());
    word
}

fn read(word: &[u8]) -> (u8, u64) {
    let number = word.get(1..SIZE).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes);
    (word.first().copied().unwrap_or(0), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_stay_for_every_process_and_those_of_callers_who_are_gone_go() {
        let attic = Attic::new().unwrap();
        let (mine, theirs) = fd::seqpacket_pair().unwrap();
        let (gone, other) = fd::seqpacket_pair().unwrap();
        attic.park(7, mine.as_fd()).unwrap();
        attic.park(8, gone.as_fd()).unwrap();
        drop((other, gone));
        for incarnation in 2..5 {
            let found = attic.channels(incarnation);
            assert_eq!(found.iter().map(|(session, ..)| *session).collect::<Vec<_>>(), [7]);
            frame::send_raw(found[0].1.as_fd(), b"here", &[]).unwrap();
            let mut buffer = [0; 16];
            assert_eq!(frame::receive(theirs.as_fd(), &mut buffer, false).unwrap().unwrap().len, 4);
        }
    }

    #[test]
    fn a_full_attic_says_so_and_loses_nothing() {
        let attic = Attic::new().unwrap();
        let (mine, _theirs) = fd::seqpacket_pair().unwrap();
        let parked = (0..100_000).take_while(|&session| attic.park(session, mine.as_fd()).is_ok()).count();
        assert!(parked > 200);
        for incarnation in 2..4 {
            let found = attic.channels(incarnation);
            assert_eq!(found.len(), parked);
            assert!(found.iter().all(|(_, _, parked)| *parked));
        }
    }
}
