//! An executable that is replaced on disk while its program runs.

use std::fs;
use std::path::{Path, PathBuf};

use phalanx_tests::Program;

/// The scenarios by another name, which goes away with its directory.
struct Other(PathBuf);

impl Other {
    fn named(name: &str) -> Other {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        // Not a copy: a fork of another thread may hold that open for writing, so it could not be executed.
        fs::hard_link(env!("CARGO_BIN_EXE_scenario"), place.join("program")).unwrap();
        Other(place)
    }

    #[track_caller]
    fn says(&self, scenario: &str, expected: &[&str]) {
        let path = self.0.join("program");
        let run = Program::new(path.to_str().unwrap()).args([scenario]).start();
        assert_eq!(
            (run.rest(), run.rest_of_stderr()),
            (expected.iter().map(|&line| line.to_owned()).collect(), vec![])
        );
        assert_eq!(run.finish(), 0);
        assert!(fs::read_to_string(path).unwrap().contains("an impostor"));
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// New types, and a new tree after the death of the root supervisor, too.
#[test]
fn a_program_whose_executable_is_replaced_goes_on_with_the_old_one() {
    Other::named("replaced").says("replaced", &["the early actor answers", "42", "42"]);
}

#[test]
fn a_restart_after_the_replacement_runs_the_old_one() {
    Other::named("replaced-restart").says("replaced-restart", &["42 42", "2 2"]);
}

#[test]
fn a_program_whose_executable_was_replaced_before_its_first_spawn_starts_the_old_one() {
    Other::named("replaced-before").says("replaced-before", &["42"]);
}
