//! Pulls the input of a stream as far as there is room, gives it to the pool, and takes the outcomes.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::collect::Collect;
use crate::control::function::Function;
use crate::ipc::codec::{Portable, RawValue};
use crate::ipc::user_code::{self, Thrown};
use crate::pool::awaited::Place;
use crate::pool::dispatcher::Dispatcher;
use crate::pool::error::{Border, TaskAt, TaskError, WorkerAt};
use crate::pool::job::{Job, Outcome, Sink, failed};
use crate::pool::shared_slots::{MOST_ITEMS, Status};
use crate::sys::per_process::COPY;

/// How many items are in progress by default.
const BUFFER: usize = 256;
/// How many bytes of arguments are in progress, unless a single item has more.
const BYTES: usize = 16 << 20;
/// How many items, and how many bytes of them, are given to the pool at a time.
const PIECE: usize = 1024;
const PIECE_BYTES: usize = 24 << 10;
/// How long an input may take before the items pulled so far are given to the pool, and before a result that
/// is ready is returned.
const PATIENCE: Duration = Duration::from_millis(1);

/// A result, with the number of its item.
pub(super) type Numbered<T, E> = (u64, Result<T, TaskError<E>>);

pub(super) struct Pump<I: Iterator, T, E> {
    dispatcher: Arc<Dispatcher>,
    function: Function,
    input: Option<I>,
    /// The panic of the input, if it panicked.
    panicked: Option<Thrown>,
    sink: Arc<Collect>,
    /// Outcomes that were taken from the sink, all at once, and not returned yet, with their items' numbers.
    ready: VecDeque<(u64, Outcome)>,
    kept: Kept<I::Item>,
    number: u64,
    /// Results are returned in the order of the input; else as they are ready.
    pub(super) ordered: bool,
    /// How many items may have been pulled whose results have not been taken.
    pub(super) buffer: usize,
    /// How many items are given to a worker in one piece; `None`: as many as the pool finds right.
    pub(super) chunk: Option<usize>,
    pulled: u64,
    taken: u64,
    bytes: VecDeque<usize>,
    held: usize,
    /// Why the stream cannot go on.
    refused: Option<&'static str>,
    /// For a future: jobs for which the pool had no room yet, and the future's place among those that wait.
    unsent: VecDeque<Arc<Job>>,
    place: Place,
    /// A future takes the results: nothing here may block.
    is_async: bool,
    kind: PhantomData<fn() -> (T, E)>,
}

impl<A, I, T, E> Pump<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    pub(super) fn new(dispatcher: &Arc<Dispatcher>, function: Function, input: I) -> Pump<I, T, E> {
        Pump {
            dispatcher: Arc::clone(dispatcher),
            function,
            input: Some(input),
            panicked: None,
            sink: Arc::new(Collect::new()),
            ready: VecDeque::new(),
            kept: Kept::default(),
            number: dispatcher.number(),
            ordered: true,
            buffer: BUFFER,
            chunk: dispatcher.options.chunk,
            pulled: 0,
            taken: 0,
            bytes: VecDeque::new(),
            held: 0,
            refused: None,
            unsent: VecDeque::new(),
            place: Place::default(),
            is_async: false,
            kind: PhantomData,
        }
    }

    fn at(&self, item: Option<u64>, worker: Option<&Arc<WorkerAt>>) -> TaskAt {
        TaskAt::new(self.function.short_name(), self.number, item, worker)
    }

    fn in_flight(&self) -> usize {
        (self.pulled - self.taken) as usize
    }

    fn window(&self) -> usize {
        let chunks = self.chunk.map_or(0, |chunk| chunk.min(MOST_ITEMS) * (self.dispatcher.most() + 1));
        self.buffer.max(chunks)
    }

    /// Pulls what there is room for: all of it while no result is ready, since workers may be idle. A slow
    /// input does not keep a result waiting.
    fn refill(&mut self) {
        let window = self.window();
        // Wait until several can be pulled at once; a window of 1 leaves no choice.
        if self.input.is_none() || (self.in_flight() > window / 2 && window > 1) {
            return;
        }
        let start = Instant::now();
        while self.unsent.is_empty()
            && self.in_flight() < window
            && (self.held < BYTES || self.in_flight() == 0)
        {
            if !self.pull_piece(window) {
                self.input = None;
                return;
            }
            if start.elapsed() >= PATIENCE && self.has_result() {
                return;
            }
        }
    }

    /// Whether the next result is ready.
    fn has_result(&mut self) -> bool {
        if self.ready.is_empty() {
            self.sink.take(&mut self.ready);
        }
        !self.ready.is_empty()
    }

    /// Pulls some items and submits them; returns whether there may be more.
    fn pull_piece(&mut self, window: usize) -> bool {
        let most = self.chunk.map_or(PIECE, |chunk| chunk.min(MOST_ITEMS)).min(window - self.in_flight());
        let (start, first) = (Instant::now(), self.pulled);
        let (mut args, mut ends) = (Vec::new(), Vec::new());
        let mut more = true;
        while ends.len() < most && (self.chunk.is_some() || args.len() < PIECE_BYTES) {
            if self.chunk.is_none() && !ends.is_empty() && start.elapsed() >= PATIENCE {
                break;
            }
            let item = match self.pull() {
                Ok(Some(item)) => item,
                Ok(None) => {
                    more = false;
                    break;
                }
                Err(panic) => {
                    self.panicked = Some(panic);
                    more = false;
                    break;
                }
            };
            match <RawValue>::pack_away(item, self.dispatcher.options.depth) {
                Ok(raw_value) if raw_value.has_aside() => {
                    // Submitted alone, and after the items before it.
                    self.submit(args, ends, first);
                    self.pulled += 1;
                    let number = self.pulled - 1;
                    self.note_bytes(raw_value.bytes.len());
                    let ends = vec![raw_value.bytes.len() as u32];
                    self.submit_args(raw_value, ends, number);
                    return true;
                }
                Ok(raw_value) => {
                    self.pulled += 1;
                    self.note_bytes(raw_value.bytes.len());
                    args.extend_from_slice(&raw_value.bytes);
                    ends.push(args.len() as u32);
                    if self.chunk.is_none() && self.in_flight() >= window {
                        break;
                    }
                }
                Err(error) => {
                    self.submit(args, ends, first);
                    self.pulled += 1;
                    let number = self.pulled - 1;
                    self.note_bytes(0);
                    let outcome = Outcome::Codec(Border::EncodeArguments, error);
                    Arc::clone(&self.sink).deliver(number, outcome);
                    return true;
                }
            }
        }
        self.submit(args, ends, first);
        more
    }

    /// Takes the next item of the input. A clone of it is kept, if clones are wanted.
    fn pull(&mut self) -> Result<Option<A>, Thrown> {
        let (input, clone) = (&mut self.input, self.kept.clone);
        let pulled = user_code::caught(|| {
            let item = input.as_mut().and_then(Iterator::next)?;
            let kept = clone.map(|clone| clone(&item));
            Some((item, kept))
        })?;
        let Some((item, kept)) = pulled else { return Ok(None) };
        if let Some(kept) = kept {
            self.kept.items.insert(self.pulled, kept);
        }
        Ok(Some(item))
    }

    fn note_bytes(&mut self, bytes: usize) {
        self.bytes.push_back(bytes);
        self.held += bytes;
    }

    fn submit(&mut self, args: Vec<u8>, ends: Vec<u32>, first: u64) {
        self.submit_args(RawValue::of_bytes(args), ends, first);
    }

    fn submit_args(&mut self, args: RawValue, ends: Vec<u32>, first: u64) {
        let items = ends.len() as u64;
        if items == 0 {
            return;
        }
        if !self.function.is_here() {
            self.refused = Some(NOT_HERE);
            return;
        }
        let job = Job {
            function: self.function,
            number: self.number,
            args,
            ends,
            whole: self.chunk.is_some(),
            sink: Arc::clone(&self.sink) as Arc<dyn Sink>,
            first,
            losses: AtomicU32::new(0),
            moves: AtomicU32::new(0),
        };
        let job = Arc::new(job);
        if self.is_async && !self.unsent.is_empty() {
            return self.unsent.push_back(job);
        }
        match self.dispatcher.submit(Arc::clone(&job), !self.is_async) {
            Ok(()) => {}
            Err(None) if self.is_async => self.unsent.push_back(job),
            Err(outcome) => self.refuse(first, items, outcome.as_ref()),
        }
    }

    /// The pool takes no more: the outcome of these items says why.
    fn refuse(&self, first: u64, items: u64, outcome: Option<&Outcome>) {
        let broken = match outcome {
            Some(Outcome::Broken(error)) => Some(error),
            _ => None,
        };
        for index in first..first + items {
            let outcome = broken.cloned().map_or(Outcome::Closed, Outcome::Broken);
            Arc::clone(&self.sink).deliver(index, outcome);
        }
    }

    /// Submits the jobs for which there is room by now; has the future woken when there is more.
    fn submit_unsent(&mut self, waker: &Waker) {
        while let Some(job) = self.unsent.front() {
            match self.dispatcher.poll_submit(job, &mut self.place, waker) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(outcome)) => self.refuse(job.first, job.ends.len() as u64, Some(&outcome)),
            }
            self.unsent.pop_front();
        }
    }

    fn await_next(&mut self) -> (u64, Outcome) {
        loop {
            match self.ready.pop_front() {
                Some(next) => return next,
                None => self.sink.wait(&mut self.ready),
            }
        }
    }

    fn read(&self, item: u64, outcome: &Outcome) -> Result<T, TaskError<E>> {
        let at = |worker: Option<&Arc<WorkerAt>>| self.at(Some(item), worker);
        if let Some(error) = failed(outcome, at) {
            return Err(error);
        }
        let Outcome::Answer(status, raw_value, worker) = outcome else {
            return Err(TaskError::Timeout(at(None)));
        };
        let codec = |error| TaskError::Codec(Border::DecodeResult, error, at(Some(worker)));
        let app = |error| TaskError::App(error, at(Some(worker)));
        match status {
            Status::App => Err(raw_value.open::<E>(self.dispatcher.options.depth).map_or_else(codec, app)),
            _ => raw_value.open::<T>(self.dispatcher.options.depth).map_err(codec),
        }
    }

    /// The next result, with the number of its item, or of the first item that has none because the stream
    /// cannot go on.
    pub(super) fn next_numbered(&mut self) -> Option<Numbered<T, E>> {
        self.leave_async();
        match self.before_next(Pump::refill) {
            Some(next) => next,
            None => {
                let (item, outcome) = self.await_next();
                Some(self.read_taken(item, &outcome))
            }
        }
    }

    /// From now on the thread that takes the results may block.
    fn leave_async(&mut self) {
        if !std::mem::take(&mut self.is_async) {
            return;
        }
        self.dispatcher.give_up_room(&mut self.place);
        for job in std::mem::take(&mut self.unsent) {
            if let Err(outcome) = self.dispatcher.submit(Arc::clone(&job), true) {
                self.refuse(job.first, job.ends.len() as u64, outcome.as_ref());
            }
        }
    }

    /// As [`next_numbered`](Self::next_numbered), for a future.
    pub(super) fn poll_numbered(&mut self, context: &mut Context<'_>) -> Poll<Option<Numbered<T, E>>> {
        self.is_async = true;
        let refill = |pump: &mut Self| {
            pump.submit_unsent(context.waker());
            pump.refill();
            // What found no room is to be woken for.
            pump.submit_unsent(context.waker());
        };
        if let Some(next) = self.before_next(refill) {
            return Poll::Ready(next);
        }
        if self.ready.is_empty() {
            self.sink.poll(&mut self.ready, context.waker());
        }
        match self.ready.pop_front() {
            Some((item, outcome)) => Poll::Ready(Some(self.read_taken(item, &outcome))),
            None => Poll::Pending,
        }
    }

    /// Returns what comes next, if no outcome has to be awaited for that. `refill` pulls the input.
    fn before_next(&mut self, refill: impl FnOnce(&mut Self)) -> Option<Option<Numbered<T, E>>> {
        if !self.dispatcher.is_here() {
            // In a forked copy of the pool's process no outcome ever arrives.
            return Some(self.end_with(|at| TaskError::Unreachable(COPY.to_owned(), at)));
        }
        if self.chunk == Some(0) {
            self.chunk = None;
            return Some(self.end_with(|at| TaskError::Refused("a chunk has at least one item".into(), at)));
        }
        if self.pulled == 0 && !self.ordered {
            self.sink.take_as_they_come();
        }
        refill(self);
        if let Some(why) = self.refused.take() {
            let first = self.taken;
            (self.input, self.taken) = (None, self.pulled);
            return Some(Some((first, Err(TaskError::Refused(why.into(), self.at(None, None))))));
        }
        if self.in_flight() == 0 {
            if let Some(panic) = self.panicked.take() {
                panic.again();
            }
            return Some(None);
        }
        None
    }

    /// Counts an outcome as taken, and reads it.
    fn read_taken(&mut self, item: u64, outcome: &Outcome) -> Numbered<T, E> {
        self.taken += 1;
        self.held -= self.bytes.pop_front().unwrap_or_default();
        (item, self.read(item, outcome))
    }

    /// Ends a stream that cannot begin, or go on, with one error, which is not about a single item. If items
    /// are kept, it comes with the first one that has no result.
    fn end_with(&mut self, error: impl Fn(TaskAt) -> TaskError<E>) -> Option<Numbered<T, E>> {
        self.input.as_ref()?;
        let needs_item = self.kept.clone.is_some() && self.kept.items.is_empty();
        let pulled = needs_item.then(|| self.pull());
        self.input = None;
        if let Some(pulled) = pulled {
            pulled.unwrap_or_else(|panic| panic.again())?;
        }
        let first = self.kept.items.first_key_value().map_or(self.taken, |(&number, _)| number);
        Some((first, Err(error(self.at(None, None)))))
    }
}

impl<I: Iterator, T, E> Pump<I, T, E> {
    /// Keeps a clone of each item from now on, until it is taken back.
    pub(super) fn keep_inputs(&mut self)
    where
        I::Item: Clone,
    {
        self.kept.clone = Some(I::Item::clone);
    }

    /// Takes back the item of this number, if clones are kept.
    pub(super) fn take_input(&mut self, number: u64) -> Option<I::Item> {
        self.kept.items.remove(&number)
    }
}

impl<I: Iterator, T, E> Drop for Pump<I, T, E> {
    fn drop(&mut self) {
        self.sink.abandon();
        if self.is_async && self.dispatcher.is_here() {
            self.dispatcher.give_up_room(&mut self.place);
        }
    }
}

impl<I: Iterator, T, E> fmt::Debug for Pump<I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} pulled, {} taken", self.function.short_name(), self.pulled, self.taken)
    }
}

/// Clones of the items whose results have not been taken, by their numbers.
struct Kept<A> {
    /// `None`: none are kept.
    clone: Option<fn(&A) -> A>,
    items: BTreeMap<u64, A>,
}

impl<A> Default for Kept<A> {
    fn default() -> Kept<A> {
        Kept { clone: None, items: BTreeMap::new() }
    }
}

/// Why a function cannot be run in another process.
pub(crate) const NOT_HERE: &str = "the function is not in the program's executable but in a shared library";
