//! One actor that crashes again and again under load: each crash costs the message that caused it, and no
//! other.

use phalanx::Restart;
use phalanx::prelude::*;
use std::time::Duration;

use crate::args::Options;
use crate::client::{self, Account, DEADLINE};
use crate::random::Random;
use crate::report::{Crashes, Report};
use crate::storm::{interruptions, leftovers};
use crate::worker::{Death, Worker};

const CLIENTS: u32 = 4;

pub(crate) fn run(times: u64, options: &Options) -> phalanx::Result<Report> {
    let worker = Worker::default()
        .builder()
        .restart(Restart::Permanent)
        .intensity(u32::MAX, Duration::from_secs(1))
        .mailbox(1024)
        .spawn()?;
    // The clients go on until the last crash: until this file is gone.
    let going = std::env::temp_dir().join(format!("phalanx-chaos-{}", std::process::id()));
    std::fs::write(&going, "")?;
    let client = |number| client::until_gone::spawn(worker.clone(), number, options.seed, going.clone());
    let clients = (0..CLIENTS).map(client);
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let mut random = Random::new(options.seed);
    let mut crashes = Crashes { ordered: times, ..Crashes::default() };
    for _ in 0..times {
        let how = Death::ALL[random.below(Death::ALL.len())];
        match worker.within(DEADLINE).die(how).wait() {
            Err(CallError::Died(..)) => crashes.lost += 1,
            _ => crashes.other += 1,
        }
    }
    let mut account = Account::default();
    std::fs::remove_file(&going)?;
    for client in clients {
        account.add(&client.join()?);
    }
    crashes.incarnation = worker.incarnation();
    let (interrupted, cut) = interruptions();
    let recovered = worker.within(DEADLINE).work(u32::MAX, 1, String::new()).wait().is_ok();
    phalanx::shutdown();
    let (kills, leftovers, options) = (times, leftovers(), *options);
    let crashes = Some(crashes);
    Ok(Report {
        options,
        kills,
        account,
        interrupted,
        cut,
        recovered,
        leftovers,
        crashes,
        pool: None,
        bungled: None,
    })
}
