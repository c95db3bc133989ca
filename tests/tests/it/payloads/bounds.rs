//! How much a value may be: what is deeper, longer or emptier than that costs its own call and nothing else,
//! in either direction.

use std::thread;

use phalanx::pool::{self, TaskError};
use phalanx::prelude::*;
use phalanx::{Pool, PutError, Queue, Store, StoreError};
use phalanx_tests::alone;
use serde::{Deserialize, Serialize};

/// Of any depth: each is a level, and the option in it is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chain {
    number: u64,
    next: Option<Box<Chain>>,
}

impl Chain {
    /// Of so many levels.
    fn of(levels: u32) -> Chain {
        let end = Chain { number: 0, next: None };
        (1..levels).fold(end, |next, number| Chain { number: number.into(), next: Some(Box::new(next)) })
    }

    fn levels(&self) -> u32 {
        let (mut levels, mut next) = (1, &self.next);
        while let Some(chain) = next {
            (levels, next) = (levels + 1, &chain.next);
        }
        levels
    }

    /// Takes it apart, and not by recursion.
    fn unlink(mut self) -> u32 {
        let mut levels = 1;
        while let Some(next) = self.next.take() {
            (levels, self) = (levels + 1, *next);
        }
        levels
    }
}

#[actor]
struct Deep {
    kept: Chain,
}

#[actor]
impl Deep {
    fn make(&self, levels: u32) -> Chain {
        Chain::of(levels)
    }

    fn fail(&self, levels: u32) -> Result<(), Chain> {
        Err(Chain::of(levels))
    }

    fn levels(&self, chain: Chain) -> u32 {
        chain.unlink()
    }

    fn echo(&self, chain: Chain) -> Chain {
        chain
    }

    fn kept(&self) -> u32 {
        self.kept.levels()
    }

    fn nothings(&self, count: u64) -> Vec<()> {
        vec![(); count as usize]
    }

    fn count(&self, nothings: Vec<()>) -> u64 {
        nothings.len() as u64
    }

    #[tell]
    fn forget(&self, _chain: Chain) {}
}

fn deep() -> Deep {
    Deep { kept: Chain::of(1) }
}

/// Runs on a thread with so many KiB of stack.
fn with_stack<T: Send + 'static>(kib: usize, body: impl FnOnce() -> T + Send + 'static) -> T {
    let small = thread::Builder::new().stack_size(kib * 1024);
    small.spawn(body).unwrap().join().unwrap()
}

#[track_caller]
fn is_too_deep<T: std::fmt::Debug>(outcome: Result<T, CallError>, found: &str) {
    let error = outcome.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, CallError::Codec(..)), "{said}");
    assert!(said.contains(found) && said.contains("may be 128 (option `depth`)"), "{said}");
}

/// Two bytes for each level are few; the stack that it takes to read them is large.
#[test]
fn an_answer_that_is_too_deep_costs_its_call_on_any_stack() {
    alone(|| {
        let deep = deep().spawn().unwrap();
        for kib in [64, 256, 2048] {
            let deep = deep.clone();
            with_stack(kib, move || {
                for levels in [129, 20_000, 60_000] {
                    let found = format!("it is {levels} levels deep");
                    is_too_deep(deep.make(levels).wait().map(Chain::unlink), &found);
                }
                let error = deep.fail(20_000).wait().map_err(|error| match error {
                    CallError::App(chain) => panic!("{} levels", chain.unlink()),
                    CallError::Codec(error, _) => error,
                    other => panic!("{other:?}"),
                });
                assert!(error.unwrap_err().contains("20000 levels"));
                assert_eq!(deep.make(128).wait().unwrap().levels(), 128);
            });
        }
        assert!(deep.is_alive());
    });
}

#[test]
fn an_argument_that_is_too_deep_is_refused_where_it_is_sent_and_dropped_on_any_stack() {
    alone(|| {
        let deep = deep().spawn().unwrap();
        for kib in [64, 256] {
            let deep = deep.clone();
            with_stack(kib, move || {
                // The tuple of the arguments is a level.
                is_too_deep(deep.levels(Chain::of(50_000)).wait(), "it is 50001 levels deep");
                let SendError::Codec(said, _) = deep.forget(Chain::of(50_000)).unwrap_err() else {
                    panic!("it was sent")
                };
                assert!(said.contains("50001 levels"), "{said}");
                assert_eq!(deep.levels(Chain::of(127)).wait(), Ok(127));
                assert_eq!(deep.echo(Chain::of(120)).wait(), Ok(Chain::of(120)));
            });
        }
        // What is not sent is given back, as deep as it is.
        let refused = deep.try_levels(Chain::of(1000)).unwrap_err();
        assert!(matches!(refused.error, SendError::Codec(..)), "{}", refused.error);
        assert_eq!(refused.args.0.unlink(), 1000);
    });
}

#[test]
fn tasks_and_what_is_made_of_them_refuse_what_is_too_deep() {
    alone(|| {
        let task = Process::spawn(Chain::of, 20_000).unwrap();
        is_too_deep(task.join().map(Chain::unlink), "20000 levels");
        let refused = Process::spawn(|chain: Chain| chain.unlink(), Chain::of(20_000));
        assert!(matches!(&refused, Err(SpawnError::Codec { error, .. }) if error.contains("20000 levels")));

        let pool = Pool::builder().workers(1).build().unwrap();
        let error = pool.run(Chain::of, 20_000).map(Chain::unlink).unwrap_err().to_string();
        assert!(error.contains("20000 levels"), "{error}");
        let error = pool.run(|chain: Chain| chain.unlink(), Chain::of(20_000)).unwrap_err().to_string();
        assert!(error.contains("20000 levels"), "{error}");
        assert_eq!(pool.run(Chain::of, 128).unwrap().levels(), 128);
        assert_eq!(pool.run(|chain: Chain| chain.unlink(), Chain::of(128)), Ok(128));

        let queue = Queue::<Chain>::bounded(8).unwrap();
        let error = queue.put(Chain::of(20_000)).unwrap_err();
        assert!(error.to_string().contains("20000 levels"), "{error}");
        queue.put(Chain::of(100)).unwrap();
        assert_eq!(queue.get().unwrap().levels(), 100);

        let store = Store::start().unwrap();
        let map = store.map::<u32, Chain>().unwrap();
        let error = map.insert(1, Chain::of(20_000)).unwrap_err();
        assert!(error.to_string().contains("levels deep"), "{error}");
        map.insert(1, Chain::of(100)).unwrap();
        assert_eq!(map.get(&1).unwrap().unwrap().levels(), 100);
    });
}

#[actor(depth = 50_000, mailbox = 16)]
struct Deeper;

#[actor]
impl Deeper {
    /// Drops what it is given, by recursion.
    fn levels(&self, chain: Chain) -> u32 {
        chain.levels()
    }

    fn make(&self, levels: u32) -> Chain {
        Chain::of(levels)
    }
}

#[test]
fn with_the_option_an_actor_takes_and_gives_what_is_deeper() {
    alone(|| {
        let deeper = Deeper.spawn().unwrap();
        let built = deep().builder().depth(1000).spawn().unwrap();
        with_stack(256, move || {
            assert_eq!(deeper.levels(Chain::of(49_999)).wait(), Ok(49_999));
            assert_eq!(deeper.make(50_000).wait().map(Chain::unlink), Ok(50_000));
            let said = deeper.make(50_001).wait().map(Chain::unlink).unwrap_err().to_string();
            assert!(said.contains("50001 levels deep, and may be 50000"), "{said}");
            assert_eq!(built.make(1000).wait().map(Chain::unlink), Ok(1000));
            assert!(matches!(built.make(1001).wait().map(Chain::unlink), Err(CallError::Codec(..))));
            // The actor around it is a level, too.
            let kept = Deep { kept: Chain::of(999) }.builder().depth(1000).spawn().unwrap();
            assert_eq!(kept.kept().wait(), Ok(999));
        });
        let refused = Deep { kept: Chain::of(1000) }.spawn().map(drop);
        assert!(matches!(&refused, Err(SpawnError::Codec { error, .. }) if error.contains("1001 levels")));
        for levels in [0, 100_001] {
            let refused = deep().builder().depth(levels).spawn().map(drop);
            assert!(matches!(refused, Err(SpawnError::Option { .. })), "{refused:?}");
        }
        let task = Process::builder(Chain::of, 1000).depth(1000).spawn().unwrap();
        assert_eq!(task.join().map(Chain::unlink), Ok(1000));
    });
}

#[test]
fn with_the_option_a_pool_takes_and_gives_what_is_deeper() {
    alone(|| {
        for builder in [Pool::builder(), Pool::builder().in_process()] {
            let deepest = |chain: Chain| pool::state(|kept: &mut Chain| chain.levels().max(kept.levels()));
            let pool =
                builder.workers(1).depth(5_000).init(|kept: Chain| kept, Chain::of(4_000)).build().unwrap();
            with_stack(256, move || {
                assert_eq!(pool.run(deepest, Chain::of(5_000)), Ok(5_000));
                assert_eq!(pool.run(Chain::of, 5_000).map(Chain::unlink), Ok(5_000));
                assert_eq!(pool.try_submit(deepest, Chain::of(5_000)).unwrap().wait(), Ok(5_000));
                let made = pool.stream(Chain::of, [5_000, 5_001]).map(|made| made.map(Chain::unlink));
                let made: Vec<_> = made.collect();
                assert_eq!(made[0], Ok(5_000));
                let wide = [
                    pool.run(deepest, Chain::of(5_001)),
                    pool.try_submit(deepest, Chain::of(5_001)).unwrap().wait(),
                ];
                for refused in wide.iter().chain(&made[1..]) {
                    assert!(matches!(refused, Err(TaskError::Codec(..))), "{refused:?}");
                    let said = refused.as_ref().unwrap_err().to_string();
                    assert!(said.contains("5001 levels deep, and may be 5000"), "{said}");
                }
            });
        }
        let refused = Pool::builder().init(|kept: Chain| kept, Chain::of(129)).build().map(drop);
        assert!(matches!(&refused, Err(SpawnError::Codec { error, .. }) if error.contains("129 levels")));
        for levels in [0, 100_001] {
            let refused = Pool::builder().depth(levels).build().map(drop);
            assert!(matches!(refused, Err(SpawnError::Option { .. })), "{refused:?}");
        }
    });
}

#[test]
fn with_the_option_a_queue_takes_and_gives_what_is_deeper() {
    alone(|| {
        let queue = Queue::<Chain>::builder().depth(5_000).spawn().unwrap();
        let copy = queue.clone();
        with_stack(256, move || {
            queue.put(Chain::of(5_000)).unwrap();
            queue.put_all([Chain::of(4_999), Chain::of(4_998)]).unwrap();
            assert_eq!(queue.get().unwrap().unlink(), 5_000);
            assert_eq!(queue.lease().unwrap().ack().unwrap().unlink(), 4_999);
            assert_eq!(queue.get_up_to(8).unwrap().pop().map(Chain::unlink), Some(4_998));
            let PutError::Codec(item, said) = queue.put(Chain::of(5_001)).unwrap_err() else {
                panic!("it was put")
            };
            assert!(said.contains("5001 levels deep, and may be 5000"), "{said}");
            assert_eq!(item.unlink(), 5_001);
        });
        // The bound travels with the handle.
        let there = Process::spawn(|queue: Queue<Chain>| queue.put(Chain::of(5_000)).is_ok(), copy.clone());
        assert_eq!(there.unwrap().join(), Ok(true));
        assert_eq!(copy.get().unwrap().unlink(), 5_000);
        let refused = Queue::<Chain>::builder().depth(0).spawn().map(drop);
        assert!(matches!(refused, Err(SpawnError::Option { .. })), "{refused:?}");
    });
}

#[test]
fn with_the_option_a_store_takes_and_gives_what_is_deeper() {
    alone(|| {
        let store = Store::builder().depth(5_002).start().unwrap();
        let map = store.map::<u32, Chain>().unwrap();
        with_stack(256, move || {
            map.insert(1, Chain::of(5_000)).unwrap();
            assert_eq!(map.get(&1).unwrap().map(Chain::unlink), Some(5_000));
            let refused = map.insert(2, Chain::of(5_003)).map(drop).unwrap_err();
            assert!(matches!(refused, StoreError::Call(CallError::Codec(..))), "{refused}");
        });
        let refused = Store::builder().depth(100_001).start().map(drop);
        assert!(matches!(refused, Err(SpawnError::Option { .. })), "{refused:?}");
    });
}

/// They take no bytes, and so many of them take for ever.
#[test]
fn items_without_bytes_are_counted() {
    alone(|| {
        let deep = deep().spawn().unwrap();
        assert_eq!(deep.nothings(1 << 20).wait().map(|all| all.len()), Ok(1 << 20));
        assert_eq!(deep.count(vec![(); 1 << 20]).wait(), Ok(1 << 20));
        let said = deep.nothings(1 << 40).wait().unwrap_err();
        assert!(matches!(said, CallError::Codec(..)), "{said}");
        assert!(said.to_string().contains("more than 1048576 items"), "{said}");
        let said = deep.count(vec![(); 1 << 40]).wait().unwrap_err();
        assert!(said.to_string().contains("more than 1048576 items"), "{said}");
    });
}
