//! What makes an image become a supervisor, and what does not.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use phalanx_tests::Program;

use super::{SCENARIO, said};

/// A token that no program has made.
fn invented(program: u32) -> String {
    format!("{:120}", format!("phalanx-boot {program} 0123456789abcdef"))
}

fn with_standard_input(argument: &str, input: Stdio) -> String {
    let output = Command::new(SCENARIO).arg0(argument).arg("spawns-nothing").stdin(input).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_invented_token_is_ignored_and_main_runs() {
    for program in [1, std::process::id()] {
        for input in [Stdio::null(), Stdio::piped(), OwnedFd::from(UnixStream::pair().unwrap().0).into()] {
            assert_eq!(with_standard_input(&invented(program), input), "main of another one\n");
        }
    }
    assert_eq!(with_standard_input("phalanx-boot", Stdio::null()), "main of another one\n");
}

/// It is a program like any other, with a strange name.
#[test]
fn a_program_with_an_invented_token_spawns() {
    let mut command = Command::new(SCENARIO);
    let output = command.arg0(invented(1)).arg("boots").stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "main\nspawned\n");
    assert!(output.status.success());
}

#[test]
fn an_invented_variable_is_ignored_and_the_program_spawns() {
    let program = Program::new(SCENARIO).args(["boots"]).env("PHALANX_BOOT", "1-0123456789abcdef");
    assert_eq!(said(program), ["main", "spawned"]);
}

#[test]
fn an_image_that_is_about_to_run_main_below_its_own_program_ends_instead() {
    let run = Program::new(SCENARIO).args(["imitates", &invented(1)]).start();
    assert_eq!(run.rest(), ["exit status: 110"]);
    assert!(run.rest_of_stderr().concat().contains("does not run `main`"));
    assert_eq!(run.finish(), 0);
    let run = Program::new(SCENARIO).args(["imitates", "another name"]).start();
    assert_eq!(run.rest(), ["main of another one", "exit status: 0"]);
    assert_eq!(run.finish(), 0);
}

#[test]
fn nothing_of_the_token_can_be_read_when_the_tree_is_there() {
    let run = Program::new(SCENARIO).args(["boots-and-stays"]).start();
    assert_eq!(run.line(), "spawned");
    let processes = run.processes();
    assert!(processes.len() >= 3, "{processes:?}");
    for process in processes {
        for file in ["environ", "cmdline"] {
            let text = fs::read(format!("/proc/{}/{file}", process.pid)).unwrap();
            let text = String::from_utf8_lossy(&text);
            assert!(
                !text.to_lowercase().replace('_', "-").contains("phalanx-boot"),
                "{process:?}: {file}: {text}"
            );
        }
    }
}
