//! The command line of the census.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Surveys Rust source code without ever dying of it.

Every .rs file below the given directories is parsed in a process of its own kind; a file
that kills its parser, or takes too long, costs that file only, and is named in the report.

Usage: census [OPTIONS] [DIR...]

  DIR...            directories to survey; default: the source folder of cargo's registry if it
                    exists, else the repository that `cargo run` was called in, else `.`

Options:
      --workers N   parser processes, 1 to 256; default: one per core (never more than files)
      --deadline T  time limit for one file, such as 5s, 500ms, 1.5s or 1m; default: 5s
      --demo-poison adds five generated files, each of which kills its parser in another way
      --json        one JSON object on stdout instead of the tables
  -h, --help        this text

Symbolic links are followed; every file is surveyed once, whatever leads to it. Files that are
unreadable, not UTF-8, not Rust, or that kill their parser, and links that form a loop, are listed
with the reason. Progress goes to stderr.

Exit codes:
  0  the survey ran to its end; files that could not be surveyed are named, and do not change this
  1  there is no .rs file to survey, or the survey could not go on
  2  the arguments are wrong, or a directory is missing or cannot be read
";

/// The options of the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Survey(Options),
}

/// How to survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Parser processes; `None` for one per core.
    pub(crate) workers: Option<usize>,
    /// Time limit for one file.
    pub(crate) deadline: Duration,
    pub(crate) demo_poison: bool,
    pub(crate) json: bool,
    /// As given; empty for the default.
    pub(crate) dirs: Vec<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            workers: None,
            deadline: Duration::from_secs(5),
            demo_poison: false,
            json: false,
            dirs: vec![],
        }
    }
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// A message that names the argument and what is expected of it.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        // Only options must be UTF-8; a directory may have any name that the system allows.
        let text = arg.to_str().unwrap_or_default();
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (text, None),
        };
        let mut value = || attached.clone().or_else(|| args.next().map(|v| v.to_string_lossy().into_owned()));
        match name {
            "-h" | "--help" | "--demo-poison" | "--json" if attached.is_some() => {
                return Err(format!("{name} takes no value"));
            }
            "-h" | "--help" => return Ok(Command::Help),
            "--demo-poison" => options.demo_poison = true,
            "--json" => options.json = true,
            "--workers" => options.workers = Some(workers(value())?),
            "--deadline" => options.deadline = deadline(value())?,
            "--" => options.dirs.extend(args.by_ref().map(PathBuf::from)),
            _ if text.starts_with('-') => return Err(format!("there is no option {text}; see --help")),
            _ => options.dirs.push(PathBuf::from(arg)),
        }
    }
    Ok(Command::Survey(options))
}

fn workers(value: Option<String>) -> Result<usize, String> {
    let value = value.ok_or("--workers needs a number of processes, 1 to 256")?;
    match value.parse() {
        Ok(number @ 1..=256) => Ok(number),
        _ => Err(format!("--workers {value}: expected a number of processes, 1 to 256")),
    }
}

fn deadline(value: Option<String>) -> Result<Duration, String> {
    let value = value.ok_or("--deadline needs a time such as 5s or 500ms")?;
    duration(&value)
        .ok_or_else(|| format!("--deadline {value}: expected a time such as 5s or 500ms, above zero"))
}

/// A number and a unit (`ms`, `s` or `m`), above zero and at most a day.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    let duration = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
    (!duration.is_zero() && duration <= Duration::from_secs(86_400)).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(args: &[&str]) -> Options {
        match parse(args.iter().map(OsString::from)) {
            Ok(Command::Survey(options)) => options,
            other => panic!("{args:?}: {other:?}"),
        }
    }

    fn refusal(args: &[&str]) -> String {
        parse(args.iter().map(OsString::from)).unwrap_err()
    }

    #[test]
    fn nothing_given_means_the_defaults() {
        assert_eq!(survey(&[]), Options::default());
    }

    #[test]
    fn everything_given_is_taken() {
        let expected = Options {
            workers: Some(3),
            deadline: Duration::from_millis(500),
            demo_poison: true,
            json: true,
            dirs: vec!["a".into(), "b".into(), "--c".into()],
        };
        let spaced =
            ["a", "--workers", "3", "--deadline", "500ms", "--demo-poison", "--json", "b", "--", "--c"];
        assert_eq!(survey(&spaced), expected);
        let attached = ["a", "--workers=3", "--deadline=0.5s", "--demo-poison", "--json", "b", "--", "--c"];
        assert_eq!(survey(&attached), expected);
    }

    #[test]
    fn a_directory_may_have_any_name() {
        use std::os::unix::ffi::OsStringExt;
        let name = OsString::from_vec(vec![b'd', 0xff]);
        let Ok(Command::Survey(options)) = parse([name.clone()]) else { panic!("a name that is not UTF-8") };
        assert_eq!(options.dirs, [PathBuf::from(name)]);
        assert_eq!(survey(&["a=b"]).dirs, [PathBuf::from("a=b")]);
    }

    #[test]
    fn help_wins() {
        assert_eq!(parse(["dir", "--help"].map(OsString::from)), Ok(Command::Help));
        assert_eq!(parse(["-h"].map(OsString::from)), Ok(Command::Help));
    }

    #[test]
    fn times_have_units() {
        assert_eq!(survey(&["--deadline", "2m"]).deadline, Duration::from_secs(120));
        for wrong in ["5", "0s", "s", "-1s", "5h", "1e3s", "infs", "", "5 s", "99999999999m"] {
            assert!(refusal(&["--deadline", wrong]).contains("such as 5s or 500ms"), "{wrong}");
        }
        assert!(refusal(&["--deadline"]).contains("--deadline needs"));
    }

    #[test]
    fn workers_are_1_to_256() {
        assert_eq!(survey(&["--workers", "256"]).workers, Some(256));
        for wrong in ["0", "257", "-1", "two", ""] {
            assert!(refusal(&["--workers", wrong]).contains("1 to 256"), "{wrong}");
        }
        assert!(refusal(&["--workers"]).contains("--workers needs"));
    }

    #[test]
    fn unknown_options_are_named() {
        assert!(refusal(&["--fast"]).contains("--fast"));
        assert!(refusal(&["-x"]).contains("-x"));
        assert!(refusal(&["--json=yes"]).contains("--json takes no value"));
    }
}
