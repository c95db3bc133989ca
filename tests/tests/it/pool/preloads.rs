//! What a supervisor loads before it forks.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;
use std::time::Duration;

use phalanx::pool::{PoolError, TaskError};
use phalanx::prelude::*;
use phalanx::{Pool, Restart};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, eventually, processes};

static LOADED: OnceLock<(u32, Vec<u64>)> = OnceLock::new();

fn load(len: u64) {
    LOADED.get_or_init(|| (std::process::id(), (0..len).collect()));
}

fn loader(_: ()) -> Option<u32> {
    LOADED.get().map(|loaded| loaded.0)
}

fn sum(_: ()) -> Option<u64> {
    LOADED.get().map(|loaded| loaded.1.iter().sum())
}

#[test]
fn workers_share_what_their_supervisor_has_loaded() {
    alone(|| {
        let pool = Pool::builder().workers(2).recycle_after(1).preload(load, 1000).build().unwrap();
        let pids: Vec<_> = (0..6).map(|_| pool.run(loader, ()).unwrap()).collect();
        assert!(pids[0].is_some() && pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
        assert_eq!(pool.run(sum, ()).unwrap(), Some(499_500));
        assert!(LOADED.get().is_none());
    });
}

/// What libraries do that must notice a fork: rand 0.8 seeds its generators anew, OpenSSL and jemalloc see to
/// their locks.
mod library {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    /// The state of a generator, and how often it was seeded anew.
    static STATE: AtomicU32 = AtomicU32::new(0);
    static FORKS: AtomicU32 = AtomicU32::new(0);

    #[allow(unsafe_code)]
    mod system {
        unsafe extern "C" {
            pub(super) safe fn pthread_atfork(
                prepare: Option<extern "C" fn()>,
                parent: Option<extern "C" fn()>,
                child: Option<extern "C" fn()>,
            ) -> i32;
        }
    }

    extern "C" fn reseed() {
        FORKS.fetch_add(1, SeqCst);
        STATE.store(std::process::id(), SeqCst);
    }

    pub(super) fn load(_: ()) {
        assert_eq!(system::pthread_atfork(None, None, Some(reseed)), 0);
    }

    pub(super) fn draw() -> (u32, u32) {
        (STATE.fetch_add(1, SeqCst), FORKS.load(SeqCst))
    }
}

fn draw(_: ()) -> (u32, u32) {
    library::draw()
}

/// Else all of them drew the same random numbers, for ever.
#[test]
fn workers_notice_that_they_have_been_forked() {
    alone(|| {
        let pool = Pool::builder().workers(2).recycle_after(1).preload(library::load, ()).build().unwrap();
        let mut drawn: Vec<_> = (0..8).map(|_| pool.run(draw, ()).unwrap()).collect();
        assert!(drawn.iter().all(|&(number, forks)| number != 0 && forks == 1), "{drawn:?}");
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 8, "{drawn:?}");
    });
}

#[actor]
struct Drawer;

#[actor]
impl Drawer {
    fn draw(&self) -> (u32, u32) {
        library::draw()
    }

    fn crash(&self) {
        std::process::abort()
    }

    /// What a process draws whose supervisor is a fork of the one that this actor's supervisor is.
    fn below(&self) -> (u32, u32) {
        Drawer.spawn().unwrap().draw().wait().unwrap()
    }
}

#[test]
fn restarts_spares_and_supervisors_below_are_forked_in_the_same_way() {
    alone(|| {
        let reserved = Drawer.builder().restart(Restart::Permanent).reserve().unwrap();
        let inner = reserved.actor_ref();
        let below = Supervisor::one_for_one().child("inner", reserved);
        let top = Supervisor::one_for_one().preload(library::load, ()).start().unwrap();
        let outer = Drawer.builder().restart(Restart::Permanent).intensity(100, Duration::from_secs(1));
        let outer = top.start_child("outer", outer.spare(true)).unwrap();
        top.start_child("below", below).unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (number, forks) = outer.draw().wait().unwrap();
            assert!(number != 0 && forks == 1 && !seen.contains(&number), "{number}, {forks}, {seen:?}");
            seen.push(number);
            outer.crash().wait().unwrap_err();
        }
        let (number, forks) = inner.draw().wait().unwrap();
        assert_eq!((number, forks), (inner.pid().unwrap(), 2), "its supervisor is a fork itself");
        assert_eq!(outer.below().wait().unwrap().1, 2);
    });
}

#[test]
fn a_supervisor_that_is_restarted_loads_again() {
    alone(|| {
        let pool = Pool::builder().workers(1).preload(load, 10).build().unwrap();
        let first = pool.run(loader, ()).unwrap().unwrap();
        processes::kill(first);
        eventually("another supervisor", EVENT_TIMEOUT, || {
            pool.run(loader, ()).is_ok_and(|pid| pid.is_some_and(|pid| pid != first))
        });
    });
}

#[test]
fn threads_that_are_left_behind_are_refused_and_so_is_a_panic() {
    alone(|| {
        let leaves = |_: ()| drop(std::thread::spawn(|| std::thread::sleep(FOREVER)));
        let error = Pool::builder().workers(1).preload(leaves, ()).build().unwrap_err();
        assert!(
            matches!(&error, SpawnError::InitFailed { .. }) && error.to_string().contains("threads"),
            "{error}"
        );
        let joins = |_: ()| std::thread::spawn(|| load(5)).join().unwrap();
        let pool = Pool::builder().workers(1).preload(joins, ()).build().unwrap();
        assert_eq!(pool.run(sum, ()).unwrap(), Some(10));
        let panics = |n: u32| assert!(n == 0, "nothing to load");
        let error = Pool::builder().workers(1).preload(panics, 1).build().unwrap_err();
        assert!(error.to_string().contains("nothing to load"), "{error}");
    });
}

/// Notes where it runs, a line for each time; panics if it is told to.
fn note(file: String) {
    let mut lines = OpenOptions::new().append(true).create(true).open(&file).unwrap();
    writeln!(lines, "{}", std::process::id()).unwrap();
    assert!(!fs::exists(format!("{file}.panic")).unwrap(), "nothing to load any more");
}

fn notes(file: &str) -> Vec<u32> {
    let lines = fs::read_to_string(file).unwrap();
    lines.lines().map(|line| line.parse().unwrap()).collect()
}

fn in_temporary(name: &str) -> String {
    std::env::temp_dir().join(name).to_string_lossy().into_owned()
}

#[test]
fn it_runs_once_in_the_supervisor_however_many_workers_there_are() {
    alone(|| {
        let file = in_temporary("notes");
        let pool = Pool::builder().workers(3).recycle_after(1).preload(note, file.clone()).build().unwrap();
        let parent = |_: ()| std::os::unix::process::parent_id();
        let parents = pool.map(parent, vec![(); 10]).unwrap();
        // Workers that die have successors, which need no loading either.
        pool.run(|| -> () { std::process::abort() }, ()).unwrap_err();
        pool.map(parent, vec![(); 10]).unwrap();
        assert_eq!(notes(&file), [parents[0]]);
        assert!(parents.iter().all(|parent| *parent == parents[0]));
        fs::remove_file(file).unwrap();
    });
}

const LARGE: u64 = 8 << 20;

/// What a worker has of it in memory, and how much of that is its own: in KiB.
fn memory(_: ()) -> (u64, u64, Option<u64>) {
    let sum = LOADED.get().map(|loaded| loaded.1.iter().sum());
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let sum_of = |key: &str| -> u64 {
        let lines = smaps.lines().filter(|line| line.starts_with(key));
        lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
    };
    (sum_of("Rss:"), sum_of("Private_"), sum)
}

#[test]
fn what_is_loaded_is_in_memory_once() {
    alone(|| {
        let pool = Pool::builder().workers(2).preload(load, LARGE).build().unwrap();
        // Both at once, so that both have read it.
        for (resident, own, sum) in pool.map(memory, vec![(); 8]).unwrap() {
            assert_eq!(sum, Some(LARGE * (LARGE - 1) / 2));
            let loaded = LARGE * 8 / 1024;
            assert!(resident > loaded && own < loaded / 4, "{resident} KiB, {own} KiB of its own");
        }
    });
}

#[test]
fn a_preload_that_panics_when_the_supervisor_is_restarted_ends_the_pool_with_the_cause() {
    alone(|| {
        let file = in_temporary("notes");
        let pool = Pool::builder().workers(1).preload(note, file.clone()).build().unwrap();
        let napping = pool.submit(super::nap, 100_000);
        let pending = pool.submit(super::square, 3);
        eventually("a task that runs", EVENT_TIMEOUT, || napping.is_running());
        let panic = format!("{file}.panic");
        fs::write(&panic, "").unwrap();
        processes::kill(notes(&file)[0]);
        let error = napping.wait().unwrap_err();
        assert!(error.exit_reason().is_some(), "{error}");
        let error = pending.wait().unwrap_err();
        let TaskError::Broken(cause, _) = &error else { panic!("{error}") };
        assert!(matches!(**cause, PoolError::CannotStart { .. }), "{cause}");
        assert!(error.to_string().contains("nothing to load any more"), "{error}");
        assert!(pool.join().is_err());
        fs::remove_file(panic).unwrap();
        fs::remove_file(file).unwrap();
    });
}
