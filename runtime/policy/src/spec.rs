//! What users say about supervision: strategy, restart, shutdown, intensity, backoff.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;
use crate::machine::{ChildRules, Rules};

/// Which children a supervisor restarts when one of them ends.
///
/// The words are those of OTP's
/// [`supervisor`](https://www.erlang.org/doc/apps/stdlib/supervisor.html#module-restart-strategy). Children
/// start in the order of their specs, each when the one before is up, and stop in reverse, one after the
/// other.
///
/// ```
/// use phalanx::Strategy;
/// assert_eq!(Strategy::default(), Strategy::OneForOne);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Strategy {
    /// Only the child that ended. The default.
    #[default]
    OneForOne,
    /// All of them: the others are stopped in reverse order, then all start in order.
    ///
    /// A child that was terminated, or is done, is not among them: unlike in OTP, it stays down.
    OneForAll,
    /// The child that ended and those after it; the ones before keep running.
    RestForOne,
    /// Children that are added at run time and know nothing of each other: started and stopped in parallel;
    /// one that is not restarted is forgotten. OTP's `simple_one_for_one`, Elixir's `DynamicSupervisor`.
    Dynamic,
}

impl Strategy {
    /// The words of the attributes for these.
    pub const WORDS: &[(&str, Strategy)] = &[
        ("one_for_one", Strategy::OneForOne),
        ("one_for_all", Strategy::OneForAll),
        ("rest_for_one", Strategy::RestForOne),
        ("dynamic", Strategy::Dynamic),
    ];
}

/// Whether a child that ends by itself is restarted.
///
/// OTP's [restart types](https://www.erlang.org/doc/apps/stdlib/supervisor.html#t:restart/0). A child that
/// was stopped on purpose is never restarted, whatever its type.
///
/// ```
/// use phalanx::Restart;
/// assert_eq!(Restart::default(), Restart::Permanent);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Restart {
    /// Always. The default.
    #[default]
    Permanent,
    /// Only after a crash. After another end it stays down, with its spec.
    Transient,
    /// Never, and its spec is dropped with it.
    Temporary,
}

impl Restart {
    /// The words of the attributes for these.
    pub const WORDS: &[(&str, Restart)] = &[
        ("permanent", Restart::Permanent),
        ("transient", Restart::Transient),
        ("temporary", Restart::Temporary),
    ];
}

/// How a child is stopped.
///
/// OTP's [`shutdown`](https://www.erlang.org/doc/apps/stdlib/supervisor.html#t:shutdown/0). The default, 5 s,
/// is OTP's for workers; supervisors among the children get [`Infinity`](Shutdown::Infinity).
///
/// ```
/// use phalanx::Shutdown;
/// use std::time::Duration;
/// assert_eq!(Shutdown::default(), Shutdown::Timeout(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Shutdown {
    /// SIGKILL at once; `#[on_stop]` does not run.
    BrutalKill,
    /// It is asked to stop, and gets SIGKILL when this time is over.
    Timeout(Duration),
    /// It is asked to stop, and waited for as long as it takes.
    Infinity,
}

impl Shutdown {
    /// The words of the attributes for these.
    pub const WORDS: &[(&str, Shutdown)] =
        &[("brutal_kill", Shutdown::BrutalKill), ("infinity", Shutdown::Infinity)];
}

/// How long a stop may take.
impl From<Duration> for Shutdown {
    fn from(grace: Duration) -> Shutdown {
        Shutdown::Timeout(grace)
    }
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown::Timeout(Duration::from_secs(5))
    }
}

/// What happens to queued messages when an actor is stopped in order.
///
/// Those that are not handled fail: calls end with `CallError::Stopped`, tells are dead letters. Only
/// messages queued at that moment are meant; later ones fail in any case.
///
/// ```
/// assert_eq!(phalanx::Drain::default(), phalanx::Drain::AtEnd);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Drain {
    /// They are handled at the end of the program, and fail at any other stop.
    #[default]
    AtEnd,
    /// They are handled at every orderly stop, for as long as its grace allows.
    Always,
    /// They fail, at the end of the program too.
    Never,
}

impl Drain {
    /// The words of the attributes for these.
    pub const WORDS: &[(&str, Drain)] =
        &[("at_end", Drain::AtEnd), ("always", Drain::Always), ("never", Drain::Never)];
}

/// Where the standard output and the standard error of an actor or a task go, as an attribute says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Destination {
    /// The streams of the program.
    Inherit,
    /// The log of the program, line by line.
    Log,
    /// Nowhere.
    Null,
}

impl Destination {
    /// The words of the attributes for these.
    pub const WORDS: &[(&str, Destination)] =
        &[("inherit", Destination::Inherit), ("log", Destination::Log), ("null", Destination::Null)];
}

/// Whether a supervisor ends when significant children have ended by themselves.
///
/// OTP's [`auto_shutdown`](https://www.erlang.org/doc/apps/stdlib/supervisor.html#module-automatic-shutdown).
/// A child that is restarted has not ended in this sense, nor has one that was terminated on purpose.
///
/// ```
/// use phalanx::AutoShutdown;
/// assert_eq!(AutoShutdown::default(), AutoShutdown::Never);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AutoShutdown {
    /// It does not; no child may be significant. The default.
    #[default]
    Never,
    /// With the first significant child that ends.
    AnySignificant,
    /// With the last one.
    AllSignificant,
}

impl AutoShutdown {
    /// The words of the attributes for these.
    pub const WORDS: &[(&str, AutoShutdown)] = &[
        ("never", AutoShutdown::Never),
        ("any_significant", AutoShutdown::AnySignificant),
        ("all_significant", AutoShutdown::AllSignificant),
    ];
}

/// How many restarts are allowed within a window of time. After one more, the supervisor gives up.
///
/// OTP's `intensity` and `period`. A restart counts for exactly the window, to the nanosecond; a failed
/// attempt to restart counts as one; a crash that restarts several children counts once. `restarts` may be 0:
/// then the first crash is too much.
///
/// Default: 1 in 10 s (OTP: 1 in 5 s).
///
/// ```
/// use phalanx::Intensity;
/// use std::time::Duration;
///
/// const BEARABLE: Intensity = Intensity::new(5, Duration::from_secs(10));
/// assert_eq!("5 in 10s".parse(), Ok(BEARABLE));
/// assert_eq!(BEARABLE.to_string(), "5 in 10s");
/// assert_eq!(Intensity::default().to_string(), "1 in 10s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intensity {
    /// How many restarts are allowed.
    pub restarts: u32,
    /// For how long each of them counts; not zero.
    pub window: Duration,
}

impl Intensity {
    /// So many restarts within that time. A window of zero is refused where the supervisor is started.
    ///
    /// ```
    /// use phalanx::Intensity;
    /// use std::time::Duration;
    /// assert_eq!(Intensity::new(3, Duration::from_millis(1500)).to_string(), "3 in 1500ms");
    /// ```
    pub const fn new(restarts: u32, window: Duration) -> Intensity {
        Intensity { restarts, window }
    }

    fn check(self) -> Result<Intensity, SpecError> {
        if self.window.is_zero() { Err(SpecError::ZeroWindow) } else { Ok(self) }
    }
}

impl Default for Intensity {
    fn default() -> Intensity {
        Intensity::new(1, Duration::from_secs(10))
    }
}

impl fmt::Display for Intensity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.restarts, duration::format(self.window))
    }
}

/// Reads `"5 in 10s"`; the units are ns, us, ms, s, m and h.
///
/// # Errors
///
/// [`SpecError::Intensity`] if it is not of that form, [`SpecError::ZeroWindow`] if the window is zero.
impl FromStr for Intensity {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Intensity, SpecError> {
        let read = || {
            let (restarts, window) = text.split_once(" in ")?;
            // `parse` alone would take a sign.
            let digits = restarts.bytes().all(|byte| byte.is_ascii_digit());
            let restarts = restarts.parse().ok().filter(|_| digits)?;
            Some(Intensity::new(restarts, duration::parse(window)?))
        };
        read().ok_or_else(|| SpecError::Intensity(text.to_owned()))?.check()
    }
}

/// How long to wait before a restart: longer with each attempt in a row, and with jitter.
///
/// The wait before the n-th attempt in a row is drawn evenly from the upper half of what doubling has come
/// to: from `max(min, top / 2)` to `top`, where `top = min(max, min · 2ⁿ)`. So it is never below `min` nor
/// above `max`. With `min == max` it is exactly that.
///
/// Attempts count as in a row until the child has been healthy, that is up for at least `max` and the window
/// of its [`Intensity`], whichever is longer.
///
/// Without a backoff (the default, and OTP's way) restarts are immediate.
///
/// ```
/// use phalanx::Backoff;
/// use std::time::Duration;
///
/// const PATIENT: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
/// assert_eq!("100ms..30s".parse(), Ok(PATIENT));
/// assert_eq!(PATIENT.to_string(), "100ms..30s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Backoff {
    /// The shortest wait; not zero.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// Waits from `min` to `max`. A `min` of zero, or above `max`, is refused where the supervisor is
    /// started.
    ///
    /// ```
    /// use phalanx::Backoff;
    /// use std::time::Duration;
    /// let always = Duration::from_millis(200);
    /// assert_eq!(Backoff::new(always, always).to_string(), "200ms..200ms");
    /// ```
    pub const fn new(min: Duration, max: Duration) -> Backoff {
        Backoff { min, max }
    }

    fn check(self) -> Result<Backoff, SpecError> {
        if self.min.is_zero() {
            return Err(SpecError::ZeroBackoff);
        }
        if self.min > self.max { Err(SpecError::BackoffOrder(self)) } else { Ok(self) }
    }
}

impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", duration::format(self.min), duration::format(self.max))
    }
}

/// Reads `"100ms..30s"`; the units are ns, us, ms, s, m and h.
///
/// # Errors
///
/// [`SpecError::Backoff`] if it is not of that form, [`SpecError::ZeroBackoff`] or
/// [`SpecError::BackoffOrder`] if its values are invalid.
impl FromStr for Backoff {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Backoff, SpecError> {
        let read = || {
            let (min, max) = text.split_once("..")?;
            Some(Backoff::new(duration::parse(min)?, duration::parse(max)?))
        };
        read().ok_or_else(|| SpecError::Backoff(text.to_owned()))?.check()
    }
}

/// Why the specs of a supervisor are invalid. Nothing was started.
///
/// ```
/// use phalanx::{Backoff, Intensity, SpecError};
/// assert_eq!("1 in 0s".parse::<Intensity>(), Err(SpecError::ZeroWindow));
/// assert_eq!("-1 in 1s".parse::<Intensity>(), Err(SpecError::Intensity("-1 in 1s".into())));
/// assert!(matches!("2s..1s".parse::<Backoff>(), Err(SpecError::BackoffOrder(_))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SpecError {
    /// This text is no intensity.
    Intensity(String),
    /// An intensity whose window is zero: nothing would ever count.
    ZeroWindow,
    /// This text is no backoff.
    Backoff(String),
    /// A backoff that begins at zero: doubling it leads nowhere.
    ZeroBackoff,
    /// A backoff whose `min` is above its `max`.
    BackoffOrder(Backoff),
    /// Two children have this id.
    DuplicateId(String),
    /// The child of this id is significant and permanent: it would never end.
    SignificantPermanent(String),
    /// The child of this id is significant, but the supervisor never ends with its children.
    SignificantNever(String),
    /// The child of this id is significant, but a dynamic supervisor does not end with its children.
    SignificantDynamic(String),
    /// A dynamic supervisor that should end with its significant children: it can have none.
    AutoShutdownDynamic,
    /// More children are declared than the supervisor may have.
    TooManyChildren {
        /// How many are declared.
        declared: u32,
        /// How many it may have.
        most: u32,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::Intensity(text) => {
                write!(
                    f,
                    "`{}` is no intensity: write a number of restarts and a time, like \"5 in 10s\"",
                    Shown(text)
                )
            }
            SpecError::ZeroWindow => write!(f, "the window of an intensity cannot be zero"),
            SpecError::Backoff(text) => {
                write!(
                    f,
                    "`{}` is no backoff: write the shortest and the longest wait, like \"100ms..30s\"",
                    Shown(text)
                )
            }
            SpecError::ZeroBackoff => {
                write!(f, "a backoff cannot begin at zero; without one, restarts are immediate")
            }
            SpecError::BackoffOrder(backoff) => {
                write!(f, "the shortest wait of the backoff {backoff} is above its longest")
            }
            SpecError::DuplicateId(id) => write!(f, "two children have the id `{}`", Shown(id)),
            SpecError::SignificantPermanent(id) => {
                write!(
                    f,
                    "child `{}` is permanent, so it cannot be significant: it never ends by itself",
                    Shown(id)
                )
            }
            SpecError::SignificantNever(id) => {
                write!(
                    f,
                    "child `{}` is significant, but the supervisor's auto_shutdown is `Never`",
                    Shown(id)
                )
            }
            SpecError::SignificantDynamic(id) => {
                write!(f, "child `{}` of a dynamic supervisor cannot be significant", Shown(id))
            }
            SpecError::AutoShutdownDynamic => {
                write!(
                    f,
                    "a dynamic supervisor has no significant children to end with: leave `auto_shutdown` out"
                )
            }
            SpecError::TooManyChildren { declared, most } => {
                write!(f, "{declared} children are declared, and `max_children` is {most}: raise it")
            }
        }
    }
}

/// Shows a text of the program as part of a message: on one line.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '\u{2028}' | '\u{2029}' => write!(f, "{}", character.escape_default()),
            _ if character.is_control() => write!(f, "{}", character.escape_default()),
            _ => write!(f, "{character}"),
        })
    }
}

impl std::error::Error for SpecError {}

/// Checks the rules of a supervisor and its initial children (ids and rules).
pub fn check<'a>(
    rules: &Rules,
    children: impl IntoIterator<Item = (&'a str, &'a ChildRules)>,
) -> Result<(), SpecError> {
    rules.intensity.map_or(Ok(()), |intensity| intensity.check().map(drop))?;
    rules.backoff.map_or(Ok(()), |backoff| backoff.check().map(drop))?;
    let mut ids = BTreeSet::new();
    children.into_iter().try_for_each(|(id, child)| {
        if !ids.insert(id) {
            return Err(SpecError::DuplicateId(id.to_owned()));
        }
        check_child(rules, id, child)
    })?;
    let declared = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    if let Some(most) = rules.max_children.filter(|&most| declared > most) {
        return Err(SpecError::TooManyChildren { declared, most });
    }
    if rules.strategy == Strategy::Dynamic && rules.auto_shutdown != AutoShutdown::Never {
        return Err(SpecError::AutoShutdownDynamic);
    }
    Ok(())
}

/// Checks a child against the rules of its supervisor.
pub fn check_child(rules: &Rules, id: &str, child: &ChildRules) -> Result<(), SpecError> {
    child.intensity.map_or(Ok(()), |intensity| intensity.check().map(drop))?;
    child.backoff.map_or(Ok(()), |backoff| backoff.check().map(drop))?;
    if !child.significant {
        return Ok(());
    }
    if rules.strategy == Strategy::Dynamic {
        return Err(SpecError::SignificantDynamic(id.to_owned()));
    }
    if child.restart == Restart::Permanent {
        return Err(SpecError::SignificantPermanent(id.to_owned()));
    }
    if rules.auto_shutdown == AutoShutdown::Never {
        return Err(SpecError::SignificantNever(id.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromStr<Err = SpecError> + fmt::Debug>(text: &str) -> SpecError {
        text.parse::<T>().unwrap_err()
    }

    #[test]
    fn intensities_are_a_number_and_a_time() {
        assert_eq!("0 in 1.5s".parse(), Ok(Intensity::new(0, Duration::from_millis(1500))));
        assert_eq!("4294967295 in 7ns".parse(), Ok(Intensity::new(u32::MAX, Duration::from_nanos(7))));
        for text in [
            "",
            "5",
            "5 in",
            "in 5s",
            "5in10s",
            "5 in 10",
            "-5 in 10s",
            "+5 in 10s",
            "5 in -10s",
            "five in 10s",
        ] {
            assert_eq!(refused::<Intensity>(text), SpecError::Intensity(text.to_owned()));
        }
        for text in ["4294967296 in 1s", "5 in 10s ", " 5 in 10s", "5  in 10s", "5.0 in 10s"] {
            assert_eq!(refused::<Intensity>(text), SpecError::Intensity(text.to_owned()));
        }
        assert_eq!(refused::<Intensity>("5 in 0s"), SpecError::ZeroWindow);
    }

    #[test]
    fn backoffs_are_two_times() {
        assert_eq!("1ms..1ms".parse(), Ok(Backoff::new(Duration::from_millis(1), Duration::from_millis(1))));
        for text in ["", "1s", "1s..", "..1s", "1s...2s", "1s .. 2s", "1s-2s", "-1s..2s"] {
            assert_eq!(refused::<Backoff>(text), SpecError::Backoff(text.to_owned()));
        }
        assert_eq!(refused::<Backoff>("0s..1s"), SpecError::ZeroBackoff);
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(refused::<Backoff>("2s..1s"), SpecError::BackoffOrder(Backoff::new(two, one)));
    }

    /// A different error for each contradiction.
    #[test]
    fn contradictory_specs_are_refused_each_in_its_own_way() {
        let good = Rules::default();
        let child = ChildRules::default();
        let significant = ChildRules { significant: true, restart: Restart::Transient, ..child };
        let ending = Rules { auto_shutdown: AutoShutdown::AnySignificant, ..good };
        let zero = Duration::ZERO;
        let long = Duration::from_secs(1);
        let cases = [
            (Rules { intensity: Some(Intensity::new(1, zero)), ..good }, vec![child], SpecError::ZeroWindow),
            (Rules { backoff: Some(Backoff::new(zero, long)), ..good }, vec![child], SpecError::ZeroBackoff),
            (
                good,
                vec![ChildRules { backoff: Some(Backoff::new(long, zero + long / 2)), ..child }],
                SpecError::BackoffOrder(Backoff::new(long, long / 2)),
            ),
            (good, vec![child, child], SpecError::DuplicateId("a".into())),
            (
                ending,
                vec![ChildRules { restart: Restart::Permanent, ..significant }],
                SpecError::SignificantPermanent("a".into()),
            ),
            (good, vec![significant], SpecError::SignificantNever("a".into())),
            (
                Rules { strategy: Strategy::Dynamic, ..ending },
                vec![significant],
                SpecError::SignificantDynamic("a".into()),
            ),
        ];
        for (rules, children, error) in cases {
            assert_eq!(check(&rules, children.iter().map(|child| ("a", child))), Err(error));
        }
        assert_eq!(check(&ending, [("a", &significant), ("b", &child)]), Ok(()));
    }

    #[test]
    fn errors_say_what_to_write_instead() {
        assert!(SpecError::Intensity("x".into()).to_string().contains("\"5 in 10s\""));
        assert!(SpecError::Backoff("x".into()).to_string().contains("\"100ms..30s\""));
    }
}
