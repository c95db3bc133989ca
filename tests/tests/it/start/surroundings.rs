//! What a process finds when it starts: environment, directory, niceness, cores, limits; and what is called
//! in it first.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, id};
use std::sync::atomic::{AtomicU32, Ordering};

use phalanx::prelude::*;
use phalanx::{Limit, Restart};
use phalanx_tests::{EVENT_TIMEOUT, Program, alone, eventually};

/// What the surroundings are, as the process sees them.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Seen {
    variable: Option<String>,
    home: bool,
    directory: String,
    niceness: String,
    cores: String,
}

impl Seen {
    fn here() -> Seen {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        Seen {
            variable: env::var("PHALANX_TEST_VARIABLE").ok(),
            home: env::var_os("HOME").is_some(),
            directory: env::current_dir().unwrap().to_string_lossy().into_owned(),
            niceness: fs::read_to_string("/proc/self/stat").unwrap().split(' ').nth(18).unwrap().to_owned(),
            cores: cores.trim().to_owned(),
        }
    }
}

/// What a limit is, soft and hard.
fn limit(name: &str) -> Vec<String> {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
    line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect()
}

/// Sees them where it is made, and where it works.
#[actor(nice = 3)]
struct Witness {
    at_init: Seen,
    hooked: u32,
}

#[actor]
impl Witness {
    #[init]
    fn new() -> Witness {
        Witness { at_init: Seen::here(), hooked: HOOKED.load(Ordering::SeqCst) }
    }

    fn at_init(&self) -> Seen {
        Seen { ..Seen::here() }.same_as(&self.at_init)
    }

    fn hooked(&self) -> u32 {
        self.hooked
    }

    fn pids(&self) -> (u32, u64) {
        (id(), phalanx::current().incarnation())
    }
}

impl Seen {
    fn same_as(self, other: &Seen) -> Seen {
        assert_eq!(&self, other);
        self
    }
}

static HOOKED: AtomicU32 = AtomicU32::new(0);

#[test]
fn all_of_them_are_in_force_before_user_code_and_only_there() {
    alone(|| {
        let before = Seen::here();
        let core = before.cores.split([',', '-']).next().unwrap().to_owned();
        let builder = Witness::builder().env("PHALANX_TEST_VARIABLE", "ünï=1").env_remove("HOME");
        let builder = builder.current_dir("/proc").nice(7).affinity([core.parse().unwrap()]);
        let witness = builder.spawn().unwrap();
        let seen = witness.at_init().wait().unwrap();
        let expected = Seen {
            variable: Some("ünï=1".into()),
            home: false,
            directory: "/proc".into(),
            niceness: "7".into(),
            cores: core,
        };
        assert_eq!(seen, expected);
        assert_eq!(Seen::here(), before);
        // The next process of the same supervisor, and the attribute.
        let plain = Witness::spawn().unwrap().at_init().wait().unwrap();
        assert_eq!(plain, Seen { niceness: "3".into(), ..before });
    });
}

#[test]
fn an_emptied_environment_has_what_was_set_after_it_and_the_mark_of_the_tree() {
    alone(|| {
        let names = |(): ()| env::vars().map(|(name, _)| name).collect::<Vec<_>>();
        let builder = Process::builder(names, ()).env("GONE", "1").env_clear().env("B", "2").env("A", "1");
        let mut left = builder.spawn().unwrap().join().unwrap();
        left.sort();
        assert_eq!(left, ["A", "B", "PHALANX_TREE"]);
    });
}

#[test]
fn what_is_taken_out_of_the_environment_cannot_be_read_in_proc_either() {
    alone(|| {
        let shown = |(): ()| {
            let text = fs::read("/proc/self/environ").unwrap();
            let lines = text.split(|&byte| byte == 0).filter(|line| !line.is_empty());
            lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>()
        };
        let has =
            |lines: &[String], name: &str| lines.iter().any(|line| line.split('=').next() == Some(name));
        let whole = Process::spawn(shown, ()).unwrap().join().unwrap();
        assert!(has(&whole, "TMPDIR") && has(&whole, "RUST_BACKTRACE"), "{whole:?}");
        let cleared = Process::builder(shown, ()).env_clear().env("A", "1").spawn().unwrap().join().unwrap();
        assert!(cleared.len() == 1 && has(&cleared, "PHALANX_TREE"), "{cleared:?}");
        let builder = Process::builder(shown, ()).env_remove("TMPDIR").env("RUST_BACKTRACE", "1");
        let changed = builder.spawn().unwrap().join().unwrap();
        assert!(!has(&changed, "TMPDIR") && !has(&changed, "RUST_BACKTRACE"), "{changed:?}");
        assert_eq!(changed.len(), whole.len() - 2);
    });
}

#[test]
fn a_relative_directory_begins_in_that_of_the_spawner() {
    alone(|| {
        let place = env::temp_dir().join("inner");
        fs::create_dir(&place).unwrap();
        env::set_current_dir(env::temp_dir()).unwrap();
        let there = |(): ()| env::current_dir().unwrap();
        let seen = Process::builder(there, ()).current_dir("inner").spawn().unwrap().join().unwrap();
        assert_eq!(seen, place.canonicalize().unwrap());
        fs::remove_dir(&place).unwrap();
    });
}

#[test]
fn limits_are_those_that_were_asked_for() {
    alone(|| {
        let look = |(): ()| {
            [
                "Max open files",
                "Max core file size",
                "Max file size",
                "Max address space",
                "Max locked memory",
            ]
            .map(limit)
            .to_vec()
        };
        let builder = Process::builder(look, ()).limit(Limit::OpenFiles, 77).limit(Limit::CoreSize, 0);
        let builder = builder.limit(Limit::FileSize, 1 << 20).limit(Limit::AddressSpace, 1 << 40);
        let seen = builder.limit(Limit::LockedMemory, 4096).spawn().unwrap().join().unwrap();
        let twice = |value: u64| vec![value.to_string(); 2];
        assert_eq!(seen, [twice(77), twice(0), twice(1 << 20), twice(1 << 40), twice(4096)]);
    });
}

#[test]
fn a_limit_that_is_reached_ends_that_process_with_its_signal() {
    alone(|| {
        let path = env::temp_dir().join("large");
        let write = |path: std::path::PathBuf| fs::write(path, vec![0; 1 << 20]).is_ok();
        let builder = Process::builder(write, path.clone()).limit(Limit::FileSize, 1000);
        let writing = builder.spawn().unwrap();
        writing.join().unwrap_err();
        assert_eq!(writing.exit_reason().unwrap().signal(), Some(25));
        assert_eq!(fs::metadata(&path).unwrap().len(), 1000);
        fs::remove_file(path).unwrap();
    });
}

#[test]
fn what_cannot_be_had_is_a_typed_error_that_names_the_option() {
    alone(|| {
        let nothing = || Process::builder(|(): ()| (), ());
        let file = env::temp_dir().join("file");
        fs::write(&file, "").unwrap();
        for (builder, option) in [
            (nothing().current_dir("/nowhere/at/all"), "`current_dir`"),
            (nothing().current_dir(&file), "`current_dir`"),
            (nothing().nice(20), "`nice`"),
            (nothing().affinity([100_000]), "`affinity`"),
            (nothing().affinity([]), "`affinity`"),
            (nothing().env("A=B", "1"), "`env`"),
            (nothing().env("A", "x".repeat(20_000)), "`env`"),
            (nothing().limit(Limit::OpenFiles, u64::MAX), "`limit`"),
        ] {
            match builder.name("strange").spawn() {
                Err(SpawnError::Option { actor, error }) => {
                    assert!(actor == "strange" && error.contains(option), "{error}");
                }
                other => panic!("{option}: {other:?}"),
            }
        }
        let error = Witness::builder().current_dir("/nowhere").spawn().unwrap_err();
        assert!(
            matches!(error, SpawnError::Option { .. }) && error.to_string().contains("/nowhere"),
            "{error}"
        );
        assert_eq!(phalanx::children(), []);
        fs::remove_file(file).unwrap();
    });
}

fn hook() {
    // What the surroundings are is so already.
    assert!(env::var("PHALANX_TEST_VARIABLE").is_ok());
    HOOKED.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn hooks_run_in_order_before_init_in_each_process() {
    alone(|| {
        let builder = Witness::builder().env("PHALANX_TEST_VARIABLE", "1").restart(Restart::Permanent);
        let builder = builder.before_start(hook).before_start(|| {
            HOOKED.store(HOOKED.load(Ordering::SeqCst) * 10, Ordering::SeqCst);
        });
        let witness = builder.spawn().unwrap();
        assert_eq!((witness.hooked().wait().unwrap(), HOOKED.load(Ordering::SeqCst)), (10, 0));
        let (pid, _) = witness.pids().wait().unwrap();
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
        eventually("the next process", EVENT_TIMEOUT, || {
            witness.pids().wait().is_ok_and(|(_, incarnation)| incarnation == 2)
        });
        assert_eq!(witness.hooked().wait().unwrap(), 10);
        assert_eq!(witness.at_init().wait().unwrap().variable.as_deref(), Some("1"));
        witness.stop(EVENT_TIMEOUT).unwrap();
    });
}

#[test]
fn a_hook_that_panics_or_exits_is_why_the_start_failed() {
    alone(|| {
        let error = Witness::builder().before_start(|| panic!("not today")).spawn().unwrap_err();
        let SpawnError::Died { reason: ExitReason::Panicked { message, .. }, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(message, "not today");
        let task = Process::builder(|(): ()| (), ()).before_start(|| std::process::exit(7));
        let error = task.spawn().unwrap_err();
        assert!(matches!(error, SpawnError::Died { reason: ExitReason::Exited(7), .. }), "{error}");
    });
}

#[test]
fn children_of_a_supervisor_have_their_surroundings_after_a_restart_too() {
    alone(|| {
        let child = Witness::builder().env("PHALANX_TEST_VARIABLE", "child").current_dir("/");
        let child = child.reserve().unwrap();
        let witness = child.actor_ref();
        let _supervisor = Supervisor::one_for_one().child("witness", child).start().unwrap();
        for incarnation in 1..=2 {
            eventually("a process", EVENT_TIMEOUT, || {
                witness.pids().wait().is_ok_and(|(_, now)| now == incarnation)
            });
            let seen = witness.at_init().wait().unwrap();
            assert_eq!((seen.variable.as_deref(), &*seen.directory), (Some("child"), "/"));
            let pid = witness.pids().wait().unwrap().0.to_string();
            assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        }
    });
}

#[test]
fn the_parallelism_is_capped_by_affinity_and_environment_and_never_0() {
    alone(|| {
        let asked = |cap: &str, cores: Option<usize>| {
            let builder =
                Process::builder(|(): ()| phalanx::parallelism(), ()).env("PHALANX_PARALLELISM", cap);
            let builder = match cores {
                Some(core) => builder.affinity([core]),
                None => builder,
            };
            builder.spawn().unwrap().join().unwrap()
        };
        let all = phalanx::parallelism();
        assert!(all >= 1);
        assert_eq!([asked("1", None), asked("0", None), asked("100000", None)], [1, 1, all]);
        assert_eq!([asked("many", None), asked("", None), asked("-1", None)], [all; 3]);
        let core = Seen::here().cores.split([',', '-']).next().unwrap().parse().unwrap();
        assert_eq!(asked("100000", Some(core)), 1);
    });
}

/// A control group below ours, with a quota of one core.
struct Quota(std::path::PathBuf);

impl Quota {
    fn of_one_core() -> Option<Quota> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let version_1 =
            own.lines().find_map(|line| line.split_once(":cpu:").or(line.split_once(":cpu,cpuacct:")));
        let (root, file, text) = match version_1 {
            Some((_, path)) => (format!("/sys/fs/cgroup/cpu{path}"), "cpu.cfs_quota_us", "100000"),
            None => {
                let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
                (format!("/sys/fs/cgroup{path}"), "cpu.max", "100000 100000")
            }
        };
        let quota = Quota(Path::new(&root).join(format!("phalanx-test-{}", id())));
        fs::create_dir(&quota.0).ok()?;
        fs::write(quota.0.join(file), text).ok()?;
        Some(quota)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        eventually("an empty control group", EVENT_TIMEOUT, || fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn the_parallelism_is_capped_by_the_quota_of_the_own_control_group() {
    if phalanx::parallelism() < 2 {
        eprintln!("skipped: one core anyway");
        return;
    }
    let Some(quota) = Quota::of_one_core() else {
        eprintln!("skipped: control groups cannot be made here");
        return;
    };
    let script = format!("echo $$ > {}/cgroup.procs && exec \"$0\" parallelism", quota.0.display());
    let run = Program::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_scenario")]).start();
    assert_eq!(run.rest(), ["1 1"]);
    assert_eq!(run.finish(), 0);
}
