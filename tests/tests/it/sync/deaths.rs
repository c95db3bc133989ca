//! Holders, waiters and servers that die.

use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{
    ExitReason, Restart,
    store::Counter,
    sync::{Lock, LockError, SyncError},
};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, handled, processes, until_handled};
use serde::{Deserialize, Serialize};

use super::{GRANT, MOMENT, REQUEST, counter, for_ever, killed, until};

#[task]
fn hold(lock: Lock<Vec<u32>>, held: Counter) {
    let mut guard = lock.lock().unwrap();
    guard.push(1);
    guard.commit().unwrap();
    guard.push(2);
    held.add(1).unwrap();
    for_ever();
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    poisoned: Option<(u32, ExitReason)>,
    value: Vec<u32>,
}

fn told(lock: &Lock<Vec<u32>>) -> Told {
    match lock.lock() {
        Ok(guard) => Told { poisoned: None, value: guard.clone() },
        Err(LockError::Poisoned(poisoned)) => {
            Told { poisoned: Some((poisoned.by.pid, poisoned.reason.clone())), value: poisoned.guard.clone() }
        }
        Err(other) => panic!("{other}"),
    }
}

#[task]
fn wait_and_tell(lock: Lock<Vec<u32>>) -> Told {
    told(&lock)
}

#[test]
fn the_next_one_is_told_within_a_second_of_the_death_of_the_holder_and_has_what_was_committed() {
    alone(|| {
        for _ in 0..5 {
            let (lock, held) = (Lock::new(Vec::new()).unwrap(), counter());
            let holder = hold::spawn(lock.clone(), held.clone()).unwrap();
            until(&held, 1);
            let waiting: Vec<_> = (0..3).map(|_| wait_and_tell::spawn(lock.clone()).unwrap()).collect();
            // The holder has committed once.
            until_handled(&lock.server(), GRANT + 1 + 3 * REQUEST);
            let start = Instant::now();
            holder.kill().unwrap();
            let all: Vec<Told> = waiting.iter().map(|process| process.join().unwrap()).collect();
            assert!(start.elapsed() < Duration::from_secs(1) || phalanx_tests::machine_is_busy());
            assert!(all.iter().all(|told| told.value == [1]), "{all:?}");
            let poisoned: Vec<_> = all.into_iter().filter_map(|told| told.poisoned).collect();
            assert_eq!(poisoned, [(holder.pid(), killed())]);
            assert_eq!(told(&lock).poisoned, None);
        }
    });
}

#[test]
fn a_holder_that_exits_with_the_lock_has_died_with_it() {
    alone(|| {
        let lock = Lock::new(vec![7]).unwrap();
        let exits = Process::spawn(
            |lock: Lock<Vec<u32>>| {
                let mut guard = lock.lock().unwrap();
                guard.push(8);
                std::process::exit(0)
            },
            lock.clone(),
        );
        let exits: Process<()> = exits.unwrap();
        exits.join().unwrap_err();
        assert_eq!(
            told(&lock),
            Told { poisoned: Some((exits.pid(), ExitReason::Exited(0))), value: vec![7] }
        );
    });
}

#[test]
fn a_waiter_that_dies_leaves_nothing_behind() {
    alone(|| {
        let lock = Lock::new(vec![]).unwrap();
        let guard = lock.lock().unwrap();
        let waiting: Vec<_> = (0..3).map(|_| wait_and_tell::spawn(lock.clone()).unwrap()).collect();
        until_handled(&lock.server(), GRANT + 3 * REQUEST);
        waiting[0].kill().unwrap();
        waiting[1].kill().unwrap();
        drop(guard); // at the same time
        assert_eq!(waiting[2].join().unwrap(), Told { poisoned: None, value: vec![] });
        assert_eq!(told(&lock).poisoned, None);
    });
}

#[task]
fn lock_for_ever(lock: Lock<u64>, rounds: Counter) {
    loop {
        *lock.lock().or_else(LockError::into_guard).unwrap() += 1;
        rounds.add(1).unwrap();
    }
}

/// Killed wherever they are: before the request, in the queue, between grant and receipt, while they hold it,
/// while they give it back.
#[test]
fn no_death_at_any_moment_keeps_the_lock() {
    alone(|| {
        let (lock, rounds) = (Lock::new(0).unwrap(), counter());
        let mut users: Vec<_> =
            (0..3).map(|_| lock_for_ever::spawn(lock.clone(), rounds.clone()).unwrap()).collect();
        for round in 0..60 {
            let before = rounds.get().unwrap();
            eventually("somebody gets it", EVENT_TIMEOUT, || rounds.get().unwrap() > before + round % 4);
            let victim = users.remove(0);
            victim.kill().unwrap();
            users.push(lock_for_ever::spawn(lock.clone(), rounds.clone()).unwrap());
        }
        users.iter().for_each(|user| user.kill().unwrap());
        users.iter().for_each(|user| drop(user.join()));
        let value = *lock.lock_timeout(EVENT_TIMEOUT).or_else(LockError::into_guard).unwrap();
        // Each was counted after its change was committed; a death in between costs one.
        let counted = rounds.get().unwrap() as u64;
        assert!((counted..=counted + 63).contains(&value), "{value} {counted}");
        assert!(lock.try_lock().is_ok());
    });
}

#[test]
fn a_waiter_that_sleeps_over_its_limit_is_not_waited_for() {
    alone(|| {
        let lock = Lock::new(vec![]).unwrap();
        let guard = lock.lock().unwrap();
        let sleeper =
            Process::spawn(|lock: Lock<Vec<u32>>| lock.lock_timeout(MOMENT * 5).is_err(), lock.clone());
        let sleeper = sleeper.unwrap();
        eventually("it waits, or is late already", EVENT_TIMEOUT, || {
            handled(&lock.server()) >= GRANT + REQUEST || !sleeper.is_alive()
        });
        processes::signal("STOP", i64::from(sleeper.pid()));
        // Longer than its limit, which must pass while it is stopped.
        std::thread::sleep(MOMENT * 6);
        drop(guard);
        // Its time is over, so it does not get the lock, although it cannot say so.
        assert!(lock.lock_timeout(EVENT_TIMEOUT).is_ok());
        processes::signal("CONT", i64::from(sleeper.pid()));
        assert_eq!(sleeper.join(), Ok(true));
    });
}

#[test]
fn the_death_of_the_server_is_told_to_holder_and_waiters() {
    alone(|| {
        let lock = Lock::new(vec![1]).unwrap();
        let mut guard = lock.lock().unwrap();
        guard.push(2);
        let waiting =
            Process::spawn(|lock: Lock<Vec<u32>>| lock.lock().unwrap_err().to_string(), lock.clone());
        until_handled(&lock.server(), GRANT + REQUEST);
        let server = lock.server();
        processes::kill(server.pid());
        server.monitor().recv();
        let heard = waiting.unwrap().join().unwrap();
        let killed = ExitReason::Signaled { signal: 9, core_dumped: false };
        assert!(heard.ends_with("the server is gone: killed by SIGKILL"), "{heard}");
        assert!(
            matches!(guard.commit(), Err(SyncError::Gone { reason: Some(reason), .. }) if reason == killed)
        );
        assert_eq!(*guard, [1, 2]); // the copy is still there
        assert!(matches!(guard.release(), Err(SyncError::Gone { .. })));
        assert!(matches!(lock.lock(), Err(LockError::Gone { reason: Some(reason), .. }) if reason == killed));
        assert!(matches!(lock.try_lock(), Err(LockError::Gone { .. })));
    });
}

#[test]
fn a_guard_of_a_dead_server_is_dropped_without_a_word() {
    alone(|| {
        let lock = Lock::new(1).unwrap();
        let mut guard = lock.lock().unwrap();
        *guard = 2;
        lock.stop(EVENT_TIMEOUT).unwrap();
        drop(guard);
        assert!(matches!(lock.lock_timeout(MOMENT), Err(LockError::Gone { .. })));
    });
}

/// Is restarted, and takes a lock.
#[actor]
struct Clumsy {
    lock: Lock<Vec<u32>>,
}

#[actor]
impl Clumsy {
    fn crash_with_it(&self) {
        let _guard = self.lock.lock().unwrap();
        std::process::abort();
    }

    fn use_it(&self) -> Option<ExitReason> {
        match self.lock.lock() {
            Ok(mut guard) => {
                guard.push(1);
                None
            }
            Err(LockError::Poisoned(poisoned)) => Some(poisoned.reason.clone()),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn the_next_process_of_a_restarted_actor_is_another_one() {
    alone(|| {
        let lock = Lock::new(vec![]).unwrap();
        let clumsy = Clumsy { lock: lock.clone() }
            .builder()
            .restart(Restart::Permanent)
            .intensity(100, Duration::from_secs(1))
            .spawn()
            .unwrap();
        for _ in 0..5 {
            assert_eq!(clumsy.use_it().wait(), Ok(None));
            clumsy.crash_with_it().wait().unwrap_err();
            // Its next process waits for what the last one held, and is told.
            let reason = clumsy.use_it().wait().unwrap().unwrap();
            assert_eq!(reason.signal(), Some(6));
        }
        assert_eq!(told(&lock), Told { poisoned: None, value: vec![1; 5] });
    });
}

/// Keeps the guard in its state.
#[actor]
struct Holder {
    guard: Option<phalanx::sync::Guard<u32>>,
}

#[actor]
impl Holder {
    #[init]
    fn new() -> Self {
        Holder { guard: None }
    }

    fn take(&mut self, lock: Lock<u32>) {
        self.guard = Some(lock.lock().unwrap());
    }

    fn give(&mut self) {
        self.guard = None;
    }
}

#[test]
fn an_actor_holds_a_lock_over_several_messages_and_its_death_is_news_once() {
    alone(|| {
        let (lock, groups) = (Lock::new(5).unwrap(), ["one", "two"].map(phalanx::Group::<Holder>::open));
        let holder = Holder::builder().registered("holder").spawn().unwrap();
        groups.iter().for_each(|group| assert!(group.join(&holder).unwrap()));
        holder.take(lock.clone()).wait().unwrap();
        assert!(matches!(lock.try_lock(), Err(LockError::Busy)));
        holder.give().wait().unwrap();
        assert!(lock.try_lock().is_ok());
        holder.take(lock.clone()).wait().unwrap();
        let mut monitor = holder.monitor();
        holder.kill().unwrap();
        monitor.recv();
        // Its names vanish before any process hears of its death; the lock passes on.
        assert!(phalanx::names::lookup::<Holder>("holder").is_err());
        groups.iter().for_each(|group| assert_eq!(group.members(), Ok(vec![])));
        let Err(LockError::Poisoned(poisoned)) = lock.lock_timeout(EVENT_TIMEOUT) else { panic!("not told") };
        assert_eq!((poisoned.by.name.as_str(), &poisoned.reason, *poisoned.guard), ("Holder", &killed(), 5));
        assert_eq!(poisoned.incarnation, 1);
        let place = format!("`Holder` (process {}, incarnation 1)", poisoned.by.pid);
        assert!(poisoned.to_string().contains(&place), "{poisoned}");
    });
}
