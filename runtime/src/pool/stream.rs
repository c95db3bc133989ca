//! Many items, one function: how far the input is pulled, and in which order results come out.
//!
//! [`Stream`] does all of it. [`Unordered`] and [`WithInputs`] each wrap one, and return its results with the
//! number of the item, or with the item.

mod unordered;
mod with_inputs;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::dispatcher::Dispatcher;
use super::error::{Border, TaskAt, TaskError, WorkerAt};
use super::job::{Job, Outcome, Sink, failed};
use super::shared_slots::{MOST_ITEMS, Status};
use crate::control::function::Function;
use crate::ipc::codec::{Portable, RawValue};
use crate::ipc::user_code::{self, Thrown};
use crate::sys::per_process::COPY;

pub use unordered::Unordered;
pub use with_inputs::WithInputs;

/// How many items are in progress by default.
pub(crate) const BUFFER: usize = 256;
/// How many bytes of arguments are in progress, unless a single item has more.
const BYTES: usize = 16 << 20;
/// How many items, and how many bytes of them, are given to the pool at a time.
const PIECE: usize = 1024;
const PIECE_BYTES: usize = 24 << 10;
/// How long an input may take before the items pulled so far are given to the pool, and before a result that
/// is ready is returned.
const PATIENCE: Duration = Duration::from_millis(1);

/// Results of one function for the items of an iterator; itself a lazy iterator. Made by
/// [`Pool::stream`](crate::Pool::stream).
///
/// The input is pulled as results are taken: at most [`buffer`](Self::buffer) items have been pulled whose
/// results have not been taken. So an infinite input takes constant memory. An item whose worker dies is an
/// `Err` in its place, and the others go on. If the input panics, the results of earlier items come first,
/// and then the panic goes on here. Dropping the stream drops the items that no worker has begun.
///
/// ```
/// use phalanx::Pool;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// let squares = pool.stream(|n: u64| n * n, 1..).ordered(); // no end
/// let small: Result<Vec<u64>, _> = squares.take(5).collect();
/// assert_eq!(small?, [1, 4, 9, 16, 25]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream is lazy: nothing is done until its results are taken"]
pub struct Stream<I: Iterator, T, E> {
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
    ordered: bool,
    buffer: usize,
    chunk: Option<usize>,
    pulled: u64,
    taken: u64,
    bytes: VecDeque<usize>,
    held: usize,
    /// Why the stream cannot go on.
    refused: Option<&'static str>,
    kind: PhantomData<fn() -> (T, E)>,
}

/// The sink of a stream.
pub(crate) struct Collect {
    inner: Mutex<Collected>,
    changed: Condvar,
    abandoned: AtomicBool,
}

#[derive(Default)]
struct Collected {
    /// The outcomes of the items from `first` on, in their order; `None` for those still to come.
    in_order: VecDeque<Option<Outcome>>,
    first: u64,
    /// The outcomes in the order of their arrival, if that is wanted.
    as_they_come: Option<VecDeque<(u64, Outcome)>>,
    waiting: bool,
}

impl Collect {
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collected {
    fn put(&mut self, index: u64, outcome: Outcome) {
        if let Some(queue) = &mut self.as_they_come {
            return queue.push_back((index, outcome));
        }
        let Some(place) = index.checked_sub(self.first).map(|place| place as usize) else { return };
        if self.in_order.len() <= place {
            self.in_order.resize_with(place + 1, || None);
        }
        self.in_order[place] = Some(outcome);
    }

    /// Takes all outcomes that can be returned now.
    fn drain(&mut self, out: &mut VecDeque<(u64, Outcome)>) {
        if let Some(queue) = &mut self.as_they_come {
            out.append(queue);
        }
        while let Some(outcome) = self.in_order.front_mut().and_then(Option::take) {
            self.in_order.pop_front();
            out.push_back((self.first, outcome));
            self.first += 1;
        }
    }
}

impl Sink for Collect {
    fn claim(&self, _: u64) -> bool {
        !self.abandoned.load(Ordering::Relaxed)
    }

    fn is_silent(&self) -> bool {
        true
    }

    fn deliver(self: Arc<Self>, index: u64, outcome: Outcome) -> bool {
        if self.abandoned.load(Ordering::Relaxed) {
            return true;
        }
        let mut inner = self.lock();
        inner.put(index, outcome);
        let wake = std::mem::take(&mut inner.waiting);
        drop(inner);
        if wake {
            self.changed.notify_all();
        }
        true
    }

    fn deliver_all(self: Arc<Self>, outcomes: &mut dyn Iterator<Item = (u64, Outcome)>) {
        if self.abandoned.load(Ordering::Relaxed) {
            return outcomes.for_each(drop);
        }
        let mut inner = self.lock();
        outcomes.for_each(|(index, outcome)| inner.put(index, outcome));
        let wake = std::mem::take(&mut inner.waiting);
        drop(inner);
        if wake {
            self.changed.notify_all();
        }
    }
}

impl<A, I, T, E> Stream<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    pub(crate) fn new(dispatcher: &Arc<Dispatcher>, function: Function, input: I) -> Stream<I, T, E> {
        let (inner, changed, abandoned) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Stream {
            dispatcher: Arc::clone(dispatcher),
            function,
            input: Some(input),
            panicked: None,
            sink: Arc::new(Collect { inner, changed, abandoned }),
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
            kind: PhantomData,
        }
    }

    /// Results in the order of the input. That is the default. (Python's `imap`.)
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Results in the order in which they are ready, each with the number of its item. (Python's
    /// `imap_unordered`.)
    pub fn unordered(self) -> Unordered<I, T, E> {
        Unordered::of(self)
    }

    /// Each result with the item that it is of, as a clone that stays here: for a result that must be put
    /// down beside its input, or an item that is to be tried again.
    pub fn with_inputs(self) -> WithInputs<I, T, E>
    where
        A: Clone,
    {
        WithInputs::of(self)
    }

    /// How many items may have been pulled whose results have not been taken; at least 1. Their arguments
    /// take 16 MiB at most, whatever this says, unless a single one is larger. Default: 256.
    pub fn buffer(mut self, items: usize) -> Self {
        self.buffer = items.max(1);
        self
    }

    /// Gives this many items at a time to a worker, in one piece (4096 at most). An item whose worker dies
    /// costs only itself, whatever its chunk. 0 is refused: the only result is [`TaskError::Refused`].
    /// Default: as many as take about half a millisecond, measured while the stream runs, and one if tasks
    /// take longer.
    ///
    /// The buffer is at least one chunk for each worker, and one more.
    pub fn chunk(mut self, items: usize) -> Self {
        self.chunk = Some(items);
        self
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
        while self.in_flight() < window && (self.held < BYTES || self.in_flight() == 0) {
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
            self.sink.lock().drain(&mut self.ready);
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
        if let Err(outcome) = self.dispatcher.submit(Arc::new(job), true) {
            let broken = match outcome {
                Some(Outcome::Broken(error)) => Some(error),
                _ => None,
            };
            for index in first..first + items {
                let outcome = broken.clone().map_or(Outcome::Closed, Outcome::Broken);
                Arc::clone(&self.sink).deliver(index, outcome);
            }
        }
    }

    fn await_next(&mut self) -> (u64, Outcome) {
        if let Some(next) = self.ready.pop_front() {
            return next;
        }
        let mut inner = self.sink.lock();
        loop {
            inner.drain(&mut self.ready);
            if let Some(next) = self.ready.pop_front() {
                return next;
            }
            inner.waiting = true;
            inner = self.sink.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
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
    fn next_numbered(&mut self) -> Option<(u64, Result<T, TaskError<E>>)> {
        if !self.dispatcher.is_here() {
            // In a forked copy of the pool's process no outcome ever arrives.
            return self.end_with(|at| TaskError::Unreachable(COPY.to_owned(), at));
        }
        if self.chunk == Some(0) {
            self.chunk = None;
            return self.end_with(|at| TaskError::Refused("a chunk has at least one item".into(), at));
        }
        if self.pulled == 0 && !self.ordered {
            self.sink.lock().as_they_come = Some(VecDeque::new());
        }
        self.refill();
        if let Some(why) = self.refused.take() {
            let first = self.taken;
            (self.input, self.taken) = (None, self.pulled);
            return Some((first, Err(TaskError::Refused(why.into(), self.at(None, None)))));
        }
        if self.in_flight() == 0 {
            if let Some(panic) = self.panicked.take() {
                panic.again();
            }
            return None;
        }
        let (item, outcome) = self.await_next();
        self.taken += 1;
        self.held -= self.bytes.pop_front().unwrap_or_default();
        Some((item, self.read(item, &outcome)))
    }

    /// Ends a stream that cannot begin, or go on, with one error, which is not about a single item. If items
    /// are kept, it comes with the first one that has no result.
    fn end_with(&mut self, error: impl Fn(TaskAt) -> TaskError<E>) -> Option<(u64, Result<T, TaskError<E>>)> {
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

impl<A, I, T, E> Iterator for Stream<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
    type Item = Result<T, TaskError<E>>;

    /// Blocks until a result is ready, or the input has ended and all results have been taken. Until then the
    /// input is pulled as far as the buffer has room: an input that waits for a result to be taken needs a
    /// buffer of 1.
    fn next(&mut self) -> Option<Self::Item> {
        self.next_numbered().map(|(_, result)| result)
    }
}

impl<A, I, T, E> FusedIterator for Stream<I, T, E>
where
    A: Portable,
    I: Iterator<Item = A>,
    T: Portable,
    E: Portable,
{
}

impl<I: Iterator, T, E> Drop for Stream<I, T, E> {
    fn drop(&mut self) {
        self.sink.abandoned.store(true, Ordering::Relaxed);
    }
}

impl<I: Iterator, T, E> fmt::Debug for Stream<I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({}, {} pulled, {} taken)", self.function.short_name(), self.pulled, self.taken)
    }
}
