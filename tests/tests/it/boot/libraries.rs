//! The runtime in a shared library, which some other program has loaded.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Tries all that can be started, when it is loaded.
const LIBRARY: &str = r##"
use phalanx::prelude::*;

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, text: String) -> String {
        text
    }
}

#[task]
fn double(number: u32) -> u32 {
    2 * number
}

fn refused<T>(what: &str, done: Result<T, SpawnError>) {
    match done {
        Err(SpawnError::NotInExecutable { .. }) => println!("{what} refused"),
        Err(other) => println!("{what}: {other}"),
        Ok(_) => println!("{what}: started"),
    }
}

extern "C" fn load() {
    refused("actor", Echo.spawn());
    refused("task", double::spawn(1));
    refused("supervisor", Supervisor::one_for_one().start());
    refused("pool", phalanx::Pool::builder().workers(1).build());
    refused("registered", Echo.builder().registered("echo").spawn());
}

#[used]
#[unsafe(link_section = ".init_array")]
static LOAD: extern "C" fn() = load;
"##;

fn library() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared-library");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let manifest = format!(
        "[package]\nname = \"plugin\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nphalanx = {{ path = {:?} }}\n\n[workspace]\n",
        root.join("runtime")
    );
    fs::create_dir_all(place.join("src")).unwrap();
    fs::write(place.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), place.join("Cargo.lock")).unwrap();
    fs::write(place.join("src/lib.rs"), LIBRARY).unwrap();
    // The dependencies are built once for all crates that a case makes.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fresh-crate/target");
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .arg("build")
        .current_dir(&place)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug/libplugin.so")
}

#[test]
fn whatever_is_started_from_a_shared_library_is_refused_at_once_and_the_host_runs_once() {
    let library = library();
    let begun = Instant::now();
    let output = Command::new("echo").arg("the host runs").env("LD_PRELOAD", &library).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let expected =
        ["actor", "task", "supervisor", "pool", "registered"].map(|what| format!("{what} refused"));
    let expected: Vec<&str> = expected.iter().map(String::as_str).chain(["the host runs"]).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
