//! The reply channels of those who call an actor.
//!
//! An actor never waits for a caller: an answer that does not fit into a caller's channel is kept, up to a bound, and
//! sent when there is room; beyond the bound only the fact that it was lost is.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::actor::Answer;
use crate::mailbox::envelope::{Answered, Outgoing, Sealed, Status, packet};
use crate::sys::{fd, poll, time};

/// How many answers are kept for one caller that does not read.
const KEPT: usize = 256;

/// How many more are remembered as lost.
const REMEMBERED: usize = 16 * 1024;

/// How long an actor that ends tries to hand out the answers it has kept.
const LAST_TRY: std::time::Duration = std::time::Duration::from_millis(200);

struct Caller {
    channel: OwnedFd,
    kept: VecDeque<Sealed>,
}

/// All of them, by the number with which each signs its calls.
#[derive(Default)]
pub(super) struct Callers {
    known: HashMap<u64, Caller>,
    blocked: usize,
    sweep_at: usize,
}

impl Callers {
    /// A caller has sent its reply channel.
    pub(super) fn announce(&mut self, session: u64, channel: OwnedFd) {
        if self.known.len() >= self.sweep_at {
            // Those who are gone do not say so; now and then, in proportion to how many there are, we look.
            self.known.retain(|_, caller| !fd::hung_up(caller.channel.as_fd()));
            self.sweep_at = (2 * self.known.len()).max(16);
            self.count_blocked();
        }
        self.known.entry(session).and_modify(|_| ()).or_insert(Caller { channel, kept: VecDeque::new() });
    }

    /// Sends an answer, or keeps it.
    pub(super) fn answer(&mut self, session: u64, seq: u64, incarnation: u64, answer: Answer) {
        let Some(caller) = self.known.get_mut(&session) else { return };
        let Some(mut sealed) = seal(session, seq, incarnation, answer) else { return };
        if caller.kept.is_empty() {
            match sealed.send(caller.channel.as_fd(), &[]) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return self.forget(session),
            }
        }
        match caller.kept.len() {
            0..KEPT => caller.kept.push_back(sealed),
            KEPT..REMEMBERED => caller.kept.extend(seal_lost(session, seq, incarnation)),
            _ => {}
        }
        self.count_blocked();
    }

    fn forget(&mut self, session: u64) {
        self.known.remove(&session);
        self.count_blocked();
    }

    fn count_blocked(&mut self) {
        self.blocked = self.known.values().filter(|caller| !caller.kept.is_empty()).count();
    }

    /// Whether answers wait for room.
    pub(super) fn are_blocked(&self) -> bool {
        self.blocked > 0
    }

    /// The channels that answers wait for.
    pub(super) fn blocked(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.known.values().filter(|caller| !caller.kept.is_empty()).map(|caller| caller.channel.as_fd())
    }

    /// Sends what has been kept, as far as there is room.
    pub(super) fn flush(&mut self) {
        if self.blocked == 0 {
            return;
        }
        self.known.retain(|_, caller| {
            while let Some(sealed) = caller.kept.front_mut() {
                match sealed.send(caller.channel.as_fd(), &[]) {
                    Ok(()) => drop(caller.kept.pop_front()),
                    Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
                }
            }
            true
        });
        self.count_blocked();
    }

    /// The last chance of the answers that are kept.
    pub(super) fn flush_before_exit(&mut self) {
        let deadline = time::after(LAST_TRY);
        self.flush();
        while self.are_blocked() && time::now() < deadline {
            poll::pause(std::time::Duration::from_millis(1));
            self.flush();
        }
    }
}

fn seal(session: u64, seq: u64, incarnation: u64, answer: Answer) -> Option<Sealed> {
    let (status, outgoing) = match Outgoing::new(answer.encoded, 0) {
        Ok(outgoing) => (answer.status, outgoing),
        Err(error) => (Status::Codec, Outgoing::text(&format!("cannot send the answer: {error}"))),
    };
    seal_as(session, seq, incarnation, status, outgoing)
}

fn seal_lost(session: u64, seq: u64, incarnation: u64) -> Option<Sealed> {
    let text = Outgoing::text("the answer was dropped: the caller did not read its answers");
    seal_as(session, seq, incarnation, Status::Dropped, text)
}

fn seal_as(session: u64, seq: u64, incarnation: u64, status: Status, outgoing: Outgoing) -> Option<Sealed> {
    let header =
        Answered { session, seq, incarnation, status, large: outgoing.is_large(), payload: outgoing.bytes() };
    let bytes = packet(&header).ok()?;
    Some(Sealed::new(outgoing, bytes))
}
