//! A worker as its pool sees it: how it is reached, and the batches that are on their way to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::error::{Border, PoolError, WorkerAt};
use super::in_process::{Promise, ThreadWorker};
use super::job::{Deliveries, Outcome, Piece, Sink};
use super::shared_slots::{Control, Phase, SharedSlots, Status, TRACKS};
use super::worker::{Answered, Batch, Worker, item};
use crate::actor::actor_ref::ActorRef;
use crate::actor::reply::Reply;
use crate::control::function::Function;
use crate::ipc::codec::RawValue;
use crate::reactor::monitor::Monitor;
use crate::reactor::select::{clock, later};
use crate::types::error::CallError;
use crate::types::exit::{ExitReason, StoppedBy};

/// When a batch that is not answered is looked at for the first time.
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// How far apart these looks become.
const LAST_LOOK: Duration = Duration::from_millis(16);
/// How long a worker may take to begin with its next item before that goes to another one that is idle. Each item that has gone to another so is given twice as
/// long there: what takes long to be read is not handed around for ever.
const SLOW: Duration = Duration::from_millis(32);
/// Batches wait for as long as it takes; what ends them is an answer or a death.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The way to a worker.
pub(crate) enum Link {
    Process(Box<(ActorRef<Worker>, Monitor)>),
    Thread(ThreadWorker),
}

/// The answer to a batch, before it is there.
enum Pending {
    Process(Reply<Answered>),
    Thread(Promise),
}

/// What a worker has not done of a batch, and how many items it has.
type Rest = (Vec<Piece>, u32);

/// Why a batch has no answer.
pub(crate) enum Failed {
    Died(ExitReason),
    /// It was not sent.
    Unsent(String),
}

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

/// A batch on its way.
struct Flight {
    serial: u16,
    track: usize,
    pieces: Vec<Piece>,
    /// How many items are the worker's.
    items: u32,
    /// How many results have been read.
    collected: u32,
    /// The next result, in the shared slots.
    at: usize,
    /// The first item whose result has not been read: which piece, and which of its items.
    cursor: (usize, u32),
    pending: Pending,
    sent: Instant,
    look: Option<Instant>,
    patience: Duration,
    /// Which of its items was seen to run, and since when: the shared slots's own word on that may be a lie.
    seen_running: Option<(u32, Instant)>,
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

impl Link {
    fn send(&self, batch: Batch) -> Pending {
        match self {
            Link::Process(process) => Pending::Process(process.0.within(FOR_EVER).work(batch)),
            Link::Thread(hand) => Pending::Thread(hand.send(batch)),
        }
    }

    /// Has `waker` woken at its end; returns whether it has ended already.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        match self {
            Link::Process(process) => process.1.watch(waker),
            Link::Thread(_) => false,
        }
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitReason> {
        match self {
            Link::Process(process) => process.1.handed_out().map(|down| down.reason),
            Link::Thread(hand) => hand.ended(),
        }
    }

    /// Asks it to end after the item in progress.
    pub(crate) fn terminate(&self) {
        match self {
            // One that is gone needs no asking.
            Link::Process(process) => drop(process.0.terminate()),
            Link::Thread(hand) => hand.terminate(),
        }
    }

    pub(crate) fn kill(&self) {
        match self {
            Link::Process(process) => drop(process.0.kill()),
            Link::Thread(hand) => hand.terminate(),
        }
    }
}

impl Pending {
    fn watch(&self, waker: &Waker) -> bool {
        match self {
            Pending::Process(reply) => reply.watch(waker),
            Pending::Thread(promise) => promise.is_done(),
        }
    }

    fn take(&mut self) -> Option<Result<Answered, Failed>> {
        let answer = match self {
            Pending::Process(reply) => reply.handed_out()?,
            Pending::Thread(promise) => return promise.take(),
        };
        Some(answer.map_err(|error| match error {
            CallError::Died(reason, _) => Failed::Died(reason),
            CallError::Stopped(_) => Failed::Died(ExitReason::Stopped(StoppedBy::Ref)),
            CallError::Gone(at) => Failed::Died(at.ended().cloned().unwrap_or(ExitReason::SupervisorDied)),
            error => Failed::Unsent(error.to_string()),
        }))
    }
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

impl Flight {
    /// What the shared slots says of this batch, if it does.
    fn control(&self, shared_slots: &SharedSlots) -> Option<Control> {
        Some(shared_slots.track(self.track).control()).filter(|control| control.serial == self.serial)
    }

    /// Takes back what others could do sooner: all that has not been begun, but what the worker is about to begin with (if this batch is the next, or in
    /// progress). It may be stopped: then others do that too.
    fn give_up_for_others(&mut self, shared_slots: &SharedSlots, is_next: bool, now: Instant) -> Vec<Piece> {
        let moves = self.pieces.get(self.cursor.0).map_or(0, |piece| piece.job.moves());
        let is_slow = now.saturating_duration_since(self.sent) >= SLOW.saturating_mul(1 << moves.min(20));
        let returned = self.take_back(shared_slots, is_next && !is_slow);
        if is_next && is_slow {
            returned.iter().take(1).for_each(|piece| piece.job.count_move());
        }
        returned
    }

    /// Takes back what has not been begun, but `not_the_next` item. What has been delivered, or taken back before, is not given again, whatever the shared slots says.
    fn take_back(&mut self, shared_slots: &SharedSlots, not_the_next: bool) -> Vec<Piece> {
        let Some(from) = shared_slots.track(self.track).take_back(self.serial, not_the_next) else {
            return Vec::new();
        };
        let from = from.clamp(self.collected, self.items);
        let returned = self.rest(from);
        self.items = from;
        returned
    }

    /// Whether there is but one item left, whose result cannot be had before its answer.
    fn is_alone(&self) -> bool {
        self.items.saturating_sub(self.collected) <= 1
    }

    /// Reads the results before `place`.
    fn collect(&mut self, place: u32, shared_slots: &SharedSlots, at: &Arc<WorkerAt>, out: &mut Deliveries) {
        let track = shared_slots.track(self.track);
        while self.collected < place.min(self.items) {
            let mut bytes = Vec::new();
            let outcome = match track.read(self.at, &mut bytes) {
                Some((status, next)) => {
                    self.at = next;
                    Outcome::Answer(status, RawValue::of_bytes(bytes), Arc::clone(at))
                }
                None => {
                    let error = "the worker has written over its results".to_owned();
                    Outcome::Codec(Border::EncodeResult, error)
                }
            };
            self.deliver(outcome, out);
        }
    }

    /// The next result came in the answer.
    fn hand(&mut self, status: Status, raw_value: RawValue, at: &Arc<WorkerAt>, out: &mut Deliveries) {
        if self.collected < self.items {
            self.deliver(Outcome::Answer(status, raw_value, Arc::clone(at)), out);
        }
    }

    fn deliver(&mut self, outcome: Outcome, out: &mut Deliveries) {
        let (piece, n) = self.cursor;
        out.push(&self.pieces[piece].job.sink, self.pieces[piece].index(n), outcome);
        self.collected += 1;
        self.cursor = if n as usize + 1 < self.pieces[piece].len() { (piece, n + 1) } else { (piece + 1, 0) };
    }

    /// The piece and the item in it of the item at `place`, which is not before the cursor.
    fn cursor_at(&self, place: u32) -> Option<(&Piece, u32)> {
        let mut ahead = place.checked_sub(self.collected)?;
        let (piece, mut n) = self.cursor;
        for piece in self.pieces.get(piece..)? {
            let left = piece.len() as u32 - n;
            if ahead < left {
                return Some((piece, n + ahead));
            }
            ahead -= left;
            n = 0;
        }
        None
    }

    /// The item at the cursor, as a job of its own.
    fn current(&self) -> Piece {
        let (piece, n) = self.cursor;
        let piece = &self.pieces[piece];
        Piece::of(piece.job.single(piece.from + n))
    }

    /// The items from `place` on that are the worker's.
    fn rest(&self, place: u32) -> Vec<Piece> {
        let place = place.max(self.collected);
        let mut wanted = self.items.saturating_sub(place);
        let mut skip = place.saturating_sub(self.collected);
        let (first, mut n) = self.cursor;
        let mut rest = Vec::new();
        for piece in self.pieces.get(first..).unwrap_or_default() {
            let (from, len) = (piece.from + n, piece.to - piece.from - n);
            n = 0;
            let skipped = skip.min(len);
            skip -= skipped;
            let take = (len - skipped).min(wanted);
            wanted -= take;
            if take > 0 {
                let from = from + skipped;
                rest.push(Piece { job: Arc::clone(&piece.job), from, to: from + take });
            }
        }
        rest
    }
}

fn batch(serial: u16, track: usize, pieces: &[Piece]) -> Batch {
    let mut known: Vec<Function> = Vec::new();
    let mut functions = Vec::new();
    let mut items = Vec::new();
    let mut bytes = Vec::with_capacity(pieces.iter().map(Piece::bytes).sum());
    for piece in pieces {
        let function = piece.job.function;
        let place = known.iter().rposition(|other| other.is(function)).unwrap_or_else(|| {
            known.push(function);
            functions.extend(function.name());
            known.len() - 1
        });
        items.extend(piece.lengths().map(|len| (place as u16, len)));
        if !piece.job.args.has_aside() {
            bytes.extend_from_slice(piece.args());
        }
    }
    // What has something beside its bytes is alone in its batch.
    let aside = pieces.first().filter(|piece| piece.job.args.has_aside());
    let args = aside.map_or_else(|| RawValue::of_bytes(bytes), |piece| piece.job.args.clone());
    Batch { serial, track, functions, items, args }
}
