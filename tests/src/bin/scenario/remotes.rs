//! What cases about remote managers need of whole programs.

use std::time::Duration;

use phalanx::{PutError, Queue, remote};
use phalanx_tests::recorder::{Recorder, Value, secret};

use crate::argument;

/// Serves a recorder and a queue until it is killed, and prints where.
#[phalanx::main]
pub(crate) fn manager() -> phalanx::Result<()> {
    let manager = remote::serve("127.0.0.1:0", &secret())?;
    manager.actor("recorder", &Recorder { effects: Vec::new() }.spawn()?)?;
    manager.queue("jobs", &Queue::<u64>::bounded(10)?)?;
    println!("{}", manager.addr());
    manager.join_timeout(Duration::from_secs(60));
    Ok(())
}

/// Tells the recorder of a manager a thousand things, and ends.
#[phalanx::main]
pub(crate) fn teller() -> phalanx::Result<()> {
    let recorder = remote::connect(argument(2), &secret())?.actor::<Recorder>("recorder")?;
    for effect in 0..1000 {
        recorder.note_quietly(effect)?;
    }
    Ok(())
}

/// Puts into the one queue what comes out of the other; then something that cannot be encoded.
#[phalanx::main]
pub(crate) fn echo() -> phalanx::Result<()> {
    let node = remote::connect(argument(2), &secret())?;
    let (jobs, echoes) = (node.queue::<Value>("jobs")?, node.queue::<Value>("echoes")?);
    for value in jobs.iter() {
        echoes.put(value?)?;
    }
    let refused = echoes.put(Value::Refusing(1));
    let is_refused = matches!(&refused, Err(PutError::Codec(Value::Refusing(1), error)) if error.contains("it does not want to"));
    echoes.put(Value::Bool(!is_refused))?;
    println!("cannot be encoded, and the link works on");
    Ok(())
}

/// Leases an item, prints it, and keeps it.
#[phalanx::main]
pub(crate) fn holder() -> phalanx::Result<()> {
    let jobs = remote::connect(argument(2), &secret())?.queue::<u64>("jobs")?;
    let lease = jobs.lease()?;
    println!("{}", *lease);
    std::thread::sleep(Duration::from_secs(60));
    Ok(())
}

/// Puts squares for as long as there are jobs.
#[phalanx::main]
pub(crate) fn squarer() -> phalanx::Result<()> {
    let node = remote::connect(argument(2), &secret())?;
    let (jobs, results) = (node.queue::<u64>("jobs")?, node.queue::<(u64, u64)>("results")?);
    let mut is_new = true;
    for job in jobs.leases() {
        let job = job?;
        if std::mem::take(&mut is_new) {
            println!("working");
        }
        std::thread::sleep(Duration::from_millis(5));
        results.put((*job, *job * *job))?;
        job.ack()?;
    }
    Ok(())
}
