//! Programs with a log.

use phalanx::prelude::*;

#[actor]
struct Speaker;

#[actor]
impl Speaker {
    fn speak(&self) -> u32 {
        tracing::info!(number = 7, "from the actor");
        tracing::info_span!("order", id = 1).in_scope(|| tracing::info!("in a span"));
        std::process::id()
    }

    fn by_itself(&self) {
        phalanx::logging::init();
        tracing::info!("by itself");
    }

    #[tell]
    fn leave(&self) {
        std::process::exit(3);
    }
}

/// Says something in the program, in an actor, and as its last words.
#[phalanx::main]
pub(crate) fn logs() -> phalanx::Result<()> {
    phalanx::logging::init();
    tracing::info!("from the program");
    let speaker = Speaker.builder().name("witness").spawn()?;
    println!("{}", speaker.speak().wait()?);
    speaker.leave()?;
    Ok(())
}

/// Only the actor has a log.
#[phalanx::main]
pub(crate) fn logs_itself() -> phalanx::Result<()> {
    Speaker.builder().name("witness").spawn()?.by_itself().wait()?;
    Ok(())
}

/// A text that would be two lines, the second one in another process's name.
const EVIL: &str = "a\r\n[1 forged] b\u{1b}[2J\u{9b}";

/// Shows what breaks out of lines, in every place where an actor can put it.
#[actor]
struct Forger;

#[actor]
impl Forger {
    #[init]
    fn new(fails: bool) -> Result<Self, String> {
        if fails { Err(EVIL.to_owned()) } else { Ok(Forger) }
    }

    fn forge(&self) {
        tracing::info!("{EVIL}");
        tracing::info!(message = EVIL);
        tracing::info!(target: "a\n[1 forged] target", shown = %EVIL, "by a target");
        tracing::info!(shown = %EVIL, text = EVIL, error = &std::io::Error::other(EVIL) as &dyn std::error::Error, "in fields");
        tracing::info_span!("order", id = %EVIL).in_scope(|| tracing::info!("in a span"));
    }

    fn fail(&self) -> Result<(), String> {
        Err(EVIL.to_owned())
    }

    fn fail_by_our_error(&self) -> phalanx::Result<()> {
        Err(phalanx::Error::new(EVIL))
    }
}

/// Prints its errors, and logs them.
#[phalanx::main]
pub(crate) fn forges() -> phalanx::Result<()> {
    phalanx::logging::init();
    let forger = Forger::spawn(false)?;
    forger.forge().wait()?;
    let command =
        || phalanx::command::Command::shell("printf 'a\\033[2J\\r[1 forged] c'; exit 3").name("command");
    let tree = Supervisor::one_for_one().name("tree").start()?;
    let errors: [String; 5] = [
        forger.fail().wait().expect_err("an error").to_string(),
        forger.fail_by_our_error().wait().expect_err("an error").to_string(),
        Forger::spawn(true).expect_err("an error").to_string(),
        tree.start_child("child", Forger::builder(true)).expect_err("an error").to_string(),
        command()
            .ready(phalanx::command::Ready::line("listening"))
            .spawn()
            .expect_err("an error")
            .to_string(),
    ];
    for error in errors {
        eprintln!("[0 error] {error}");
    }
    command().spawn()?.join();
    Ok(())
}
