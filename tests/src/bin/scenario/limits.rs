//! Programs that come up against limits.

use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Error, Fd};
use phalanx_tests::{EVENT_TIMEOUT, eventually, processes};

use crate::actors::{Witness, witness};
use crate::argument;

#[actor]
struct Number {
    number: u32,
}

#[actor]
impl Number {
    fn number(&self) -> u32 {
        self.number
    }
}

/// Starts as many actors as it is told, or as many as there can be.
#[phalanx::main]
pub(crate) fn many_actors() -> phalanx::Result<()> {
    let wanted: u32 = argument(2).parse()?;
    let mut actors = Vec::new();
    for number in 0..wanted {
        match (Number { number }).spawn() {
            Ok(actor) => actors.push(actor),
            Err(error) => {
                let limit = if let SpawnError::Limit { limit, .. } = &error { limit } else { "none" };
                println!("limit {limit}: {error}");
                break;
            }
        }
    }
    let answers = |(number, actor): (usize, &ActorRef<Number>)| {
        actor.number().wait().is_ok_and(|answer| answer as usize == number)
    };
    println!("{} of {} answer", actors.iter().enumerate().filter(|&it| answers(it)).count(), actors.len());
    Ok(())
}

/// Starts actors with names, and keeps no ref.
#[actor]
struct Namer;

#[actor]
impl Namer {
    fn give(&self, wanted: u32) -> String {
        for number in 0..wanted {
            let named = Number { number }.builder().registered(format!("number {number}")).spawn();
            if let Err(error) = named {
                return format!("{number} names: {error}");
            }
        }
        format!("{wanted} names")
    }
}

/// Gives names away from below an actor, as many as it is told, or as many as there can be; and again when
/// those are free.
#[phalanx::main]
pub(crate) fn many_names() -> phalanx::Result<()> {
    for wanted in [argument(2).parse()?, 3] {
        let namer = Namer.spawn()?;
        println!("{}", namer.give(wanted).wait()?);
        namer.stop(EVENT_TIMEOUT)?;
    }
    println!("{} left", phalanx::names::registered()?.len());
    Ok(())
}

/// Takes and gives descriptors.
#[actor]
struct Giver;

#[actor]
impl Giver {
    fn ping(&self) {}

    fn give(&self) -> phalanx::Result<Fd> {
        Ok(Fd::new(File::open("/dev/null")?))
    }

    #[tell]
    fn take(&self, _fd: Fd) {}
}

/// Has more descriptors under way than the system allows, and asks for one more.
#[phalanx::main]
pub(crate) fn descriptors_under_way() -> phalanx::Result<()> {
    let (giver, deaf) = (Giver.spawn()?, Giver.spawn()?);
    giver.ping().wait()?;
    let signal = |name: &str| {
        Command::new("kill").args([name, &deaf.pid()?.to_string()]).status().map_err(Error::from)
    };
    signal("-STOP")?;
    // Until it is, it may still take a message that comes, and so make room for another descriptor.
    let pid = deaf.pid()?;
    eventually("its stop", EVENT_TIMEOUT, || processes::stat(pid).is_some_and(|stat| stat.state == 'T'));
    let under_way = (0..200)
        .take_while(|_| File::open("/dev/null").is_ok_and(|file| deaf.try_take(Fd::new(file)).is_ok()));
    println!("refused: {}", under_way.count() < 200);
    match giver.within(EVENT_TIMEOUT).give().wait() {
        Err(CallError::Unreachable(error, _)) => println!("not given: {error}"),
        other => println!("{other:?}"),
    }
    println!("ping: {:?}", giver.within(EVENT_TIMEOUT).ping().wait());
    signal("-CONT")?;
    // The first call to it brings a descriptor, too.
    eventually("an empty mailbox", EVENT_TIMEOUT, || deaf.depth() == 0);
    deaf.within(EVENT_TIMEOUT).ping().wait()?;
    println!("given: {}", giver.within(EVENT_TIMEOUT).give().wait().is_ok());
    println!("ping: {:?}", giver.within(EVENT_TIMEOUT).ping().wait());
    Ok(())
}

/// Prints more than a pipe holds.
#[actor]
struct Printer;

#[actor]
impl Printer {
    fn print(&self, bytes: usize) -> phalanx::Result<()> {
        let line = [b'x'; 1023];
        let mut out = std::io::stdout().lock();
        for _ in 0..bytes / (line.len() + 1) {
            out.write_all(&line)?;
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }
}

/// Says on standard error what becomes of it.
#[phalanx::main]
pub(crate) fn prints_a_lot() -> phalanx::Result<()> {
    let printer = Printer.spawn()?;
    let mut printed = printer.print(10 << 20);
    let other: ActorRef<Witness> = witness("other")?;
    match printed.wait_timeout(Duration::from_millis(500)) {
        Err(CallError::Timeout(at)) => eprintln!("no answer from {}", at.method()),
        other => eprintln!("{other:?}"),
    }
    // Standard output is not touched by this one.
    other.hire("third".into()).wait()?;
    eprintln!("others answer");
    printed.wait()?;
    eprintln!("printed");
    Ok(())
}

#[actor]
struct Sized;

#[actor]
impl Sized {
    fn len(&self, bytes: String) -> usize {
        bytes.len()
    }
}

/// Starts an actor, and sends it what travels in a memory file.
#[phalanx::main]
pub(crate) fn file_size() -> phalanx::Result<()> {
    match Sized.spawn() {
        Ok(actor) => {
            println!("{:?}", actor.len("small".to_owned()).wait()?);
            match actor.len("large".repeat(20_000)).wait() {
                Ok(len) => println!("{len}"),
                Err(error) => println!("call: {error}"),
            }
        }
        Err(SpawnError::Limit { limit, error, .. }) => println!("limit {limit}: {error}"),
        Err(error) => println!("other: {error}"),
    }
    Ok(())
}
