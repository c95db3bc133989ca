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

    /// In a new process: all the channels that are there. They stay there, but for those whose callers are gone.
    pub(crate) fn channels(&self, incarnation: u64) -> Vec<(u64, OwnedFd)> {
        rlimit::with_raised_descriptors(|| self.turn_over(incarnation))
    }

    fn turn_over(&self, incarnation: u64) -> Vec<(u64, OwnedFd)> {
        let mut found = Vec::new();
        // Without this mark there is no room, and each is taken out before it is put back.
        let marked = frame::send_raw(self.in_end.as_fd(), &word(END, incarnation), &[]).is_ok();
        let mut buffer = [0; 16];
        for _ in 0..usize::from(u16::MAX) {
            let Ok(Some(packet)) = frame::peek(self.out_end.as_fd(), &mut buffer, false) else { break };
            if packet.truncated {
                // No descriptor is left for it; it stays for another time.
                break;
            }
            let (kind, number) = read(&buffer[..packet.len]);
            let channel = packet.fds.into_iter().next();
            let alive = channel.filter(|channel| kind == CHANNEL && !fd::hung_up(channel.as_fd()));
            // A death in between leaves it there twice, which does no harm; the other order would lose it.
            let copied = alive.as_ref().is_none_or(|channel| self.put(number, channel.as_fd()).is_ok());
            frame::skip(self.out_end.as_fd());
            if let Some(channel) = alive {
                if !copied {
                    let _ = self.put(number, channel.as_fd());
                }
                found.push((number, channel));
            }
            // The mark of an earlier process that died here is just thrown away.
            if (kind == END && number == incarnation) || (!marked && !copied) {
                break;
            }
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
            assert_eq!(found.iter().map(|(session, _)| *session).collect::<Vec<_>>(), [7]);
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
        assert!(attic.channels(2).len() + 1 >= parked);
    }
}
