//! The command line of the batch.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "usage: batch [--workers 1..256] [--deadline 2s] [FILE|FOLDER..]";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Worker processes.
    pub(crate) workers: usize,
    /// How long one file may take.
    pub(crate) deadline: Duration,
    /// Files, and folders of files; empty for the demonstration.
    pub(crate) paths: Vec<PathBuf>,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// A message that names the argument.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, String> {
    let mut options =
        Options { workers: phalanx::parallelism(), deadline: Duration::from_secs(2), paths: Vec::new() };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_default().to_string_lossy().into_owned();
        match arg.to_str() {
            Some("--workers") => options.workers = workers(&value())?,
            Some("--deadline") => options.deadline = deadline(&value())?,
            Some(name) if name.starts_with('-') => return Err(format!("there is no option {name}; {USAGE}")),
            _ => options.paths.push(PathBuf::from(arg)),
        }
    }
    Ok(options)
}

fn workers(text: &str) -> Result<usize, String> {
    let workers = text.parse().ok().filter(|workers| (1..=256).contains(workers));
    workers.ok_or_else(|| format!("--workers {text}: no such number; {USAGE}"))
}

fn deadline(text: &str) -> Result<Duration, String> {
    phalanx_examples::duration(text).ok_or_else(|| format!("--deadline {text}: no such time; {USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Options, String> {
        parse(text.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_stand_among_the_files() {
        let options = parsed("a --workers 3 b --deadline 500ms").unwrap();
        assert_eq!((options.workers, options.deadline), (3, Duration::from_millis(500)));
        assert_eq!(options.paths, ["a", "b"].map(PathBuf::from));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in ["--workers 0", "--workers many", "--deadline 0s", "--deadline"] {
            assert!(parsed(wrong).unwrap_err().starts_with(wrong), "{wrong}");
        }
        assert!(parsed("--fast").unwrap_err().contains("no option --fast"));
    }
}
