//! The last lines of a stream.

use std::collections::VecDeque;

use crate::status::cut;

/// How many lines are kept at most, and how many bytes of them.
const LINES: usize = 10;
const BYTES: usize = 512;

/// The last lines that are not blank, within bounds.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
    /// Of all lines, with their ends.
    bytes: usize,
}

impl Tail {
    pub(super) fn push(&mut self, line: &str) {
        let line = cut(line.trim_end(), BYTES - 1);
        if line.is_empty() {
            return;
        }
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.lines.len() > LINES || self.bytes > BYTES {
            let first = self.lines.pop_front().unwrap_or_default();
            self.bytes -= first.len() + 1;
        }
    }

    /// The lines, without an end of line behind the last one; `None` if there are none.
    pub(super) fn text(&self) -> Option<String> {
        (!self.lines.is_empty()).then(|| Vec::from_iter(self.lines.iter().map(String::as_str)).join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_within_bounds() {
        let mut tail = Tail::default();
        assert_eq!(tail.text(), None);
        for line in ["one", "", "  ", "two  "] {
            tail.push(line);
        }
        assert_eq!(tail.text().as_deref(), Some("one\ntwo"));
        (0..100).for_each(|number| tail.push(&number.to_string()));
        let expected: Vec<String> = (90..100).map(|number: u32| number.to_string()).collect();
        assert_eq!(tail.text(), Some(expected.join("\n")));
        tail.push(&"x".repeat(10_000));
        assert_eq!(tail.text(), Some("x".repeat(BYTES - 1)));
        tail.push("last");
        assert_eq!(tail.text().as_deref(), Some("last"));
    }
}
