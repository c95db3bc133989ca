//! Programs whose supervisor has a hard time before it is one.

use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Instant;

use phalanx::prelude::*;
use phalanx_tests::FOREVER;

use crate::argument;

/// Which initialiser runs before `main`, if any.
const INITIALISER: &str = "SCENARIO_INITIALISER";

/// An initialiser of the program, as C++ libraries have them. It runs in the program, and in every image that
/// is started of it.
#[used]
#[allow(unsafe_code, reason = "there is no other way to run something before `main`")]
#[unsafe(link_section = ".init_array")]
static INITIALISE: extern "C" fn() = initialise;

extern "C" fn initialise() {
    let Ok(what) = std::env::var(INITIALISER) else { return };
    // The program has arguments.
    let in_image = std::env::args().len() < 2;
    match what.as_str() {
        "thread" => {
            let builder = std::thread::Builder::new().name("early-bird".to_owned());
            let _ = builder.spawn(|| std::thread::sleep(FOREVER));
        }
        "joined thread" => drop(std::thread::spawn(|| ()).join()),
        "spawn" => match Quiet.spawn() {
            Ok(_) => println!("spawned in an initialiser"),
            Err(error) => println!("{error}"),
        },
        "exit" if in_image => std::process::exit(7),
        "abort" if in_image => std::process::abort(),
        _ => {}
    }
}

/// Returns its user.
#[actor]
struct Quiet;

#[actor]
impl Quiet {
    fn user(&self) -> u32 {
        std::fs::metadata("/proc/self/task").map_or(u32::MAX, |own| own.uid())
    }

    /// Gives up being root, and spawns.
    fn drop_rights_and_spawn(&self) -> phalanx::Result<String> {
        drop_rights()?;
        Ok(Quiet.spawn().map_or_else(|error| described(&error), |_| "spawned".to_owned()))
    }
}

fn drop_rights() -> phalanx::Result<()> {
    nix::unistd::setgid(65534.into())?;
    Ok(nix::unistd::setuid(65534.into())?)
}

/// The kind of an error and its text.
fn described(error: &SpawnError) -> String {
    format!("{}|{error}", kind(error))
}

/// Gives up being root after the first spawn, spawns in two ways, ends the tree, and spawns again.
#[phalanx::main]
pub(crate) fn drops_rights() -> phalanx::Result<()> {
    let early = Quiet.spawn()?;
    let supervisor = Supervisor::one_for_one().start()?;
    supervisor.start_child("early", Quiet.builder())?;
    supervisor.terminate_child("early")?;
    println!("user {}", early.user().wait()?);
    drop_rights()?;
    let refused = |spawned: Result<_, SpawnError>| match spawned {
        Ok(_) => println!("spawned"),
        Err(error) => println!("{}", described(&error)),
    };
    refused(Quiet.spawn());
    refused(supervisor.start_child("late", Quiet.builder()));
    println!("{:?}", supervisor.restart_child("early").map_err(|error| error.to_string()));
    println!("user {}", early.user().wait()?);
    phalanx::shutdown();
    println!("user {}", Quiet.spawn()?.user().wait()?);
    Ok(())
}

#[phalanx::main]
pub(crate) fn actor_drops_rights() -> phalanx::Result<()> {
    println!("{}", Quiet.spawn()?.drop_rights_and_spawn().wait()?);
    Ok(())
}

/// The kind of an error, and the limit that it names.
fn kind(error: &SpawnError) -> String {
    match error {
        SpawnError::Limit { limit, .. } => format!("Limit {limit}"),
        SpawnError::Io { .. } => "Io".to_owned(),
        SpawnError::Credentials { .. } => "Credentials".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Says that `main` runs, spawns, and says what came of it and after how many milliseconds.
#[phalanx::main]
pub(crate) fn spawns() -> phalanx::Result<()> {
    println!("main");
    let begun = Instant::now();
    let spawned = Quiet.spawn();
    let millis = begun.elapsed().as_millis();
    match spawned {
        Ok(actor) => {
            actor.user().wait()?;
            println!("spawned");
        }
        Err(error) => println!("{}|{millis}|{error}", kind(&error)),
    }
    Ok(())
}

/// Says when it has a tree, and stays.
pub(crate) fn stays() -> phalanx::Result<()> {
    let _quiet = Quiet.spawn()?;
    println!("spawned");
    crate::plain::stays()
}

/// Starts its own executable with this first argument, and says how that ends.
pub(crate) fn imitates() -> phalanx::Result<()> {
    use std::os::unix::process::CommandExt;
    let status = Command::new("/proc/self/exe").arg0(argument(2)).args(["spawns-nothing"]).status()?;
    println!("{status}");
    Ok(())
}

/// Says that `main` runs.
pub(crate) fn spawns_nothing() -> phalanx::Result<()> {
    println!("main of another one");
    Ok(())
}
