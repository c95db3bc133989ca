//! A worker as its pool sees it: how it is reached, and the batches that are on their way to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::error::{PoolError, WorkerAt};
use super::flight::{Flight, Rest, batch};
use super::job::{Deliveries, Piece, Sink};
use super::link::{Failed, Link};
use super::shared_slots::{Control, Phase, SharedSlots, TRACKS};
use super::worker::item;
use crate::reactor::select::{clock, later};

/// When a batch that is not answered is looked at for the first time.
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// How far apart these looks become.
const LAST_LOOK: Duration = Duration::from_millis(16);
/// A worker.
pub(crate) struct WorkerHandle {
    pub(crate) at: Arc<WorkerAt>,
    pub(crate) link: Link,
    pub(crate) shared_slots: SharedSlots,
    flights: VecDeque<Flight>,
    serial: u16,
    pub(crate) started: Instant,
    /// How long its start took.
    pub(crate) startup: Duration,
    pub(crate) idle_since: Instant,
    /// It has answered for a batch. Before that it is not too old, however small its age may be: it would have been started for nothing.
    has_served: bool,
    /// It gets nothing more to do.
    pub(crate) retiring: Option<String>,
    /// Why it is being killed.
    verdict: Option<(Place, Verdict)>,
    was_cancelled: bool,
    /// It is being killed because its shared slots has been written over.
    pub(crate) is_overwritten: bool,
    busy_seen: u64,
    busy_asked: Instant,
}

/// An item of a batch: the batch's number, and its place in that.
pub(crate) type Place = (u16, u32);

/// For which item a worker is condemned.
pub(crate) enum Which<'a> {
    /// This one, by its number for the sink.
    Item(&'a Arc<dyn Sink>, u64),
    /// The one that was seen at this place.
    Seen(Place),
    /// The one that it is at.
    Any,
}

/// What a look at a worker has shown.
#[derive(Default)]
pub(crate) struct Look {
    /// What others can do.
    pub(crate) returned: Vec<Piece>,
    /// An item that is over its time, and how long it has taken.
    pub(crate) late: Option<(Place, Duration)>,
    /// Its shared slots does not speak of what it has been given.
    pub(crate) is_overwritten: bool,
}

/// What becomes of the item that a worker is killed for.
#[derive(Clone)]
pub(crate) enum Verdict {
    Cancelled,
    Late(Duration),
    Broken(Arc<PoolError>),
}

/// What comes back from a worker that has died.
#[derive(Default)]
pub(crate) struct Remains {
    /// Not begun, in order.
    pub(crate) untouched: Vec<Piece>,
    /// The item in progress, if there was one; all that may have been begun, if the shared slots does not say.
    pub(crate) lost: Vec<Lost>,
}

/// An item in whose progress a worker died.
pub(crate) struct Lost {
    pub(crate) piece: Piece,
    /// No code of the task had run.
    pub(crate) unread: bool,
    /// How often the task may be run, as it has said itself; 0 if it has not.
    pub(crate) attempts: u32,
    pub(crate) verdict: Option<Verdict>,
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
            flights: VecDeque::new(),
            serial: 0,
            started: now,
            startup,
            idle_since: now,
            has_served: false,
            retiring: None,
            verdict: None,
            was_cancelled: false,
            is_overwritten: false,
            busy_seen: 0,
            busy_asked: now,
        }
    }

    /// Whether it is killed because somebody wants that: not for what its task has done.
    pub(crate) fn is_killed_on_purpose(&self) -> bool {
        self.was_cancelled
    }

    /// How many batches it has.
    pub(crate) fn load(&self) -> usize {
        self.flights.len()
    }

    /// Whether it can be given another one.
    pub(crate) fn is_open(&self) -> bool {
        self.retiring.is_none() && self.verdict.is_none() && self.flights.len() < TRACKS
    }

    /// Sends it a batch; returns whether there is an answer (a refusal) at once.
    pub(crate) fn send(&mut self, pieces: Vec<Piece>, waker: &Waker) -> bool {
        self.serial = self.serial.wrapping_add(1);
        let busy = self.flights.front().map(|flight| flight.track);
        let track = busy.map_or(0, |track| (track + 1) % TRACKS);
        let items = pieces.iter().map(Piece::len).sum::<usize>() as u32;
        self.shared_slots.track(track).open(self.serial, items);
        let pending = self.link.send(batch(self.serial, track, &pieces));
        let now_done = pending.watch(waker);
        let sent = Instant::now();
        self.flights.push_back(Flight {
            serial: self.serial,
            track,
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

    /// The answer to the first of its batches, if it is there; the batch goes with it.
    pub(crate) fn answer(&mut self, out: &mut Deliveries) -> Option<Result<Rest, (Failed, Vec<Piece>)>> {
        let flight = self.flights.front_mut()?;
        let answer = flight.pending.take()?;
        match answer {
            Ok(answered) => {
                let mut flight = self.flights.pop_front()?;
                flight.collect(answered.place, &self.shared_slots, &self.at, out);
                if let Some((status, raw_value)) = answered.handed {
                    flight.hand(status, raw_value, &self.at, out);
                }
                if self.retiring.is_none() {
                    self.retiring = answered.retire;
                }
                self.idle_since = Instant::now();
                self.has_served = true;
                Some(Ok((flight.rest(flight.collected), flight.collected)))
            }
            Err(Failed::Unsent(error)) => {
                let flight = self.flights.pop_front()?;
                Some(Err((Failed::Unsent(error), flight.rest(0))))
            }
            Err(died) => Some(Err((died, Vec::new()))),
        }
    }

    /// When it is to be replaced for its age.
    pub(crate) fn too_old_at(&self, age: Option<Duration>) -> Option<Instant> {
        age.filter(|_| self.has_served).map(|age| later(self.started, age))
    }

    /// It has ended: reads what it has left.
    pub(crate) fn take_remains(&mut self, out: &mut Deliveries) -> Remains {
        let mut remains = Remains::default();
        // It begins with a batch when it is done with the one before.
        let mut may_have_begun = true;
        while let Some(mut flight) = self.flights.pop_front() {
            // What it has answered before, it has answered.
            if let Some(Ok(answered)) = flight.pending.take() {
                flight.collect(answered.place, &self.shared_slots, &self.at, out);
                if let Some((status, raw_value)) = answered.handed {
                    flight.hand(status, raw_value, &self.at, out);
                }
                remains.untouched.extend(flight.rest(flight.collected));
                continue;
            }
            let verdict = self.verdict.take_if(|((serial, _), _)| *serial == flight.serial);
            // For what it was condemned, the pool knows without the shared slots.
            let condemned = verdict.as_ref().map(|((_, place), _)| (*place, Phase::Condemned));
            let seen = || flight.control(&self.shared_slots).map(|control| (control.place, control.phase));
            match condemned.or_else(seen) {
                Some((place, phase)) => {
                    flight.collect(place, &self.shared_slots, &self.at, out);
                    let in_progress = phase != Phase::Before && flight.collected < flight.items;
                    remains.lost.extend(in_progress.then(|| Lost {
                        piece: flight.current(),
                        unread: phase == Phase::Reading,
                        attempts: self.shared_slots.attempts(),
                        verdict: verdict.map(|(_, verdict)| verdict),
                    }));
                    remains.untouched.extend(flight.rest(flight.collected + u32::from(in_progress)));
                }
                // The shared slots does not say how far the worker has come: none of this is run twice.
                None if may_have_begun => {
                    let singles = flight.rest(flight.collected).into_iter().flat_map(Piece::singles);
                    let lost = |piece| Lost { piece, unread: false, attempts: 0, verdict: None };
                    remains.lost.extend(singles.map(lost));
                }
                None => remains.untouched.extend(flight.rest(flight.collected)),
            }
            may_have_begun &= flight.collected == flight.items;
        }
        remains
    }

    /// When somebody should look at it next.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.flights.iter().filter_map(|flight| flight.look).min()
    }

    /// Looks at what it has not answered for a while: reads what is finished, takes back what others could do, if there are any, and sees whether the
    /// item in progress is over its time.
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
        let many = self.flights.len() > 1;
        for (ahead, flight) in self.flights.iter_mut().enumerate() {
            if others_idle {
                seen.returned.extend(flight.give_up_for_others(&self.shared_slots, ahead == 0, now));
            }
            flight.patience = (flight.patience * 2).min(LAST_LOOK);
            let again = Some(now + flight.patience);
            let control = flight.control(&self.shared_slots);
            let Some(Control { place, phase, .. }) =
                control.filter(|control| control.phase != Phase::Condemned || self.verdict.is_some())
            else {
                seen.is_overwritten = true;
                flight.look = again;
                continue;
            };
            flight.collect(place, &self.shared_slots, &self.at, out);
            let running = matches!(phase, Phase::Reading | Phase::Running);
            let limit = limit.into_iter().chain(self.shared_slots.deadline()).min().filter(|_| running);
            let known = flight.seen_running.filter(|&(seen, _)| running && seen == place);
            let then = limit.map(|limit| {
                let said = Duration::from_nanos(clock().saturating_sub(self.shared_slots.since()));
                let age = known.map_or(said, |(_, since)| said.max(now.saturating_duration_since(since)));
                let left = limit.saturating_sub(age);
                if left.is_zero() {
                    seen.late = Some(((flight.serial, place), age));
                }
                later(now, left.max(FIRST_LOOK))
            });
            // What it says of itself is known once it runs.
            let is_settled = phase == Phase::Running && known.is_some();
            flight.look = match then {
                then if is_settled && flight.is_alone() && !many => then,
                Some(then) => again.min(Some(then)),
                None => again,
            };
            let running = Some((place, now)).filter(|_| phase == Phase::Running);
            flight.seen_running = known.or(running);
        }
        seen
    }

    /// Condemns it for an item, and has it killed, if that is in progress.
    pub(crate) fn condemn(&mut self, which: &Which<'_>, verdict: Verdict) -> bool {
        let Some(flight) = self.flights.front_mut() else { return false };
        let track = self.shared_slots.track(flight.track);
        let Some(Control { place, serial, .. }) = flight.control(&self.shared_slots) else { return false };
        let wanted = flight.cursor_at(place).is_some_and(|(piece, n)| match *which {
            Which::Item(sink, index) => Arc::ptr_eq(&piece.job.sink, sink) && piece.index(n) == index,
            Which::Seen(seen) => seen == (serial, place),
            Which::Any => true,
        });
        if !wanted || track.condemn(serial, place).is_err() {
            return false;
        }
        self.was_cancelled = !matches!(verdict, Verdict::Late(_));
        self.verdict = Some(((serial, place), verdict));
        self.link.kill();
        true
    }

    /// Has it killed, since it does not say any more how far it has come.
    pub(crate) fn give_up(&mut self) {
        self.is_overwritten = true;
        self.link.kill();
    }

    /// Asks the item in progress to end by itself.
    pub(crate) fn cancel_softly(&self) {
        if let Some(flight) = self.flights.front() {
            let control = self.shared_slots.track(flight.track).control();
            self.shared_slots.cancel(item(control.serial, control.place));
        }
    }

    /// Takes back all that has not been begun.
    pub(crate) fn take_back(&mut self) -> Vec<Piece> {
        let shared_slots = &self.shared_slots;
        self.flights.iter_mut().flat_map(|flight| flight.take_back(shared_slots, false)).collect()
    }

    /// Whether an item is here, and whether it is in progress.
    pub(crate) fn whereabouts(&self, sink: &Arc<dyn Sink>, index: u64) -> Option<Phase> {
        for flight in &self.flights {
            let control = flight.control(&self.shared_slots);
            let is_it = |piece: &Piece| {
                let (first, last) = (piece.index(0), piece.index(piece.len() as u32));
                Arc::ptr_eq(&piece.job.sink, sink) && (first..last).contains(&index)
            };
            if flight.pieces.iter().any(is_it) {
                let current = control.and_then(|control| Some((control, flight.cursor_at(control.place)?)));
                let here = current.filter(|(_, (piece, n))| is_it(piece) && piece.index(*n) == index);
                return Some(here.map_or(Phase::Before, |(control, _)| control.phase));
            }
        }
        None
    }

    /// How long its items have taken on average since this was asked last, if there were `items` of them. What the shared slots says is believed as far as
    /// there has been time for it.
    pub(crate) fn average(&mut self, items: u32) -> Option<f64> {
        let (busy, now) = (self.shared_slots.busy(), Instant::now());
        let spent = busy.saturating_sub(std::mem::replace(&mut self.busy_seen, busy));
        let passed = now.saturating_duration_since(std::mem::replace(&mut self.busy_asked, now));
        let spent = (spent as f64).min(passed.as_nanos() as f64);
        (items > 0).then(|| spent / f64::from(items))
    }
}
