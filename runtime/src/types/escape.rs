//! Texts that come from other processes, where people read them.
//!
//! The author of a panic's message, of a name, of the last line of a command may have put a line feed into
//! it, or an escape code, by accident or not. On a terminal, or in a log, that would look like a line of its
//! own. So all code of ours that shows such a text goes through here, and writes one line: control characters
//! come out as Rust writes them, `\n` and `\u{1b}`. In the values themselves (fields, `Debug`, serde) the
//! texts stay as they were.

use std::borrow::Cow;
use std::fmt;

/// Shows a value, which `write` writes, on one line, whatever texts are in it.
pub(crate) fn escaped(
    f: &mut fmt::Formatter<'_>,
    write: impl FnOnce(&mut Line<'_>) -> fmt::Result,
) -> fmt::Result {
    write(&mut Line(f))
}

/// A text on one line. Escaping it again changes nothing.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(breaks_out) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 8);
    // Writing to a string cannot fail.
    let _ = Line(&mut line).write_str(text);
    Cow::Owned(line)
}

/// A text of several lines, which stay lines; tabs stay too.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|character| breaks_out(character) && !is_layout(character)) {
        return Cow::Borrowed(text);
    }
    let parts = text.split_inclusive(is_layout).map(|part| match part.strip_suffix(is_layout) {
        Some(inner) => one_line(inner) + &part[inner.len()..],
        None => one_line(part),
    });
    Cow::Owned(parts.collect())
}

fn is_layout(character: char) -> bool {
    matches!(character, '\n' | '\t')
}

/// Where a line is written.
pub(crate) struct Line<'a>(&'a mut dyn fmt::Write);

impl Line<'_> {
    pub(crate) fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((plain, character)) =
            rest.find(breaks_out).and_then(|at| Some((at, rest[at..].chars().next()?)))
        {
            self.0.write_str(&rest[..plain])?;
            write!(self.0, "{}", character.escape_default())?;
            rest = &rest[plain + character.len_utf8()..];
        }
        self.0.write_str(rest)
    }

    pub(crate) fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        fmt::write(self, text)
    }
}

impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        Line::write_str(self, text)
    }
}

/// Control characters (C0, DEL, C1), the other two line ends of Unicode, and characters that turn the writing
/// direction.
fn breaks_out(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_line_and_stays_that_line() {
        let evil = "a\nb\r\u{1b}[2J\u{9b}\u{202e}\u{2028}\0\u{7f} приёмник 受信機 \\n";
        let line = one_line(evil);
        let expected = r"a\nb\r\u{1b}[2J\u{9b}\u{202e}\u{2028}\u{0}\u{7f} приёмник 受信機 \n";
        assert_eq!(line, expected);
        assert_eq!(one_line(&line), expected);
        assert!(matches!(one_line("приёмник"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_text_of_several_lines_keeps_them_and_nothing_else() {
        assert_eq!(lines("a\n\tb\r\u{1b}[2J\n\u{202e}c\n\n"), "a\n\tb\\r\\u{1b}[2J\n\\u{202e}c\n\n");
        assert!(matches!(lines("a\n\tb\n"), Cow::Borrowed(_)));
    }

    /// Everything that shows a text of another process, with a text that breaks out. A test of the
    /// architecture checks that all such code goes through here.
    #[test]
    fn all_that_is_shown_is_one_line() {
        use std::time::Duration;

        use crate::types::down::{Down, InProgress, Who};
        use crate::types::error::{At, CallError, Executed, SendError, SpawnError, TrySendError};
        use crate::types::exit::ExitReason;
        use crate::{
            ActorId, PipeError, QueueError, SpecError, StoreError, SupervisorError, sync::SyncError,
        };

        let evil = || "a\n[1 root] forged\r\u{1b}[2J\u{9b}\u{85}".to_owned();
        let after = Duration::from_secs(1);
        let reason = || ExitReason::InitFailed(evil());
        let at = || At::new(&evil().into(), (1, 2), "method", Some(reason()));
        let panicked = ExitReason::Panicked { message: evil(), location: evil(), method: Some(evil()) };
        let who = Who { name: evil(), id: ActorId(1), pid: 1 };
        let in_progress = Some(InProgress { method: evil(), running: after });
        let down = Down {
            who: who.clone(),
            incarnation: 1,
            reason: reason(),
            in_progress,
            unserved: 0,
            last_lines: None,
        };
        let specs = SpecError::DuplicateId(evil());
        let travelled: crate::Error = postcard::from_bytes(&postcard::to_stdvec(&evil()).unwrap()).unwrap();
        let poisoned = crate::sync::Poisoned { guard: (), by: who.clone(), incarnation: 1, reason: reason() };
        let shown: Vec<Box<dyn fmt::Display>> = vec![
            Box::new(reason()),
            Box::new(panicked),
            Box::new(ExitReason::DeadlineExceeded { method: evil(), after }),
            Box::new(ExitReason::Linked { to: evil(), reason: evil() }),
            Box::new(at()),
            Box::new(CallError::App(evil())),
            Box::new(CallError::<String>::Died(reason(), at())),
            Box::new(CallError::<String>::Gone(at())),
            Box::new(CallError::<String>::Codec(evil(), at())),
            Box::new(CallError::<String>::Unreachable(evil(), at())),
            Box::new(CallError::<String>::Disconnected { executed: Executed::No, why: evil(), at: at() }),
            Box::new(SendError::Codec(evil(), at())),
            Box::new(TrySendError { args: (), error: SendError::Gone(at()) }),
            Box::new(SpawnError::InitFailed { actor: evil(), error: evil() }),
            Box::new(SpawnError::Died { actor: evil(), reason: reason() }),
            Box::new(SpawnError::Io { actor: evil(), error: evil() }),
            Box::new(SpawnError::Specs { supervisor: evil(), error: specs.clone() }),
            Box::new(specs),
            Box::new(SupervisorError::Failed { supervisor: evil(), child: evil(), reason: reason() }),
            Box::new(SupervisorError::Gone { supervisor: evil(), reason: Some(reason()) }),
            Box::new(SupervisorError::Size { supervisor: evil(), wanted: 3, most: 2 }),
            Box::new(crate::NameError::WrongType { name: evil(), is: evil(), asked: evil() }),
            Box::new(QueueError::Gone(Some(reason()))),
            Box::new(QueueError::Codec(evil())),
            Box::new(crate::PutError::Codec((), evil())),
            Box::new(crate::GetError::Codec(evil())),
            Box::new(SyncError::Gone { reason: Some(reason()), at: at() }),
            Box::new(crate::sync::LockError::<()>::System(evil())),
            Box::new(crate::sync::LockError::Poisoned(Box::new(poisoned))),
            Box::new(crate::sync::BarrierError::Broken {
                by: who,
                why: crate::sync::Breakage::Ended(reason()),
            }),
            Box::new(StoreError::Panicked { message: evil() }),
            Box::new(PipeError::Io(evil())),
            Box::new(crate::pool::TaskError::App(evil(), crate::pool::TaskAt::new("task", 1, None, None))),
            Box::new(crate::pool::PoolError::Lost { pool: evil(), reason: reason() }),
            Box::new(down),
            Box::new(travelled),
        ];
        for (index, shown) in shown.iter().enumerate() {
            let (text, alternate) = (shown.to_string(), format!("{shown:#}"));
            for text in [text, alternate] {
                assert!(
                    !text.contains(breaks_out) && text.contains(r"a\n[1 root] forged\r\u{1b}"),
                    "{index}: {text:?}"
                );
            }
        }
    }
}
