//! The command line of the service.

use std::net::SocketAddr;
use std::time::Duration;

const USAGE: &str = "usage: service [--listen ADDRESS:PORT] [--decoders 1..64] [--deadline 2s] [--drain 10s]";

/// How to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where; port 0 is any free one.
    pub(crate) listen: SocketAddr,
    /// How many decoder processes.
    pub(crate) decoders: u32,
    /// How long a request may take once its file has arrived.
    pub(crate) deadline: Duration,
    /// How long requests that are under way have when the service is asked to end.
    pub(crate) drain: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            decoders: 4,
            deadline: Duration::from_secs(2),
            drain: Duration::from_secs(10),
        }
    }
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// A message that names the argument.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = args.into_iter();
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} has no value; {USAGE}"))?;
        let wrong = || format!("{name} {value}: no such value; {USAGE}");
        match name.as_str() {
            "--listen" => options.listen = value.parse().map_err(|_| wrong())?,
            "--decoders" => options.decoders = number(&value).ok_or_else(wrong)?,
            "--deadline" => options.deadline = duration(&value).ok_or_else(wrong)?,
            "--drain" => options.drain = duration(&value).ok_or_else(wrong)?,
            _ => return Err(format!("there is no option {name}; {USAGE}")),
        }
    }
    Ok(options)
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| (1..=64).contains(number))
}

/// `500ms` or `2s`, above zero and at most an hour.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=3_600_000).contains(&millis).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Options, String> {
        parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_given_is_taken_and_the_rest_has_defaults() {
        assert_eq!(parsed(""), Ok(Options::default()));
        let options = parsed("--decoders 2 --deadline 500ms --listen 0.0.0.0:80 --drain 1s").unwrap();
        assert_eq!((options.decoders, options.deadline), (2, Duration::from_millis(500)));
        assert_eq!((options.listen.port(), options.drain), (80, Duration::from_secs(1)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in ["--decoders 0", "--decoders 65", "--deadline 0s", "--deadline soon", "--listen here"] {
            assert!(parsed(wrong).unwrap_err().starts_with(wrong), "{wrong}");
        }
        assert!(parsed("--fast yes").unwrap_err().contains("no option --fast"));
        assert!(parsed("--drain").unwrap_err().contains("--drain has no value"));
    }
}
