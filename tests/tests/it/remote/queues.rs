//! Queues of other hosts.

use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::remote::{Manager, RemoteError};
use phalanx::{
    Blob, Executed, GetError, GetTimeoutError, PutError, Queue, QueueError, TryGetError, TryPutError, remote,
};
use phalanx_tests::recorder::{Recorder, Value, secret};
use phalanx_tests::{Latch, Program, alone, eventually, processes};
use serde::{Deserialize, Serialize};

use super::cutter::Cutter;
use super::{AT_ONCE, LINK_TIMEOUT, connect, quick};

/// A queue, served as `jobs`.
fn serve<T: phalanx::Portable>(capacity: usize) -> (Manager, Queue<T>) {
    let queue = Queue::bounded(capacity).unwrap();
    let manager = quick().serve("127.0.0.1:0", &secret()).unwrap();
    manager.queue("jobs", &queue).unwrap();
    (manager, queue)
}

fn scenario(name: &str, arguments: &[&str]) -> Program {
    let arguments = [name].into_iter().chain(arguments.iter().copied());
    Program::new(env!("CARGO_BIN_EXE_scenario")).args(arguments.collect::<Vec<_>>())
}

fn values() -> Vec<Value> {
    vec![
        Value::Text("text".to_owned()),
        Value::None,
        Value::Bool(true),
        Value::Float(-0.5),
        Value::Bytes(vec![0, 255, 10, 13]),
    ]
}

/// The values of Python's `test_remote`.
#[test]
fn values_of_all_kinds_come_out_as_they_went_in() {
    alone(|| {
        let (manager, local) = serve::<Value>(10);
        let echoes = Queue::<Value>::bounded(10).unwrap();
        manager.queue("echoes", &echoes).unwrap();
        let address = manager.addr().to_string();
        // Another program, which puts into the one what it gets from the other.
        let echo = scenario("remote-echo", &[&address]).start();
        for value in values() {
            local.put(value.clone()).unwrap();
            assert_eq!(echoes.get_timeout(LINK_TIMEOUT), Ok(value));
        }
        local.close().unwrap();
        assert_eq!(echo.line(), "cannot be encoded, and the link works on");
        assert_eq!(echo.finish(), 0);
        assert_eq!(echoes.get_timeout(LINK_TIMEOUT), Ok(Value::Bool(false)));
    });
}

#[derive(Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[test]
fn items_are_as_deep_as_queue_and_client_allow() {
    alone(|| {
        let nest = |levels: u32| (1..levels).fold(Nest(vec![]), |inner, _| Nest(vec![inner]));
        let local = Queue::<Nest>::builder().depth(1_000).spawn().unwrap();
        let manager = quick().serve("127.0.0.1:0", &secret()).unwrap();
        manager.queue("nests", &local).unwrap();
        let far = quick().depth(1_000).connect(manager.addr(), &secret()).unwrap();
        let far = far.queue::<Nest>("nests").unwrap();
        far.put(nest(1_000)).unwrap();
        assert!(local.get().is_ok());
        local.put(nest(1_000)).unwrap();
        assert!(far.get_timeout(LINK_TIMEOUT).is_ok());
        let shallow = connect(&manager).queue::<Nest>("nests").unwrap();
        assert!(matches!(shallow.put(nest(129)), Err(PutError::Codec(..))));
        local.put(nest(129)).unwrap();
        assert!(matches!(shallow.get_timeout(LINK_TIMEOUT), Err(GetTimeoutError::Codec(_))));
    });
}

#[test]
fn a_remote_queue_is_used_like_any_other() {
    alone(|| {
        let (manager, local) = serve::<u64>(3);
        let far = connect(&manager).queue::<u64>("jobs").unwrap();
        assert_eq!(far.capacity(), Some(3));
        assert_eq!(far.try_get(), Err(TryGetError::Empty));
        let start = Instant::now();
        assert_eq!(far.get_timeout(Duration::from_millis(200)), Err(GetTimeoutError::Timeout));
        assert!(start.elapsed() >= Duration::from_millis(200));
        far.put(1).unwrap();
        local.put(2).unwrap();
        far.try_put(3).unwrap();
        assert_eq!(far.try_put(4), Err(TryPutError::Full(4)));
        assert_eq!((far.len(), far.is_full()), (Ok(3), Ok(true)));

        // A put that waits for room, and a get beside it on the same connection.
        let putting = thread::spawn({
            let far = far.clone();
            move || far.put(4)
        });
        assert_eq!(far.get(), Ok(1));
        putting.join().unwrap().unwrap();
        assert_eq!(far.get_up_to(10), Ok(vec![2, 3, 4]));

        // A get that waits for an item does not keep others of the same connection from putting it.
        let getting = thread::spawn({
            let far = far.clone();
            move || far.get()
        });
        far.put(5).unwrap();
        assert_eq!(getting.join().unwrap(), Ok(5));

        far.put(6).unwrap();
        local.close().unwrap();
        assert_eq!(far.put(7), Err(PutError::Closed(7)));
        assert_eq!(far.get(), Ok(6));
        assert_eq!(far.get(), Err(GetError::Closed));
    });
}

#[test]
fn items_of_all_sizes_travel() {
    alone(|| {
        let (manager, local) = serve::<(u64, Vec<u8>)>(100);
        let far = connect(&manager).queue::<(u64, Vec<u8>)>("jobs").unwrap();
        let bytes = |size: usize| (0..size).map(|at| at as u8).collect::<Vec<_>>();
        let sizes = [0, 10, 8 * 1024, 8 * 1024 + 1, 100_000, 300_000];
        far.put_all(sizes.iter().map(|&size| (size as u64, bytes(size)))).unwrap();
        for size in sizes {
            let (tag, item) = local.get().unwrap();
            assert!(tag == size as u64 && item == bytes(size), "{size} there");
            local.put((tag, item)).unwrap();
        }
        for size in sizes {
            let lease = far.lease().unwrap();
            assert!(lease.0 == size as u64 && lease.1 == bytes(size), "{size} and back");
            lease.ack().unwrap();
        }
        local.join().unwrap();
    });
}

#[test]
fn an_item_with_a_descriptor_in_it_stays_where_it_is() {
    alone(|| {
        let (manager, local) = serve::<Blob>(10);
        let far = connect(&manager).queue::<Blob>("jobs").unwrap();
        // A small one has none.
        far.put(Blob::from(vec![1; 100])).unwrap();
        assert_eq!(local.get().unwrap().len(), 100);
        let large = Blob::from(vec![2; 100_000]);
        let refused = far.put(large.clone()).unwrap_err();
        assert!(matches!(refused, PutError::Failed(_, QueueError::Codec(_))), "{refused:?}");
        local.put(large).unwrap();
        let refused = far.get().unwrap_err();
        assert!(matches!(refused, GetError::Failed(QueueError::Codec(_))), "{refused:?}");
        assert_eq!(local.get().unwrap().len(), 100_000);
        assert_eq!(far.len(), Ok(0));
    });
}

#[test]
fn an_item_that_is_too_large_for_the_link_stays_where_it_is() {
    alone(|| {
        let queue = Queue::<Vec<u8>>::bounded(10).unwrap();
        let manager = quick().message(100_000).serve("127.0.0.1:0", &secret()).unwrap();
        manager.queue("jobs", &queue).unwrap();
        let node = quick().message(100_000).connect(manager.addr(), &secret()).unwrap();
        let far = node.queue::<Vec<u8>>("jobs").unwrap();
        let refused = far.put(vec![1; 200_000]).unwrap_err();
        assert!(refused.to_string().contains("100000"), "{refused}");
        assert_eq!(refused.into_inner().len(), 200_000);
        queue.put(vec![2; 200_000]).unwrap();
        queue.put(vec![3; 10]).unwrap();
        let refused = far.get().unwrap_err();
        assert!(refused.to_string().contains("100000"), "{refused}");
        assert_eq!(queue.get().unwrap().len(), 200_000);
        assert_eq!(far.get(), Ok(vec![3; 10]));
    });
}

#[test]
fn a_worker_host_that_dies_gives_its_leases_back() {
    alone(|| {
        let (manager, local) = serve::<u64>(10);
        local.put_all([1, 2, 3]).unwrap();
        let address = manager.addr().to_string();
        let mut worker = scenario("remote-holder", &[&address]).start();
        assert_eq!(worker.line(), "1");
        assert_eq!(local.len(), Ok(2));
        worker.kill();
        let lease = local.lease_timeout(LINK_TIMEOUT).unwrap();
        // The first one in line again, unless it was faster than the news.
        let lease = if *lease == 1 {
            lease
        } else {
            eventually("the item to come back", LINK_TIMEOUT, || local.len() == Ok(2));
            local.lease_timeout(LINK_TIMEOUT).unwrap()
        };
        assert_eq!((*lease, lease.deliveries()), (1, 2));
        lease.ack().unwrap();
        assert_eq!(worker.finish(), -9);
    });
}

/// Holds an item until it is killed.
#[task]
fn hold(jobs: Queue<u64>, latch: Latch) {
    let lease = jobs.lease().expect("an item");
    assert_eq!(*lease, 1);
    latch.mark("leased");
    latch.pass();
}

/// The host lives, and so does the link, but not the process that has leased.
#[test]
fn a_process_of_a_worker_host_that_dies_gives_its_leases_back() {
    alone(|| {
        let (manager, local) = serve::<u64>(10);
        let far = connect(&manager).queue::<u64>("jobs").unwrap();
        local.put_all([1, 2]).unwrap();
        let latch = Latch::new("latch");
        let holder = hold::spawn(far.clone(), latch.clone()).unwrap();
        latch.await_mark("leased");
        let own = far.lease().unwrap();
        assert_eq!(*own, 2);
        holder.kill().unwrap();
        let again = far.lease_timeout(LINK_TIMEOUT).unwrap();
        assert_eq!((*again, again.deliveries()), (1, 2));
        again.ack().unwrap();
        own.ack().unwrap();
        local.join().unwrap();
    });
}

#[test]
fn a_lost_link_gives_leases_back_and_new_ones_can_be_had() {
    alone(|| {
        let (manager, local) = serve::<u64>(10);
        let cutter = Cutter::to(manager.addr());
        let far = remote::connect(cutter.addr(), &secret()).unwrap().queue::<u64>("jobs").unwrap();
        local.put(1).unwrap();
        let lost = far.lease().unwrap();
        cutter.cut();
        let lease = local.lease_timeout(LINK_TIMEOUT).unwrap();
        assert_eq!((*lease, lease.deliveries()), (1, 2));
        let refused = far.try_get().unwrap_err();
        let TryGetError::Failed(QueueError::Disconnected { executed: Executed::No, .. }) = refused else {
            panic!("{refused:?}");
        };
        cutter.mend();
        eventually("a link", LINK_TIMEOUT, || far.len().is_ok());
        // What was lost cannot be acknowledged any more: another consumer has it.
        let _ = lost.ack();
        drop(lease);
        let again = far.lease_timeout(LINK_TIMEOUT).unwrap();
        assert_eq!((*again, again.deliveries()), (1, 3));
        again.ack().unwrap();
        local.join().unwrap();
    });
}

/// A consumer behind a link that is lost does not get what comes later: it would be lost.
#[test]
fn a_get_whose_link_is_lost_takes_nothing() {
    alone(|| {
        let (manager, local) = serve::<u64>(10);
        let cutter = Cutter::to(manager.addr());
        let far = remote::connect(cutter.addr(), &secret()).unwrap().queue::<u64>("jobs").unwrap();
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let far = far.clone();
                thread::spawn(move || far.get())
            })
            .collect();
        // They have come to the queue when one of them gets something.
        eventually("somebody to get it", LINK_TIMEOUT, || {
            local.put(0).unwrap();
            waiting.iter().any(|thread| thread.is_finished())
        });
        cutter.cut();
        let outcomes: Vec<_> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
        let lost = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        for outcome in outcomes.iter().filter(|outcome| outcome.is_err()) {
            let lost = matches!(outcome, Err(GetError::Failed(QueueError::Disconnected { .. })));
            assert!(lost, "{outcome:?}");
        }
        assert!(lost < 5);
        eventually("the manager to know", LINK_TIMEOUT, || manager.clients() == Ok(0));
        while local.try_get().is_ok() {}
        local.put_all([1, 2, 3]).unwrap();
        assert_eq!(local.get_up_to(10), Ok(vec![1, 2, 3]));
    });
}

#[test]
fn a_manager_that_dies_ends_the_gets_that_wait() {
    alone(|| {
        let mut program = scenario("remote-manager", &[]).start();
        let address = program.line();
        let node = remote::connect(&address, &secret()).unwrap();
        let far = node.queue::<u64>("jobs").unwrap();
        far.put(1).unwrap();
        assert_eq!(far.get(), Ok(1));
        let waiting = thread::spawn(move || (far.get(), Instant::now()));
        let recorder = node.actor::<Recorder>("recorder").unwrap();
        recorder.note(1).wait().unwrap();
        let start = Instant::now();
        program.kill();
        let (outcome, end) = waiting.join().unwrap();
        assert!(matches!(outcome, Err(GetError::Failed(QueueError::Disconnected { .. }))), "{outcome:?}");
        assert!(end.duration_since(start) < AT_ONCE);
        assert_eq!(program.finish(), -9);
    });
}

#[test]
fn items_of_another_type_are_refused_before_the_first_one() {
    alone(|| {
        let (manager, local) = serve::<u64>(10);
        let node = connect(&manager);
        let refused = node.queue::<String>("jobs").unwrap_err();
        assert_eq!(refused.to_string(), "`jobs` is a Queue<u64>, not a Queue<String>");
        assert!(matches!(node.actor::<Recorder>("jobs"), Err(RemoteError::OtherType { .. })));
        assert!(matches!(node.queue::<u64>("job"), Err(RemoteError::UnknownName { .. })));
        local.stop();
        let far = connect(&manager).queue::<u64>("jobs");
        assert!(far.is_err(), "{:?}", far.map(|queue| queue.len()));
    });
}

/// Three hosts and one that dies: each job is done, by one of them.
#[test]
fn every_job_is_done_although_a_worker_host_is_killed() {
    alone(|| {
        let (manager, jobs) = serve::<u64>(100);
        let results = Queue::<(u64, u64)>::bounded(1000).unwrap();
        manager.queue("results", &results).unwrap();
        let address = manager.addr().to_string();
        jobs.put_all(1..=100).unwrap();
        let victim = scenario("remote-squarer", &[&address]).start();
        let others = [(); 2].map(|()| scenario("remote-squarer", &[&address]).start());
        // It is at work.
        assert_eq!(victim.line(), "working");
        processes::kill(victim.pid());
        jobs.close().unwrap();
        jobs.join().unwrap();
        for other in others {
            assert_eq!(other.finish(), 0);
        }
        assert_eq!(victim.finish(), -9);
        let mut squares = std::collections::BTreeMap::new();
        while let Ok((job, square)) = results.try_get() {
            squares.insert(job, square);
        }
        assert_eq!(squares, (1..=100).map(|job| (job, job * job)).collect());
    });
}

/// Consumers that wait for items do not hold it up, and are told.
#[test]
fn a_shutdown_ends_the_gets_that_wait() {
    alone(|| {
        let (manager, local) = serve::<u64>(10);
        let far = connect(&manager).queue::<u64>("jobs").unwrap();
        let waiting = thread::spawn({
            let far = far.clone();
            move || far.get()
        });
        far.put(1).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(1));
        let waiting = thread::spawn(move || far.get());
        manager.stop(LINK_TIMEOUT).unwrap();
        let outcome = waiting.join().unwrap();
        assert!(matches!(outcome, Err(GetError::Failed(QueueError::Disconnected { .. }))), "{outcome:?}");
        local.put(2).unwrap();
        assert_eq!(local.get(), Ok(2));
    });
}
