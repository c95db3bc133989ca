use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::*;
use crate::control::function::Function;
use crate::ipc::bounds::DEPTH;
use crate::ipc::codec::RawValue;
use crate::pool::builder::PoolBuilder;
use crate::pool::in_process::ThreadWorker;
use crate::pool::job::{Job, Sink};
use crate::pool::link::Link;
use crate::pool::shared_slots::SharedSlots;
use crate::pool::worker::{Limits, Setup};
use crate::task::function::TaskFn;

/// A sink that records which items are queued again.
#[derive(Default)]
struct Caller {
    has_cancelled: AtomicBool,
    unclaimed: Mutex<Vec<u64>>,
}

impl Sink for Caller {
    fn claim(&self, _: u64) -> bool {
        !self.has_cancelled.load(Ordering::Relaxed)
    }

    fn unclaim(&self, index: u64) {
        self.unclaimed.lock().unwrap().push(index);
    }

    fn deliver(self: Arc<Self>, _: u64, _: Outcome) -> bool {
        true
    }
}

fn echo(value: u8) -> u8 {
    value
}

/// `items` items, each with `bytes` bytes of arguments.
fn piece(caller: &Arc<Caller>, first: u64, items: u32, bytes: u32, whole: bool) -> Piece {
    let function: Function = echo.function();
    Piece::of(Arc::new(Job {
        function,
        number: 1,
        args: RawValue::of_bytes(vec![0; (items * bytes) as usize]),
        ends: (1..=items).map(|item| item * bytes).collect(),
        whole,
        sink: Arc::clone(caller) as Arc<dyn Sink>,
        first,
        losses: AtomicU32::new(0),
        moves: AtomicU32::new(0),
    }))
}

fn items(pieces: &[Piece]) -> Vec<u64> {
    pieces.iter().flat_map(|piece| (0..piece.len() as u32).map(|n| piece.index(n))).collect()
}

fn queue() -> RunQueue {
    RunQueue::new(65_536, 1 << 20)
}

/// A queue that knows how many nanoseconds a task takes.
fn queue_of_tasks_of(nanos: f64) -> RunQueue {
    let mut queue = queue();
    queue.learn(Some(nanos));
    queue
}

fn schedule(builder: PoolBuilder) -> Schedule {
    Schedule::new(&builder.options)
}

/// A worker that is a thread.
fn worker(index: usize) -> WorkerHandle {
    let shared_slots = SharedSlots::new().unwrap();
    let setup = Setup {
        pool: "pool".to_owned(),
        index,
        incarnation: 1,
        shared_slots: shared_slots.clone(),
        init: None,
        exit: None,
        limits: Limits::default(),
        soft: None,
        depth: DEPTH,
    };
    let thread = ThreadWorker::start(setup, &Arc::default()).unwrap();
    let at = WorkerAt { name: "worker".into(), index, pid: 1, incarnation: 1 };
    WorkerHandle::new(at, Link::Thread(thread), shared_slots, Duration::ZERO)
}

/// A schedule with a worker in each of its first seats.
fn staffed(builder: PoolBuilder, workers: usize) -> Schedule {
    let mut schedule = schedule(builder);
    for _ in 0..workers {
        let (index, _) = schedule.begin_start().unwrap();
        schedule.end_start(index);
        schedule.seat(index, worker(index));
    }
    schedule
}

#[test]
fn items_are_taken_in_the_order_in_which_they_were_given() {
    let (caller, mut queue) = (Arc::default(), queue_of_tasks_of(1_000.0));
    queue.push(piece(&caller, 0, 3, 1, false));
    queue.push(piece(&caller, 3, 2, 1, false));
    assert_eq!(items(&queue.take_batch(1).pieces), [0, 1, 2, 3, 4]);
    assert!(queue.is_empty());
}

#[test]
fn what_a_worker_gives_back_comes_before_all_else_in_its_old_order() {
    let (caller, mut queue) = (Arc::default(), queue_of_tasks_of(1_000.0));
    let pieces = vec![piece(&caller, 0, 2, 1, false), piece(&caller, 2, 1, 1, false)];
    queue.push(piece(&caller, 3, 1, 1, false));
    queue.requeue(pieces);
    assert_eq!(queue.len(), 4);
    assert_eq!(items(&queue.take_batch(1).pieces), [0, 1, 2, 3]);
    assert_eq!(*caller.unclaimed.lock().unwrap(), [2, 0], "each piece waits again");
}

#[test]
fn a_batch_has_one_item_until_tasks_are_known_to_be_short() {
    let (caller, mut queue) = (Arc::default(), queue());
    queue.push(piece(&caller, 0, 1000, 1, false));
    assert_eq!((queue.take_batch(2).pieces[0].len(), queue.batches_per_worker()), (1, 1));
    queue.learn(Some(1_000.0));
    assert_eq!(queue.batches_per_worker(), 2);
    assert_eq!(queue.take_batch(2).pieces[0].len(), 250, "half of a fair part");
    assert_eq!(queue.take_batch(100).pieces[0].len(), 50, "as many as are worth a message");
    queue.push(piece(&caller, 1000, 10_000, 1, false));
    assert_eq!(items(&queue.take_batch(1).pieces).len(), 500, "as many as half a millisecond takes");
}

#[test]
fn long_tasks_are_not_sent_ahead() {
    let mut queue = queue_of_tasks_of(6_000_000.0);
    assert_eq!(queue.batches_per_worker(), 1);
    (0..10).for_each(|_| queue.learn(Some(1_000.0)));
    assert_eq!(queue.batches_per_worker(), 2);
}

#[test]
fn a_job_that_goes_in_one_piece_is_not_divided() {
    let (caller, mut queue) = (Arc::default(), queue());
    queue.push(piece(&caller, 0, 300, 1, true));
    queue.push(piece(&caller, 300, 300, 1, true));
    assert_eq!(queue.take_batch(8).pieces[0].len(), 300);
    assert_eq!(queue.len(), 300);
}

#[test]
fn a_batch_of_several_items_has_no_more_bytes_than_fit() {
    let (caller, mut queue) = (Arc::default(), queue_of_tasks_of(1_000.0));
    queue.push(piece(&caller, 0, 10, 10 << 10, false));
    queue.push(piece(&caller, 10, 1, 100 << 10, false));
    assert_eq!(items(&queue.take_batch(1).pieces), [0, 1]);
    let mut taken = Vec::new();
    while !queue.is_empty() {
        taken.push(items(&queue.take_batch(1).pieces));
    }
    assert_eq!(taken.last().unwrap(), &[10], "a single item may have more");
}

#[test]
fn an_item_that_fills_a_message_by_itself_goes_alone() {
    let (caller, mut queue) = (Arc::default(), queue_of_tasks_of(1_000.0));
    queue.push(piece(&caller, 0, 1, 30 << 10, false));
    queue.push(piece(&caller, 1, 2, 1, false));
    assert_eq!(items(&queue.take_batch(1).pieces), [0]);
    assert_eq!(items(&queue.take_batch(1).pieces), [1, 2]);
}

#[test]
fn cancelled_items_are_passed_over() {
    let (cancelled, wanted) = (Arc::<Caller>::default(), Arc::default());
    let mut queue = queue();
    cancelled.has_cancelled.store(true, Ordering::Relaxed);
    queue.push(piece(&cancelled, 0, 1, 1, true));
    queue.push(piece(&wanted, 1, 1, 1, true));
    let taken = queue.take_batch(1);
    assert_eq!((items(&taken.unwanted), items(&taken.pieces)), (vec![0], vec![1]));
    assert_eq!(queue.len(), 0);
}

#[test]
fn an_empty_queue_takes_any_piece_and_a_full_one_none() {
    let caller = Arc::default();
    let mut queue = RunQueue::new(2, 10);
    let (large, small) = (piece(&caller, 0, 5, 100, false), piece(&caller, 5, 1, 1, false));
    assert!(queue.has_room(&large));
    queue.push(large);
    assert!(!queue.has_room(&small));
    assert_eq!(queue.take_all().len(), 1);
    queue.push(small.clone());
    assert!(queue.has_room(&small));
    queue.push(small.clone());
    assert!(!queue.has_room(&small), "two items are all that it takes");
}

#[test]
fn a_worker_gets_a_batch_only_if_it_has_as_many_as_was_asked() {
    let (caller, mut schedule) = (Arc::default(), staffed(PoolBuilder::new().workers(2), 2));
    assert!(schedule.take_batch(0, 0).is_none(), "nothing is queued");
    schedule.enqueue(piece(&caller, 0, 3, 1, false));
    let taken = schedule.take_batch(0, 0).unwrap();
    assert_eq!(items(&taken.pieces), [0]);
    schedule.handle_mut(0).unwrap().send(taken.pieces, Waker::noop());
    assert!(schedule.take_batch(0, 0).is_none() && schedule.has_idle());
    assert_eq!(items(&schedule.take_batch(1, 0).unwrap().pieces), [1]);
    assert_eq!(items(&schedule.take_batch(0, 1).unwrap().pieces), [2]);
}

#[test]
fn a_worker_that_is_to_leave_gets_nothing() {
    let (caller, mut schedule) = (Arc::default(), staffed(PoolBuilder::new().workers(2), 2));
    schedule.enqueue(piece(&caller, 0, 1, 1, false));
    schedule.resize(1, 1);
    assert!(schedule.take_batch(1, 0).is_none());
    let retired = schedule.retire(Instant::now());
    assert_eq!(retired.iter().map(|retired| retired.index).collect::<Vec<_>>(), [1]);
    assert!(retired[0].recycled.is_some());
    assert!(schedule.take_batch(0, 0).is_some());
}

#[test]
fn workers_that_are_idle_for_long_leave_until_there_are_only_as_many_as_wanted() {
    let builder = PoolBuilder::new().workers(1..=3).idle_timeout(Duration::from_secs(10));
    let (mut schedule, now) = (staffed(builder, 3), Instant::now());
    assert!(schedule.retire(now).is_empty());
    let retired = schedule.retire(now + Duration::from_secs(11));
    assert_eq!(retired.iter().map(|retired| retired.index).collect::<Vec<_>>(), [0, 1]);
    assert!(retired.iter().all(|retired| retired.recycled.is_none()));
    schedule.dismiss(0, now);
    assert_eq!((schedule.take_overdue(now).count(), schedule.handles().count()), (0, 2));
    assert_eq!(schedule.take_overdue(now + Duration::from_secs(6)).count(), 1, "its grace is over");
    assert_eq!(schedule.take_overdue(now + Duration::from_secs(7)).count(), 0, "it has been killed");
}

#[test]
fn as_many_workers_are_started_as_are_missing_or_have_something_to_do() {
    let (caller, now) = (Arc::default(), Instant::now());
    let mut schedule = schedule(PoolBuilder::new().workers(1..=4));
    assert_eq!(schedule.due_starts(now), 1);
    assert_eq!((schedule.begin_start(), schedule.due_starts(now)), (Some((0, 1)), 0));
    schedule.enqueue(piece(&caller, 0, 3, 1, false));
    assert!(schedule.can_grow());
    assert_eq!(schedule.due_starts(now), 2, "one item is for the worker that is starting");
    schedule.end_start(0);
    schedule.seat(0, worker(0));
    assert_eq!(schedule.due_starts(now), 0, "a worker is idle");
    assert_eq!(schedule.begin_start(), Some((1, 1)));
}

#[test]
fn a_seat_counts_the_workers_that_it_has_had() {
    let mut schedule = schedule(PoolBuilder::new().workers(1));
    assert_eq!(schedule.begin_start(), Some((0, 1)));
    assert_eq!(schedule.begin_start(), None);
    schedule.end_start(0);
    assert_eq!(schedule.begin_start(), Some((0, 2)));
}

#[test]
fn a_start_that_has_failed_is_tried_again_later_and_not_for_ever() {
    let builder = PoolBuilder::new().workers(1).intensity(2, Duration::from_secs(10));
    let (mut schedule, now) = (schedule(builder), Instant::now());
    for (failures, millis) in [(1, 20), (2, 40)] {
        assert_eq!(schedule.note_failure(now), None, "{failures}");
        let again = now + Duration::from_millis(millis);
        assert_eq!(schedule.due_starts(now), 0);
        assert!(!schedule.can_grow() && schedule.next_moment(now).unwrap() <= again);
        assert_eq!(schedule.due_starts(again), 1);
    }
    assert_eq!(schedule.note_failure(now + Duration::from_secs(10)), None, "those before are out of date");
    assert_eq!(schedule.note_failure(now + Duration::from_secs(10)), None);
    assert_eq!(schedule.note_failure(now + Duration::from_secs(10)), Some(3));
}

#[test]
fn an_end_becomes_only_harder() {
    let mut schedule = schedule(PoolBuilder::new().workers(1));
    assert!(schedule.refusal().is_none());
    assert!(schedule.begin_end(Stop::Drain) && !schedule.begin_end(Stop::Drain));
    assert!(matches!(schedule.refusal(), Some(Outcome::Closed)) && !schedule.is_cut_off());
    assert!(schedule.begin_end(Stop::CancelPending) && !schedule.begin_end(Stop::Drain));
    assert!(schedule.is_cut_off() && schedule.begin_end(Stop::Kill));
}

#[test]
fn a_pool_that_ends_starts_only_workers_that_have_something_to_do() {
    let (caller, now) = (Arc::default(), Instant::now());
    let mut schedule = schedule(PoolBuilder::new().workers(2));
    schedule.begin_end(Stop::Drain);
    assert_eq!(schedule.due_starts(now), 0);
    schedule.enqueue(piece(&caller, 0, 1, 1, false));
    assert_eq!(schedule.due_starts(now), 1);
    schedule.begin_end(Stop::Kill);
    assert_eq!(schedule.due_starts(now), 0);
}

#[test]
fn a_pool_breaks_once_and_is_killed_once() {
    let (mut schedule, now) = (schedule(PoolBuilder::new().workers(1)), Instant::now());
    let error = || PoolError::Open { pool: "pool".to_owned() };
    assert!(schedule.break_down(error(), now) && !schedule.break_down(error(), now));
    assert!(matches!(schedule.refusal(), Some(Outcome::Broken(_))));
    assert!(schedule.take_kill(now) && !schedule.take_kill(now));
}

#[test]
fn a_crash_is_counted_unless_the_worker_was_to_end() {
    let mut out = Deliveries::default();
    let mut schedule = staffed(PoolBuilder::new().workers(2), 2);
    let reason = || ExitReason::Broken("it died".to_owned());
    let vacated = schedule.vacate(0, &reason(), &mut out).unwrap();
    assert_eq!((vacated.is_crash, vacated.reason), (true, reason()));
    assert!(schedule.vacate(0, &reason(), &mut out).is_none(), "its seat is free");
    schedule.resize(0, 0);
    assert!(!schedule.vacate(1, &reason(), &mut out).unwrap().is_crash);
    let crashes: Vec<_> = schedule.records().map(|(index, record, _)| (index, record.crashes)).collect();
    assert_eq!(crashes, [(0, 1), (1, 0)]);
}
