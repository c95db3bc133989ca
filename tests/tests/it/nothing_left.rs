//! Nothing is left behind, whichever process is killed.
//!
//! A tree in which much is going on is hit at a random moment. The seed is on standard error, and can be
//! given back as `PHALANX_TESTS_SEED`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use phalanx_tests::{CLEANUP_LIMIT_WHEN_BUSY, Program, Run, eventually, processes};

/// How often each is tried.
const ROUNDS: usize = 12;

/// A random number, and the next, and the next (splitmix64).
struct Random(u64);

impl Random {
    fn seeded(test: &str) -> Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("PHALANX_TESTS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now);
        eprintln!("{test}: PHALANX_TESTS_SEED={seed}");
        Random(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len())].clone()) }
    }
}

fn shared_memory() -> BTreeSet<PathBuf> {
    fs::read_dir("/dev/shm").into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// A busy program, some time after its start.
fn busy(random: &mut Random) -> Run {
    let run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["busy"]).start();
    assert_eq!(run.line(), "busy");
    // Not to be lucky, but to be there at any moment.
    thread::sleep(Duration::from_micros(random.below(400_000) as u64));
    run
}

/// Nothing of the run that does not belong to its tree.
#[track_caller]
fn assert_no_strays(run: &Run) {
    processes::until_none(CLEANUP_LIMIT_WHEN_BUSY, || {
        let first = run.processes();
        let tree: BTreeSet<u32> =
            processes::descendants(run.pid()).iter().map(|process| process.pid).collect();
        let outside =
            first.into_iter().filter(|process| process.pid != run.pid() && !tree.contains(&process.pid));
        // Some of them have ended between the two looks.
        running(outside.map(|process| process.pid))
    });
}

/// Those that exist and are no zombies. A process that a kill orphans is reaped by init, when it likes.
fn running(pids: impl IntoIterator<Item = u32>) -> Vec<processes::Stat> {
    pids.into_iter().filter(|&pid| processes::runs(pid)).filter_map(processes::stat).collect()
}

/// Kills a process in each round, and looks for what is left of it, and at last of the program.
#[track_caller]
fn rounds(test: &str, victim: impl Fn(&Run, &mut Random) -> Option<u32>) {
    let mut random = Random::seeded(test);
    let before = shared_memory();
    for _ in 0..ROUNDS {
        let run = busy(&mut random);
        if let Some(victim) = victim(&run, &mut random) {
            let mut below = vec![victim];
            below.extend(processes::descendants(victim).iter().map(|process| process.pid));
            processes::kill(victim);
            processes::until_none(CLEANUP_LIMIT_WHEN_BUSY, || running(below.iter().copied()));
            assert_no_strays(&run);
        }
        run.signal("KILL");
        run.finish();
    }
    eventually("the end of the shared memory", CLEANUP_LIMIT_WHEN_BUSY, || {
        shared_memory().is_subset(&before)
    });
}

#[test]
fn a_program_that_is_killed_leaves_nothing() {
    rounds("program", |run, _| Some(run.pid()));
}

#[test]
fn a_root_supervisor_that_is_killed_leaves_nothing() {
    rounds("root", |run, _| processes::root_supervisor(run.pid()));
}

#[test]
fn a_supervisor_of_an_actor_that_is_killed_leaves_nothing() {
    rounds("nested", |run, random| random.pick(&processes::nested_supervisors(run.pid())));
}

#[test]
fn a_process_that_is_killed_leaves_nothing() {
    rounds("any", |run, random| random.pick(&run.processes()).map(|process| process.pid));
}

/// Whichever of the two the signal reaches first.
#[test]
fn a_program_and_its_root_supervisor_that_are_killed_together_leave_nothing() {
    let mut random = Random::seeded("together");
    for _ in 0..ROUNDS {
        let run = busy(&mut random);
        let mut both = [run.pid(), run.root_supervisor()];
        both.rotate_left(random.below(2));
        processes::kill_together(&both);
        assert_eq!(run.finish(), -9);
    }
}

/// Returns as soon as there is one, so without a pause between two looks.
fn await_first_child(program: u32) {
    let (list, start) = (format!("/proc/{program}/task/{program}/children"), Instant::now());
    while fs::read_to_string(&list).unwrap().is_empty() {
        assert!(start.elapsed() < CLEANUP_LIMIT_WHEN_BUSY, "no child");
    }
}

/// What is started first is the same executable; it must not go on as the program.
#[test]
fn a_program_that_is_killed_while_it_starts_leaves_nothing() {
    let mut random = Random::seeded("start");
    for _ in 0..5 * ROUNDS {
        let mut run = Program::new(env!("CARGO_BIN_EXE_scenario")).args(["interrupted-in-main"]).start();
        await_first_child(run.pid());
        thread::sleep(Duration::from_micros(random.below(3000) as u64));
        run.kill();
        assert_eq!(run.finish(), -9);
    }
}

/// The program ends by itself when its tree is gone, and says why.
#[test]
fn a_program_whose_root_supervisor_is_killed_ends_in_order() {
    let mut random = Random::seeded("root, then the end");
    for _ in 0..ROUNDS {
        let run = busy(&mut random);
        processes::kill(run.root_supervisor());
        let said = run.rest_of_stderr();
        assert!(said.iter().all(|line| line.contains("supervisor")), "{said:?}");
        assert_eq!(run.finish(), 1);
    }
}
