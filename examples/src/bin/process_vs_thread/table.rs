//! Thread, process, command: the table.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use phalanx::pool::TaskError;
use phalanx::prelude::*;
use phalanx::{Blob, Pool};

use crate::command::{as_command, crash};
use crate::figures::{Times, machine, private_memory};
use crate::sums::{Part, sum};

/// How many idle ones are measured.
const IDLE: usize = 16;
const LARGE: usize = 64 << 20;
/// How many times a speed is measured; the best counts.
const TRIES: usize = 3;

/// A process of phalanx for one unit of work.
#[actor]
struct Unit;

#[actor]
impl Unit {
    fn echo(&self, word: u64) -> u64 {
        word
    }

    fn length(&self, text: String) -> usize {
        text.len()
    }

    fn last(&self, bytes: Blob) -> Option<u8> {
        bytes.last().copied()
    }

    fn crash(&self) {
        crash();
    }

    fn hang(&self) {
        thread::sleep(Duration::from_secs(1000));
    }
}

pub(crate) fn print(unit: Duration, rounds: usize) -> phalanx::Result<()> {
    println!("{}; median and 99th percentile", machine());
    println!();
    println!("| quantity | thread | phalanx process | plain `Command` |");
    println!("|---|---|---|---|");
    row("start and join of a no-op", starts(rounds)?);
    row("private memory of one idle unit", idle()?);
    row("round trip of 8 bytes", round_trips(rounds)?);
    row("hand-over of 64 MiB", hand_overs(rounds.div_ceil(50))?);
    row("as many CPU-bound units as cores, against one", speed_ups(unit)?);
    row("a segfault in one unit", crashes()?);
    row("the same in one task of a pool of two", crash_in_pool()?);
    let hung = Unit.builder().deadline(unit).spawn()?.hang().wait();
    row("a hung unit", ["cannot be ended".into(), reason(hung), "to be killed by hand".into()]);
    row(
        "a limit of memory or time",
        ["none", "per unit: `memory`, `deadline`", "by hand"].map(str::to_owned),
    );
    Ok(())
}

fn row(quantity: &str, [thread, process, command]: [String; 3]) {
    println!("| {quantity} | {thread} | {process} | {command} |");
}

fn reason<T>(answer: Result<T, CallError>) -> String {
    match answer {
        Err(CallError::Died(reason, _)) => format!("ends one: {reason}"),
        Err(other) => other.to_string(),
        Ok(_) => "nothing".to_owned(),
    }
}

/// In turns, so that all kinds see the same state of the machine.
fn starts(rounds: usize) -> phalanx::Result<[String; 3]> {
    let mut times = [(); 3].map(|()| Times::default());
    for _ in 0..rounds {
        times[0].time(|| thread::spawn(|| ()).join().map_err(|_| phalanx::Error::new("it panicked")))?;
        times[1].time(|| Ok(Process::spawn(|()| (), ())?.join()?))?;
        times[2].time(|| Ok(as_command("nothing")?.status()?))?;
    }
    Ok(times.map(Times::text))
}

fn idle() -> phalanx::Result<[String; 3]> {
    let own = std::process::id();
    let (before, barrier) = (private_memory(own), Arc::new(Barrier::new(IDLE + 1)));
    let wait = |_| {
        let barrier = Arc::clone(&barrier);
        // Once to report that it runs, once to be released.
        thread::spawn(move || (barrier.wait(), barrier.wait()))
    };
    let threads: Vec<_> = (0..IDLE).map(wait).collect();
    barrier.wait();
    let thread = private_memory(own).saturating_sub(before) / IDLE as u64;
    barrier.wait();
    threads.into_iter().for_each(|thread| drop(thread.join()));

    let units = (0..IDLE).map(|_| Unit.spawn()).collect::<Result<Vec<_>, _>>()?;
    let pids = units.iter().map(|unit| unit.pid()).collect::<Result<Vec<_>, _>>()?;
    let process = pids.into_iter().map(private_memory).sum::<u64>() / IDLE as u64;

    let mut commands = (0..IDLE).map(|_| Echo::start()).collect::<phalanx::Result<Vec<_>>>()?;
    for command in &mut commands {
        command.echo(0)?;
    }
    let command = commands.iter().map(|command| private_memory(command.0.id())).sum::<u64>() / IDLE as u64;
    Ok([thread, process, command].map(|kib| format!("{kib} KiB")))
}

fn round_trips(rounds: usize) -> phalanx::Result<[String; 3]> {
    let (to, inbox) = mpsc::channel::<u64>();
    let (back, outbox) = mpsc::channel();
    let echo = thread::spawn(move || inbox.iter().try_for_each(|word| back.send(word)));
    let unit = Unit.spawn()?;
    let mut command = Echo::start()?;
    let mut times = [(); 3].map(|()| Times::default());
    for round in 0..rounds as u64 {
        times[0].time(|| {
            to.send(round)?;
            Ok(outbox.recv()?)
        })?;
        times[1].time(|| Ok(unit.echo(round).wait()?))?;
        times[2].time(|| command.echo(round))?;
    }
    drop(to);
    let _ = echo.join();
    Ok(times.map(Times::text))
}

fn hand_overs(rounds: usize) -> phalanx::Result<[String; 3]> {
    let (to, inbox) = mpsc::channel::<String>();
    let (back, outbox) = mpsc::channel();
    // There and back, so that freeing the text is not measured.
    let other = thread::spawn(move || inbox.iter().try_for_each(|text| back.send(text)));
    let unit = Unit.spawn()?;
    let mut times = [(); 4].map(|()| Times::default());
    for _ in 0..rounds {
        let text = "x".repeat(LARGE);
        let blob = Blob::build(LARGE, |bytes| bytes.fill(b'x'))?;
        times[3].time(|| swallow(&text))?;
        times[2].time(|| Ok(unit.last(blob.clone()).wait()?))?;
        let copy = text.clone();
        times[1].time(|| Ok(unit.length(copy).wait()?))?;
        times[0].time(|| {
            to.send(text)?;
            Ok(outbox.recv()?)
        })?;
    }
    drop(to);
    let _ = other.join();
    let [thread, copied, blob, command] = times.map(Times::text);
    let process = format!("{copied}; copied. As a `Blob`: {blob}; by reference");
    Ok([format!("{thread}; by reference"), process, format!("{command}; copied")])
}

/// Through the standard input of a command started for it.
fn swallow(text: &str) -> phalanx::Result<()> {
    let mut command = as_command("swallow")?.spawn()?;
    // Dropped at the end of the statement, which is the end of the command's input.
    command.stdin.take().ok_or(phalanx::Error::new("no pipe"))?.write_all(text.as_bytes())?;
    command.wait()?;
    Ok(())
}

/// How many times as much work is done in the same time.
fn speed_ups(unit: Duration) -> phalanx::Result<[String; 3]> {
    let cores = phalanx::parallelism();
    let part = Part { from: 0, to: unit.as_micros() as u64 * 100, wait: Duration::ZERO };
    let threads = |many: usize| {
        let threads: Vec<_> = (0..many).map(|_| thread::spawn(move || sum(part))).collect();
        threads.into_iter().for_each(|thread| drop(thread.join()));
        Ok(())
    };
    let processes = |many: usize| {
        let processes = (0..many).map(|_| Process::spawn(sum, part)).collect::<Result<Vec<_>, _>>()?;
        processes.iter().try_for_each(|process| process.join().map(drop))?;
        Ok(())
    };
    let commands = |many: usize| {
        let numbers = part.to.to_string();
        let start = |_| as_command(&numbers)?.spawn();
        let commands = (0..many).map(start).collect::<Result<Vec<_>, _>>()?;
        commands.into_iter().try_for_each(|mut command| command.wait().map(drop))?;
        Ok(())
    };
    Ok([speed_up(cores, threads)?, speed_up(cores, processes)?, speed_up(cores, commands)?])
}

/// By the best of several tries, the one least disturbed by the rest of the machine.
fn speed_up(cores: usize, work: impl Fn(usize) -> phalanx::Result<()>) -> phalanx::Result<String> {
    let mut best = [f64::INFINITY; 2];
    for _ in 0..TRIES {
        for (best, many) in best.iter_mut().zip([1, cores]) {
            let start = Instant::now();
            work(many)?;
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(format!("{:.2}", cores as f64 * best[0] / best[1]))
}

fn crashes() -> phalanx::Result<[String; 3]> {
    let in_thread = as_command("crash in a thread")?.status()?;
    let process = reason(Unit.spawn()?.crash().wait());
    let command = as_command("crash")?.status()?;
    Ok([format!("ends all: {in_thread}"), process, format!("ends one: {command}")])
}

/// The fate of the other tasks when one has crashed among them.
fn crash_in_pool() -> phalanx::Result<[String; 3]> {
    let pool = Pool::builder().workers(2).build()?;
    let task = |n: u64| if n == 50 { (crash(), n).1 } else { n };
    let results = pool.map_each(task, 0..100);
    let crashed: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let fine = results.len() - crashed.len();
    let ours = match crashed[..] {
        [TaskError::Died(reason, _)] => format!("ends one of 100 tasks: {reason}; {fine} have their results"),
        _ => format!("{crashed:?}"),
    };
    Ok(["ends all", &ours, "there are no pools"].map(str::to_owned))
}

/// A command that echoes its input.
struct Echo(Child);

impl Echo {
    fn start() -> phalanx::Result<Echo> {
        Ok(Echo(as_command("echo")?.stdin(Stdio::piped()).spawn()?))
    }

    fn echo(&mut self, word: u64) -> phalanx::Result<u64> {
        let mut answer = [0; 8];
        let Child { stdin: Some(stdin), stdout: Some(stdout), .. } = &mut self.0 else {
            return Err(phalanx::Error::new("no pipes"));
        };
        stdin.write_all(&word.to_ne_bytes())?;
        stdout.read_exact(&mut answer)?;
        Ok(u64::from_ne_bytes(answer))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
