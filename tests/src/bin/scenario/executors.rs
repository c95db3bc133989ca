//! Programs whose `main` belongs to an executor, and what they leave to phalanx.

use std::process;

use phalanx::prelude::*;
use phalanx_tests::FOREVER;

use crate::actors::{Witness, witness};

async fn serve() -> phalanx::Result<()> {
    let worker = Witness.builder().name("worker").spawn_async().await?;
    worker.say("the actor works".into()).await?;
    println!("main ends");
    Ok(())
}

/// The executor's attribute stands below.
#[phalanx::main]
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn below() -> phalanx::Result<()> {
    serve().await
}

/// The executor's attribute stands above, and has been expanded before.
#[tokio::main(flavor = "current_thread")]
#[phalanx::main]
pub(crate) async fn above() -> phalanx::Result<()> {
    serve().await
}

/// Leaves SIGINT and SIGTERM as they are.
#[phalanx::main(signals = false)]
pub(crate) fn keeps_signals() -> phalanx::Result<()> {
    let worker = witness("worker")?;
    println!("{}", process::id());
    worker.join_timeout(FOREVER);
    Ok(())
}

/// Counts, slowly enough to have a full mailbox.
#[actor(mailbox = 1)]
struct Counter {
    seen: u32,
}

#[actor]
impl Counter {
    #[tell]
    fn note(&mut self) {
        std::thread::sleep(std::time::Duration::from_millis(5));
        self.seen += 1;
    }

    #[on_stop]
    fn stop(&mut self) {
        println!("{} seen", self.seen);
    }
}

/// Ends while messages are parked.
#[phalanx::main]
pub(crate) fn parked() -> phalanx::Result<()> {
    let counter = Counter { seen: 0 }.spawn()?;
    for _ in 0..10 {
        counter.when_room().note()?;
    }
    println!("10 parked");
    Ok(())
}
