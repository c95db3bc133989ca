//! Memory, descriptors, and pipes that no process reads.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use phalanx::prelude::*;
use phalanx_tests::{Program, alone};

const SCENARIO: &str = env!("CARGO_BIN_EXE_scenario");

#[actor]
struct Hoarder {
    kept: Vec<u8>,
}

#[actor]
impl Hoarder {
    fn keep(&mut self, bytes: usize) -> usize {
        self.kept = vec![1; bytes];
        self.kept.len()
    }

    fn fail(&self) {
        panic!("for another reason");
    }
}

fn hoarder() -> phalanx::ActorBuilder<Hoarder> {
    Hoarder { kept: Vec::new() }.builder().memory(64 << 20)
}

#[test]
fn an_actor_over_its_memory_limit_is_out_of_memory_and_its_sibling_is_not() {
    alone(|| {
        let (greedy, modest) = (hoarder().spawn().unwrap(), hoarder().spawn().unwrap());
        assert_eq!(modest.keep(1 << 20).wait().unwrap(), 1 << 20);
        let error = greedy.keep(1 << 30).wait().unwrap_err();
        assert!(matches!(&error, CallError::Died(ExitReason::OutOfMemory, _)), "{error}");
        assert_eq!(greedy.exit_reason(), Some(ExitReason::OutOfMemory));
        assert_eq!(modest.keep(2 << 20).wait().unwrap(), 2 << 20);
    });
}

#[test]
fn a_death_under_a_memory_limit_is_not_always_for_lack_of_memory() {
    alone(|| {
        let reason = |error: CallError| error.exit_reason().cloned().unwrap();
        let panicked = reason(hoarder().spawn().unwrap().fail().wait().unwrap_err());
        assert!(matches!(panicked, ExitReason::Panicked { .. }), "{panicked}");
        let idle = hoarder().spawn().unwrap();
        idle.kill().unwrap();
        assert_eq!(idle.join().signal(), Some(9));
    });
}

/// Runs under a limit on descriptors; what the program says.
fn many_actors(limit: &str, actors: u32) -> Vec<String> {
    let script = format!(r#"ulimit {limit} || exit 9; exec "$0" many-actors {actors}"#);
    let run = Program::new("sh").args(["-c", &script, SCENARIO]).start();
    let said = run.rest();
    let errors = run.rest_of_stderr();
    assert_eq!(run.finish(), 0, "{said:?} {errors:?}");
    assert_eq!(errors, [""; 0], "{said:?}");
    said
}

/// All actors reply; or all that have started do, and the limit is named.
#[track_caller]
fn all_or_a_named_limit(said: &[String], wanted: u32) {
    let (last, before) = said.split_last().unwrap();
    let (answering, started) = last.strip_suffix(" answer").unwrap().split_once(" of ").unwrap();
    assert_eq!(answering, started, "{said:?}");
    match before {
        [] => assert_eq!(started, wanted.to_string()),
        [limit] => assert!(limit.starts_with("limit RLIMIT_NOFILE: "), "{limit}"),
        more => panic!("{more:?}"),
    }
}

#[test]
fn with_256_descriptors_the_actors_that_start_answer_and_the_limit_is_named() {
    for limit in ["-n 256", "-S -n 256"] {
        let said = many_actors(limit, 200);
        all_or_a_named_limit(&said, 200);
        // Quite a number of them did start.
        assert!(said.last().unwrap().len() >= "10 of 10 answer".len(), "{said:?}");
    }
}

#[test]
fn with_hardly_any_descriptors_a_spawn_fails_and_names_the_limit() {
    for limit in 10..=32 {
        let said = many_actors(&format!("-n {limit}"), 50);
        all_or_a_named_limit(&said, 50);
    }
}

#[test]
fn output_that_nobody_reads_holds_up_its_actor_only_and_is_not_cut() {
    alone(|| {
        let mut command = Command::new(SCENARIO);
        command.arg("prints-a-lot").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let mut errors = BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(errors.next().unwrap(), "no answer from print");
        assert_eq!(errors.next().unwrap(), "others answer");

        // Now this process reads. The lines are made of `x`; no other line contains one.
        let mut text = String::new();
        program.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text.matches('x').count(), (10 << 20) / 1024 * 1023);
        assert_eq!(errors.next().unwrap(), "printed");
        assert!(program.wait().unwrap().success());
    });
}

/// Memory files are files to the kernel, which kills a process that makes one too large by SIGXFSZ.
#[test]
fn under_a_limit_on_file_sizes_a_spawn_or_a_large_message_fails_and_names_it() {
    let said = |blocks: u32| {
        // Blocks of 512 bytes, in a shell of POSIX.
        let script = format!(r#"ulimit -f {blocks} || exit 9; exec "$0" file-size"#);
        let run = Program::new("sh").args(["-c", &script, SCENARIO]).start();
        let said = run.rest();
        assert_eq!(run.finish(), 0, "{said:?}");
        said
    };
    let nothing = said(1);
    assert!(nothing[0].starts_with("limit RLIMIT_FSIZE: "), "{nothing:?}");
    let small = said(64);
    assert_eq!(small[0], "5");
    assert!(small[1].starts_with("call: ") && small[1].contains("RLIMIT_FSIZE"), "{small:?}");
    assert_eq!(said(1000), ["5", "100000"]);
}

#[actor]
struct Writer;

#[actor]
impl Writer {
    fn text(&self, bytes: usize) -> String {
        "x".repeat(bytes)
    }
}

#[test]
fn an_answer_beyond_the_actors_limit_on_file_sizes_is_an_error_of_its_call() {
    alone(|| {
        let writer = Writer.builder().limit(phalanx::Limit::FileSize, 50_000).spawn().unwrap();
        assert_eq!(writer.text(40_000).wait().map(|text| text.len()), Ok(40_000));
        let error = writer.text(100_000).wait().unwrap_err().to_string();
        assert!(error.contains("RLIMIT_FSIZE"), "{error}");
        assert_eq!(writer.text(10).wait().as_deref(), Ok("xxxxxxxxxx"));
        let task = Process::builder(|bytes: usize| "x".repeat(bytes), 100_000);
        let error = task.limit(phalanx::Limit::FileSize, 50_000).spawn().unwrap().join().unwrap_err();
        assert!(error.to_string().contains("RLIMIT_FSIZE"), "{error}");
    });
}
