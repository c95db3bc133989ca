//! A worker as its pool sees it: the link to it, and the batches that were sent to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::error::{PoolError, WorkerAt};
use super::job::{Deliveries, Piece, Sink};
use super::link::{Failed, Link};
use super::sent_batch::{Rest, SentBatch, message};
use super::shared_slots::{Control, Phase, SLOTS, SharedSlots};
use super::worker::item;
use crate::reactor::select::{clock, later};

/// When a batch without an answer is checked for the first time.
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// The longest time between two checks.
const LAST_LOOK: Duration = Duration::from_millis(16);
/// A worker.
pub(crate) struct WorkerHandle {
    pub(crate) at: Arc<WorkerAt>,
    pub(crate) link: Link,
    pub(crate) shared_slots: SharedSlots,
    batches: VecDeque<SentBatch>,
    serial: u16,
    pub(crate) started: Instant,
    /// How long its start took.
    pub(crate) startup: Duration,
    pub(crate) idle_since: Instant,
    /// It has answered for a batch. Before that it is never too old, however small its age limit: it would
    /// have been started for nothing.
    has_served: bool,
    /// Why it gets nothing more to do, if that is so.
    pub(crate) retiring: Option<String>,
    /// Why it is being killed, and for which item.
    kill_reason: Option<(Place, KillReason)>,
    /// It is being killed because its shared memory has been written over.
    pub(crate) is_overwritten: bool,
    busy_seen: u64,
    busy_asked: Instant,
}

/// An item of a batch: the number of the batch, and the item's place in it.
pub(crate) type Place = (u16, u32);

/// For which item a worker is condemned.
pub(crate) enum Target<'a> {
    /// This one, by its number for the sink.
    Item(&'a Arc<dyn Sink>, u64),
    /// The one that was seen at this place.
    Seen(Place),
    /// The one in progress.
    Any,
}

/// The result of a check of a worker.
#[derive(Default)]
pub(crate) struct Look {
    /// Items that other workers can do.
    pub(crate) returned: Vec<Piece>,
    /// An item that is over its time, and how long it has taken.
    pub(crate) late: Option<(Place, Duration)>,
    /// Its slot does not hold the batch that it was given.
    pub(crate) is_overwritten: bool,
}

/// Why a worker is killed, which decides the outcome of its item.
#[derive(Clone)]
pub(crate) enum KillReason {
    Cancelled,
    Late(Duration),
    Broken(Arc<PoolError>),
}

/// What a dead worker leaves.
#[derive(Default)]
pub(crate) struct Remains {
    /// Items that it had not begun, in order.
    pub(crate) untouched: Vec<Piece>,
    /// The item in progress, if there was one. All that may have been begun, if the shared memory does not
    /// say.
    pub(crate) lost: Vec<Lost>,
}

/// An item that was in progress when its worker died.
pub(crate) struct Lost {
    pub(crate) piece: Piece,
    /// No code of the task had run.
    pub(crate) unread: bool,
    /// How often the task may be run, as it has declared; 0 if it has not.
    pub(crate) attempts: u32,
    pub(crate) kill_reason: Option<KillReason>,
}

impl WorkerHandle {
    pub(crate) fn new(
        at: WorkerAt,
        link: Link,
        shared_slots: SharedSlots,
        startup: Duration,
    ) -> WorkerHandle {
        let now = Instant::now();
        WorkerHandle {
            at: Arc::new(at),
            link,
            shared_slots,
            batches: VecDeque::new(),
            serial: 0,
            started: now,
            startup,
            idle_since: now,
            has_served: false,
            retiring: None,
            kill_reason: None,
            is_overwritten: false,
            busy_seen: 0,
            busy_asked: now,
        }
    }

    /// Whether it is killed because a caller or the pool wants that, and not for what its task has done.
    pub(crate) fn is_killed_on_purpose(&self) -> bool {
        matches!(&self.kill_reason, Some((_, why)) if !matches!(why, KillReason::Late(_)))
    }

    /// How many batches it has.
    pub(crate) fn load(&self) -> usize {
        self.batches.len()
    }

    /// Whether it can be given another batch.
    pub(crate) fn is_open(&self) -> bool {
        self.retiring.is_none() && self.kill_reason.is_none() && self.batches.len() < SLOTS
    }

    /// Sends it a batch; returns whether there is an answer (a refusal) at once.
    pub(crate) fn send(&mut self, pieces: Vec<Piece>, waker: &Waker) -> bool {
        self.serial = self.serial.wrapping_add(1);
        let busy = self.batches.front().map(|batch| batch.slot);
        let slot = busy.map_or(0, |slot| (slot + 1) % SLOTS);
        let items = pieces.iter().map(Piece::len).sum::<usize>() as u32;
        self.shared_slots.slot(slot).open(self.serial, items);
        let pending = self.link.send(message(self.serial, slot, &pieces));
        let now_done = pending.watch(waker);
        let sent = Instant::now();
        self.batches.push_back(SentBatch {
            serial: self.serial,
            slot,
            pieces,
            items,
            collected: 0,
            at: 0,
            cursor: (0, 0),
            pending,
            sent,
            look: Some(sent + FIRST_LOOK),
            patience: FIRST_LOOK,
            seen_running: None,
        });
        now_done
    }

    /// The answer to its first batch, if it is ready. The batch is removed.
    pub(crate) fn answer(&mut self, out: &mut Deliveries) -> Option<Result<Rest, (Failed, Vec<Piece>)>> {
        let batch = self.batches.front_mut()?;
        let answer = batch.pending.take()?;
        match answer {
            Ok(answered) => {
                let mut batch = self.batches.pop_front()?;
                batch.collect(answered.place, &self.shared_slots, &self.at, out);
                if let Some((status, raw_value)) = answered.handed {
                    batch.hand(status, raw_value, &self.at, out);
                }
                if self.retiring.is_none() {
                    self.retiring = answered.retire;
                }
                self.idle_since = Instant::now();
                self.has_served = true;
                Some(Ok((batch.rest(batch.collected), batch.collected)))
            }
            Err(Failed::Unsent(error)) => {
                let batch = self.batches.pop_front()?;
                Some(Err((Failed::Unsent(error), batch.rest(0))))
            }
            Err(died) => Some(Err((died, Vec::new()))),
        }
    }

    /// When it is to be replaced for its age.
    pub(crate) fn too_old_at(&self, age: Option<Duration>) -> Option<Instant> {
        age.filter(|_| self.has_served).map(|age| later(self.started, age))
    }

    /// Reads what the worker, which has ended, has left.
    pub(crate) fn take_remains(&mut self, out: &mut Deliveries) -> Remains {
        let mut remains = Remains::default();
        // It begins a batch when it is done with the one before.
        let mut may_have_begun = true;
        while let Some(mut batch) = self.batches.pop_front() {
            // Items that it had answered for are done.
            if let Some(Ok(answered)) = batch.pending.take() {
                batch.collect(answered.place, &self.shared_slots, &self.at, out);
                if let Some((status, raw_value)) = answered.handed {
                    batch.hand(status, raw_value, &self.at, out);
                }
                remains.untouched.extend(batch.rest(batch.collected));
                continue;
            }
            let kill_reason = self.kill_reason.take_if(|((serial, _), _)| *serial == batch.serial);
            // For which item it was condemned, the pool knows without the shared memory.
            let condemned = kill_reason.as_ref().map(|((_, place), _)| (*place, Phase::Condemned));
            let seen = || batch.control(&self.shared_slots).map(|control| (control.place, control.phase));
            match condemned.or_else(seen) {
                Some((place, phase)) => {
                    batch.collect(place, &self.shared_slots, &self.at, out);
                    let in_progress = phase != Phase::Before && batch.collected < batch.items;
                    remains.lost.extend(in_progress.then(|| Lost {
                        piece: batch.current(),
                        unread: phase == Phase::Reading,
                        attempts: self.shared_slots.attempts(),
                        kill_reason: kill_reason.map(|(_, kill_reason)| kill_reason),
                    }));
                    remains.untouched.extend(batch.rest(batch.collected + u32::from(in_progress)));
                }
                // The shared memory does not say how far the worker has come: none of this is run twice.
                None if may_have_begun => {
                    let singles = batch.rest(batch.collected).into_iter().flat_map(Piece::singles);
                    let lost = |piece| Lost { piece, unread: false, attempts: 0, kill_reason: None };
                    remains.lost.extend(singles.map(lost));
                }
                None => remains.untouched.extend(batch.rest(batch.collected)),
            }
            may_have_begun &= batch.collected == batch.items;
        }
        remains
    }

    /// When it is to be checked next.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.batches.iter().filter_map(|batch| batch.look).min()
    }

    /// Checks batches without an answer: reads finished results, takes back what idle workers could do, and
    /// finds an item in progress that is over its time.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        others_idle: bool,
        limit: Option<Duration>,
        out: &mut Deliveries,
    ) -> Look {
        let mut seen = Look::default();
        if self.next_look().is_none_or(|look| look > now) {
            return seen;
        }
        let many = self.batches.len() > 1;
        for (ahead, batch) in self.batches.iter_mut().enumerate() {
            if others_idle {
                seen.returned.extend(batch.give_up_for_others(&self.shared_slots, ahead == 0, now));
            }
            batch.patience = (batch.patience * 2).min(LAST_LOOK);
            let again = Some(now + batch.patience);
            let control = batch.control(&self.shared_slots);
            let Some(Control { place, phase, .. }) =
                control.filter(|control| control.phase != Phase::Condemned || self.kill_reason.is_some())
            else {
                seen.is_overwritten = true;
                batch.look = again;
                continue;
            };
            batch.collect(place, &self.shared_slots, &self.at, out);
            let running = matches!(phase, Phase::Reading | Phase::Running);
            let limit = limit.into_iter().chain(self.shared_slots.deadline()).min().filter(|_| running);
            let known = batch.seen_running.filter(|&(seen, _)| running && seen == place);
            let then = limit.map(|limit| {
                let said = Duration::from_nanos(clock().saturating_sub(self.shared_slots.since()));
                // The worker writes when it began: not before it got the batch.
                let said = said.min(now.saturating_duration_since(batch.sent));
                let age = known.map_or(said, |(_, since)| said.max(now.saturating_duration_since(since)));
                let left = limit.saturating_sub(age);
                if left.is_zero() {
                    seen.late = Some(((batch.serial, place), age));
                }
                later(now, left.max(FIRST_LOOK))
            });
            // What the task declares is known once it runs.
            let is_settled = phase == Phase::Running && known.is_some();
            batch.look = match then {
                then if is_settled && batch.is_alone() && !many => then,
                Some(then) => again.min(Some(then)),
                None => again,
            };
            let running = Some((place, now)).filter(|_| phase == Phase::Running);
            batch.seen_running = known.or(running);
        }
        seen
    }

    /// Condemns the worker for an item and kills it, if that item is in progress.
    pub(crate) fn condemn(&mut self, target: &Target<'_>, kill_reason: KillReason) -> bool {
        let Some(batch) = self.batches.front_mut() else { return false };
        let slot = self.shared_slots.slot(batch.slot);
        let Some(Control { place, serial, .. }) = batch.control(&self.shared_slots) else { return false };
        let wanted = batch.cursor_at(place).is_some_and(|(piece, n)| match *target {
            Target::Item(sink, index) => Arc::ptr_eq(&piece.job.sink, sink) && piece.index(n) == index,
            Target::Seen(seen) => seen == (serial, place),
            Target::Any => true,
        });
        if !wanted || slot.condemn(serial, place).is_err() {
            return false;
        }
        self.kill_reason = Some(((serial, place), kill_reason));
        self.link.kill();
        true
    }

    /// Kills the worker, because it no longer shows how far it has come.
    pub(crate) fn give_up(&mut self) {
        self.is_overwritten = true;
        self.link.kill();
    }

    /// Asks the item in progress to end by itself.
    pub(crate) fn cancel_softly(&self) {
        if let Some(batch) = self.batches.front() {
            let control = self.shared_slots.slot(batch.slot).control();
            self.shared_slots.cancel(item(control.serial, control.place));
        }
    }

    /// Takes back all items that have not been begun.
    pub(crate) fn take_back(&mut self) -> Vec<Piece> {
        let shared_slots = &self.shared_slots;
        self.batches.iter_mut().flat_map(|batch| batch.take_back(shared_slots, false)).collect()
    }

    /// How far the worker is with an item, if it has that item.
    pub(crate) fn phase_of(&self, sink: &Arc<dyn Sink>, index: u64) -> Option<Phase> {
        for batch in &self.batches {
            let control = batch.control(&self.shared_slots);
            let is_it = |piece: &Piece| {
                let (first, last) = (piece.index(0), piece.index(piece.len() as u32));
                Arc::ptr_eq(&piece.job.sink, sink) && (first..last).contains(&index)
            };
            if batch.pieces.iter().any(is_it) {
                let current = control.and_then(|control| Some((control, batch.cursor_at(control.place)?)));
                let here = current.filter(|(_, (piece, n))| is_it(piece) && piece.index(*n) == index);
                return Some(here.map_or(Phase::Before, |(control, _)| control.phase));
            }
        }
        None
    }

    /// How long its items have taken on average since the last call, if there were `items` of them. The time
    /// in the shared memory is believed only as far as it can have passed.
    pub(crate) fn average(&mut self, items: u32) -> Option<f64> {
        let (busy, now) = (self.shared_slots.busy(), Instant::now());
        let spent = busy.saturating_sub(std::mem::replace(&mut self.busy_seen, busy));
        let passed = now.saturating_duration_since(std::mem::replace(&mut self.busy_asked, now));
        let spent = (spent as f64).min(passed.as_nanos() as f64);
        (items > 0).then(|| spent / f64::from(items))
    }
}
