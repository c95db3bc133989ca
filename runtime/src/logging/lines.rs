//! Lines of what a process writes, for events.

/// The longest line that is kept whole.
const LINE: usize = 64 << 10;

/// Makes lines of bytes.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    /// How many bytes of the line were dropped for lack of room.
    excess: usize,
}

impl Lines {
    /// Whether no line is unfinished.
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Adds bytes, and delivers the lines that they end.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut deliver: impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.add(&bytes[..end]);
            self.end(&mut deliver);
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    /// Ends the input: bytes without an end of line are a line too.
    pub(crate) fn finish(&mut self, deliver: impl FnOnce(&str)) {
        if !self.line.is_empty() {
            self.end(deliver);
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let (kept, excess) = bytes.split_at(bytes.len().min(LINE - self.line.len()));
        self.line.extend_from_slice(kept);
        self.excess += excess.len();
    }

    fn end(&mut self, deliver: impl FnOnce(&str)) {
        let text = String::from_utf8_lossy(self.line.strip_suffix(b"\r").unwrap_or(&self.line));
        match self.excess {
            0 => deliver(&text),
            excess => deliver(&format!("{text} [cut here, {excess} bytes are missing]")),
        }
        self.line.clear();
        self.excess = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut said) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, |line| said.push(line.to_owned()));
        }
        lines.finish(|line| said.push(line.to_owned()));
        said
    }

    #[test]
    fn lines_do_not_depend_on_how_they_come() {
        let text = b"one\n\ntwo\r\nthree \xff\nlast";
        let whole = lines_of(&[text]);
        assert_eq!(whole, ["one", "", "two", "three \u{fffd}", "last"]);
        assert_eq!(lines_of(&text.chunks(1).collect::<Vec<_>>()), whole);
        assert_eq!(lines_of(&text.chunks(3).collect::<Vec<_>>()), whole);
        assert_eq!(lines_of(&[b"one\n"]), ["one"]);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let exact = "x".repeat(LINE);
        assert_eq!(lines_of(&[exact.as_bytes(), b"\n", b"next"]), [exact.as_str(), "next"]);
        let said = lines_of(&[exact.as_bytes(), b"yy", b"zzz\nnext\n"]);
        assert_eq!(said, [format!("{exact} [cut here, 5 bytes are missing]").as_str(), "next"]);
    }
}
