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
