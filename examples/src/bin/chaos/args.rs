//! The command line.

use std::time::Duration;

pub(crate) const HELP: &str = "\
Kills what phalanx runs, at random, and looks whether its promises hold.

Usage: chaos [--seconds N] [--seed N] [--json]
       chaos --crashes N [--seed N] [--json]
       chaos --pool [--tasks N] [--workers N] [--idempotent] [--seed N] [--json]

Blows from outside: SIGKILL, SIGSEGV, SIGSTOP, SIGTERM, to actors and supervisors. Blows that actors deal themselves: one
of their descriptors closed, all of them, a fork whose copy returns from the handler too. Each costs the message in progress
at most. Other actors also shut a socket down, take all descriptors and wipe the page that they share: the calls made to them
end in an answer or a typed error by their deadline, and the actor beside them notices nothing.

  --seconds N   how long to kill (default: 60)
  --seed N      of the random numbers, printed in the report (default: by the clock)
  --crashes N   crash one actor N times under load instead, and count the lost calls on both sides
  --pool        a pool of workers that are killed, one every 50 ms, and count what becomes of each task
  --tasks N     how many tasks the pool is given (default: 100000)
  --workers N   how many workers it has (default: 4)
  --idempotent  tasks say that they may be repeated: then all of them succeed
  --json        the report as one JSON object

Exit code: 0 if every promise held, 1 if one broke, 2 for a wrong command line.
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Storm(Options),
    Crashes(u64, Options),
    Pool(Load, Options),
}

/// The load of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) tasks: u64,
    pub(crate) workers: usize,
    pub(crate) idempotent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    pub(crate) json: bool,
}

pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Command, String> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut options =
        Options { time: Duration::from_secs(60), seed: clock.as_nanos() as u64 & 0xffff_ffff, json: false };
    let mut args = args;
    let mut load = Load { tasks: 100_000, workers: 4, idempotent: false };
    let (mut crashes, mut pool) = (None, false);
    // The last option that belongs to one kind of chaos only.
    let (mut timed, mut loaded) = (None, None);
    while let Some(arg) = args.next() {
        let mut number = |least: u64| -> Result<u64, String> {
            let value = args.next().ok_or_else(|| format!("`{arg}` needs a number"))?;
            let number = value.parse().ok().filter(|&number| number >= least);
            number.ok_or_else(|| format!("`{arg}` needs a number from {least} on, not `{value}`"))
        };
        match arg.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--json" => options.json = true,
            "--seconds" => options.time = Duration::from_secs(number(0)?.max(1)),
            "--seed" => options.seed = number(0)?,
            "--crashes" => crashes = Some(number(0)?),
            "--pool" => pool = true,
            "--tasks" => load.tasks = number(1)?,
            "--workers" => load.workers = usize::try_from(number(1)?).unwrap_or(usize::MAX),
            "--idempotent" => load.idempotent = true,
            other => return Err(format!("unknown argument `{other}`; `--help` lists all")),
        }
        match arg.as_str() {
            "--seconds" => timed = Some(arg),
            "--tasks" | "--workers" | "--idempotent" => loaded = Some(arg),
            _ => {}
        }
    }
    match (crashes, pool, timed, loaded) {
        (Some(_), true, ..) => Err("`--crashes` and `--pool` are two kinds of chaos: choose one".to_owned()),
        (_, false, _, Some(arg)) => Err(format!("`{arg}` is for `--pool`, which is not there")),
        (_, true, Some(arg), _) => Err(format!("`{arg}` is not for `--pool`, which ends with its tasks")),
        (Some(_), _, Some(arg), _) => {
            Err(format!("`{arg}` is not for `--crashes`, which ends with the last of them"))
        }
        (_, true, ..) => Ok(Command::Pool(load, options)),
        (Some(times), ..) => Ok(Command::Crashes(times, options)),
        (None, ..) => Ok(Command::Storm(options)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, String> {
        parse(args.iter().map(|arg| (*arg).to_owned()))
    }

    #[test]
    fn options_are_read() {
        let expected = Options { time: Duration::from_secs(5), seed: 7, json: true };
        assert_eq!(parsed(&["--seconds", "5", "--seed", "7", "--json"]), Ok(Command::Storm(expected)));
        let expected = Options { time: Duration::from_secs(60), seed: 7, json: false };
        assert_eq!(parsed(&["--crashes", "10", "--seed", "7"]), Ok(Command::Crashes(10, expected)));
    }

    #[test]
    fn a_pool_has_its_own_options() {
        let options = Options { time: Duration::from_secs(60), seed: 7, json: false };
        let load = Load { tasks: 100_000, workers: 4, idempotent: false };
        assert_eq!(parsed(&["--pool", "--seed", "7"]), Ok(Command::Pool(load, options)));
        let load = Load { tasks: 5, workers: 2, idempotent: true };
        let given = parsed(&["--seed", "7", "--tasks", "5", "--workers", "2", "--pool", "--idempotent"]);
        assert_eq!(given, Ok(Command::Pool(load, options)));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for args in [&["--sseconds"][..], &["--seed"], &["--seed", "x"], &["--seconds", "-1"]] {
            assert!(parsed(args).unwrap_err().contains("--s"));
        }
    }
    #[test]
    fn what_does_not_go_together_is_refused() {
        for (args, words) in [
            (&["--pool", "--crashes", "3"][..], "choose one"),
            (&["--crashes", "3", "--pool", "--tasks", "5"], "choose one"),
            (&["--pool", "--seconds", "3"], "`--seconds` is not for `--pool`"),
            (&["--seconds", "3", "--crashes", "3"], "`--seconds` is not for `--crashes`"),
            (&["--tasks", "3"], "`--tasks` is for `--pool`"),
            (&["--workers", "3"], "`--workers` is for `--pool`"),
            (&["--crashes", "3", "--idempotent"], "`--idempotent` is for `--pool`"),
            (&["--pool", "--tasks", "0"], "from 1 on"),
            (&["--pool", "--workers", "0"], "from 1 on"),
        ] {
            let message = parsed(args).unwrap_err();
            assert!(message.contains(words), "{args:?}: {message}");
        }
    }
}
