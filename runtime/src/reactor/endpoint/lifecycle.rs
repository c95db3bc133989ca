//! What this process knows of an actor's life and death, and which waiters want to hear of it.

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::Endpoint;
use crate::reactor::driver::Reactor;
use crate::reactor::reception::Reception;
use crate::reactor::waiter::{Outcome, Waiter, Wakers};
use crate::status::{ExitNotice, ExitRecord, HISTORY, State};
use crate::sys::poll::Sentinel;
use crate::sys::{clock, fd, process};
use crate::types::exit::ExitReason;

/// What this process knows of the actor's deaths, and which waiters want to hear of them.
#[derive(Default)]
pub(super) struct Lifecycle {
    /// `Some(None)`: its supervisor died with it, and left no exit record.
    dead: Option<Option<Arc<ExitRecord>>>,
    /// The last incarnation whose death has been handed out.
    seen: u64,
    /// How many purges of its mailbox have been seen.
    purges: u64,
    /// How many calls it could not reply to.
    unheard: u64,
    /// Until when the reason for its hang-up may still be recorded; 0: it has not hung up.
    doubt_until: u64,
    until_ready: Vec<Arc<Waiter>>,
    until_dead: Vec<Arc<Waiter>>,
    /// Waiters for the end of one incarnation.
    until_down: Vec<(u64, Arc<Waiter>)>,
    /// Its key in the reactor, which hears of it for the sentinel as if a future waited.
    attended: Option<(u64, u64)>,
}

/// Calls that get no reply.
pub(crate) struct Lost {
    /// The first and the last of them, as far as they were made while this incarnation was the last, or
    /// earlier.
    pub(crate) seqs: RangeInclusive<u64>,
    pub(crate) incarnation: u64,
    /// Only those that were made before the mailbox was purged so often.
    pub(crate) before: u64,
    pub(crate) end: End,
}

/// Why calls get no reply.
pub(crate) enum End {
    /// The process died. `None`: its supervisor died with it, and left no exit record.
    Died(Option<Arc<ExitRecord>>),
    /// The actor lacks the reply channel that they were sent with.
    Unheard,
}

impl End {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            End::Died(exit_record) => Outcome::Dead(exit_record.clone()),
            End::Unheard => Outcome::Unheard,
        }
    }
}

/// How long to wait for a reason if a mailbox has hung up and its process still exists.
const DOUBT: Duration = Duration::from_secs(1);

impl Endpoint {
    /// A descriptor that can be read once the death is known, and not before, however many threads look at
    /// it.
    pub(crate) fn sentinel(self: &Arc<Endpoint>) -> io::Result<BorrowedFd<'_>> {
        let reactor = Reactor::get()?;
        reactor.know(self)?;
        let sentinel = self.local().sentinel.get_or_try_init(|| {
            // The mailbox of an actor that is gone for good hangs up, which the kernel sees. That of a
            // supervisor's child that has ended stays open, because the child may be started again: then this
            // process has to hear of the end, whatever waits for it. A page that lies about it harms its own
            // actor.
            let stays_open = self.status_page.above() != 0;
            let sentinel = Sentinel::of(self.mailbox(), stays_open)?;
            if stays_open {
                let attended = reactor.attend_future(&Arc::default(), u64::MAX)?;
                self.lifecycle().attended = Some(attended);
            }
            Ok::<_, io::Error>(sentinel)
        })?;
        reactor.visit(self);
        Ok(sentinel.as_fd())
    }

    fn lifecycle(&self) -> MutexGuard<'_, Lifecycle> {
        self.local().lifecycle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is gone for good, by the status page and by what the kernel says of the socket.
    pub(crate) fn is_dead(&self) -> bool {
        self.status_page.state() == State::Dead || fd::hung_up(self.mailbox())
    }

    /// Whether it has a process.
    pub(crate) fn has_process(&self) -> bool {
        matches!(self.status_page.state(), State::Starting | State::Ready) && !fd::hung_up(self.mailbox())
    }

    /// What is known of its end. If the page said that it was gone for good, and its supervisor has written
    /// since that it is not, it was never gone.
    fn end_in<'a>(&self, lifecycle: &'a mut Lifecycle) -> Option<&'a Option<Arc<ExitRecord>>> {
        if lifecycle.dead.is_some() && !self.is_dead() {
            lifecycle.dead = None;
        }
        lifecycle.dead.as_ref()
    }

    /// How it ended, if it has and is not about to be restarted.
    pub(crate) fn exit_record(&self) -> Option<Arc<ExitRecord>> {
        if let Some(Some(known)) = self.end_in(&mut self.lifecycle()) {
            return Some(Arc::clone(known));
        }
        if let Some(read) = self.status_page.exit_record() {
            return Some(Arc::new(read));
        }
        fd::hung_up(self.mailbox())
            .then(|| self.own_words().unwrap_or_else(|| Arc::new(ExitRecord::orphaned())))
    }

    /// What a process of the actor noted about its mailbox, broken for good, before its supervisor could
    /// record anything.
    fn own_words(&self) -> Option<Arc<ExitRecord>> {
        let last = self.status_page.last_death().map(|last| last.1);
        if let Some(last) = last.filter(|last| matches!(last.reason, ExitReason::Broken(_))) {
            return Some(Arc::new(last));
        }
        let said =
            self.status_page.words().filter(|_| self.status_page.exit_notice() == Some(ExitNotice::Broken));
        said.map(|words| {
            Arc::new(ExitRecord { reason: ExitReason::Broken(words.0), code: 1, ..ExitRecord::orphaned() })
        })
    }

    /// Whether it has hung up, and the reason may still be recorded.
    pub(crate) fn is_doubtful(&self) -> bool {
        let lifecycle = self.lifecycle();
        lifecycle.dead.is_none() && lifecycle.doubt_until != 0
    }

    /// Decides about an actor that has hung up without a record of its death; `None` while that is in doubt.
    /// If its supervisor died, its process ends at the same moment. If its mailbox was shut down, its process
    /// notes that, and then its supervisor records it.
    fn doubt(&self, lifecycle: &mut Lifecycle) -> Option<Option<Arc<ExitRecord>>> {
        // Before its words: a process that has ended since has said all that it had to say.
        let is_there = process::exists(self.status_page.pid()) && self.status_page.state() != State::New;
        if let Some(said) = self.own_words() {
            return Some(Some(said));
        }
        if lifecycle.doubt_until == 0 {
            lifecycle.doubt_until = clock::after(DOUBT);
        }
        (!is_there || lifecycle.doubt_until <= clock::now()).then_some(None)
    }

    /// The process that it has, or had last: its pid, and which incarnation it is.
    pub(crate) fn process(&self) -> (u32, u64) {
        let incarnation = self.status_page.incarnation();
        // Read before the pid: the named process never came later than the number says.
        (self.status_page.pid(), incarnation)
    }

    pub(crate) fn ended(&self) -> Option<ExitReason> {
        self.exit_record().map(|exit_record| exit_record.end_reason())
    }

    /// Has `waiter` completed when the actor is ready or gone; call [`Reactor::visit`] next.
    pub(crate) fn on_ready(&self, waiter: &Arc<Waiter>) {
        self.lifecycle().until_ready.push(Arc::clone(waiter));
    }

    /// Has `waiter` completed when the actor is gone; call [`Reactor::visit`] next.
    pub(crate) fn on_death(&self, waiter: &Arc<Waiter>) {
        let mut woken = Wakers::default();
        let mut lifecycle = self.lifecycle();
        match self.end_in(&mut lifecycle) {
            Some(dead) => waiter.complete(Outcome::Dead(dead.clone()), &mut woken),
            None => lifecycle.until_dead.push(Arc::clone(waiter)),
        }
    }

    /// Has `waiter` completed when the process that the actor has now is gone (at once if it is already);
    /// returns its incarnation. Call [`Reactor::visit`] next.
    pub(crate) fn on_down(&self, waiter: &Arc<Waiter>) -> u64 {
        // An actor that has not been started yet is watched from its first process on.
        let incarnation = self.status_page.incarnation().max(1);
        self.on_down_of(incarnation, waiter);
        incarnation
    }

    /// Completes the waiter when the process of this incarnation has ended.
    pub(crate) fn on_down_of(&self, incarnation: u64, waiter: &Arc<Waiter>) {
        let mut woken = Wakers::default();
        let mut lifecycle = self.lifecycle();
        match self.end_in(&mut lifecycle) {
            Some(dead) => waiter.complete(Outcome::Dead(dead.clone()), &mut woken),
            None => lifecycle.until_down.push((incarnation, Arc::clone(waiter))),
        }
    }

    pub(crate) fn forget(&self, waiter: &Arc<Waiter>) {
        let mut lifecycle = self.lifecycle();
        lifecycle.until_dead.retain(|other| !Arc::ptr_eq(other, waiter));
        lifecycle.until_ready.retain(|other| !Arc::ptr_eq(other, waiter));
        lifecycle.until_down.retain(|(_, other)| !Arc::ptr_eq(other, waiter));
    }

    /// Looks at the status page, because its bell rang. Returns the calls that are lost, as far as that is
    /// news.
    pub(crate) fn look(&self, reception: &Reception, woken: &mut Wakers) -> Vec<Lost> {
        let open = !fd::hung_up(self.mailbox());
        // The purges first: the death that led to a purge is written before it.
        let purges = self.status_page.purges();
        let (state, last) = (self.status_page.state(), self.status_page.last_death());
        let mut lifecycle = self.lifecycle();
        // One of its processes has been ready, and may have been stopped since for a sibling's sake.
        if state == State::Ready || self.status_page.has_been_ready() {
            for waiter in lifecycle.until_ready.drain(..) {
                waiter.complete(Outcome::Ready, woken);
            }
        }
        let mut news = Vec::new();
        if self.end_in(&mut lifecycle).is_some() {
            return news;
        }
        let session = self.session(reception);
        let (unheard, up_to) = self.status_page.unheard(session, lifecycle.unheard);
        lifecycle.unheard = unheard;
        if let Some(up_to) = up_to {
            // The next call brings the channel again.
            self.local().announced.store(0, Ordering::Release);
            news.push(Lost { seqs: 0..=up_to, incarnation: u64::MAX, before: u64::MAX, end: End::Unheard });
        }
        let latest = last.as_ref().map_or(0, |(incarnation, _)| *incarnation);
        // The last known death is looked at again, because its record may have been rewritten. No more are
        // read than are remembered, whatever the page says.
        let oldest = latest.saturating_sub(HISTORY).max(1);
        // If more have been seen than there are, the page has lied about their number, before or now.
        let from = if lifecycle.seen > latest { oldest } else { lifecycle.seen.max(oldest) };
        for incarnation in from..=latest {
            if let Some(exit_record) = self.status_page.death_of(incarnation).map(Arc::new) {
                news.extend(lost_with(session, incarnation, &exit_record));
            }
        }
        lifecycle.seen = latest;
        if purges != lifecycle.purges {
            lifecycle.purges = purges;
            let exit_record =
                Some(last.as_ref().map_or_else(ExitRecord::orphaned, |last| last.1.clone()).into());
            let end = End::Died(exit_record);
            news.push(Lost { seqs: 0..=u64::MAX, incarnation: u64::MAX, before: purges, end });
        }
        let dead = match (state, open) {
            (State::Dead, _) => Some(Some(Arc::new(last.map_or_else(ExitRecord::orphaned, |last| last.1)))),
            (_, false) => self.doubt(&mut lifecycle),
            _ => None,
        };
        if let Some(dead) = dead {
            news.push(Lost {
                seqs: 0..=u64::MAX,
                incarnation: u64::MAX,
                before: u64::MAX,
                end: End::Died(dead.clone()),
            });
            lifecycle.dead = Some(dead);
        }
        news
    }

    /// Completes the waiters of what has happened.
    pub(crate) fn announce(&self, woken: &mut Wakers) {
        let mut lifecycle = self.lifecycle();
        let without_process = match self.status_page.state() {
            State::Down => Some(self.status_page.last_death().map(|last| Arc::new(last.1))),
            _ => None,
        };
        let dead = lifecycle.dead.clone();
        let mut told = Vec::new();
        let gone = dead.clone().or(without_process);
        if let Some(sentinel) = self.local().sentinel.get() {
            sentinel.say(gone.is_some());
        }
        let attended = lifecycle.attended.take_if(|_| dead.is_some());
        if let Some(gone) = gone {
            let watching = std::mem::take(&mut lifecycle.until_dead)
                .into_iter()
                .chain(std::mem::take(&mut lifecycle.until_ready));
            told.extend(watching.map(|waiter| (waiter, gone.clone())));
        }
        let (seen, last) = (lifecycle.seen, self.status_page.incarnation());
        for (incarnation, waiter) in std::mem::take(&mut lifecycle.until_down) {
            // The page has lied about an incarnation that did not exist yet: its watcher hears of the next
            // death.
            let was_a_lie = incarnation > last.max(1) && seen > 0;
            if incarnation <= seen || was_a_lie || dead.is_some() {
                let known =
                    self.status_page.death_of(if was_a_lie { seen } else { incarnation }).map(Arc::new);
                told.push((waiter, known.or_else(|| dead.clone().flatten())));
            } else {
                lifecycle.until_down.push((incarnation, waiter));
            }
        }
        drop(lifecycle);
        release(attended);
        for (waiter, exit_record) in told {
            waiter.complete(Outcome::Dead(exit_record), woken);
        }
    }

    /// Ends what the sentinel needs of the reactor. Called when the endpoint is dropped.
    pub(super) fn release_sentinel(&self) {
        let attended = self.lifecycle().attended.take();
        release(attended);
    }
}

/// The calls of session `own` that ended with that incarnation.
fn lost_with(own: u64, incarnation: u64, exit_record: &Arc<ExitRecord>) -> Vec<Lost> {
    let unanswered = exit_record.unanswered.iter().filter(|(session, _)| [0, own].contains(session));
    let busy = exit_record.in_progress.as_ref().filter(|busy| busy.session == own && !busy.again);
    let lost = |seqs| {
        let end = End::Died(Some(Arc::clone(exit_record)));
        Lost { seqs, incarnation, before: u64::MAX, end }
    };
    let unanswered = unanswered.map(|&(_, up_to)| lost(0..=up_to));
    unanswered.chain(busy.map(|busy| lost(busy.seq..=busy.seq))).collect()
}

/// Tells the reactor that no sentinel needs to hear of this actor any more.
fn release(attended: Option<(u64, u64)>) {
    if let (Some(key), Some(reactor)) = (attended, Reactor::existing()) {
        reactor.release_future(key);
    }
}
