//! What is said while the batch runs, and in the end.

use std::io::{self, IsTerminal, Write};

use crate::measure::Measured;

/// What has become of the files.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many were measured.
    pub(crate) measured: usize,
    pub(crate) sums: Measured,
    /// The others, in the order of the files.
    pub(crate) failed: Vec<Failed>,
    /// Whether Ctrl-C ended it before all were done.
    pub(crate) interrupted: bool,
}

/// A file that was not measured, and why.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) index: usize,
    pub(crate) file: String,
    pub(crate) reason: String,
}

impl Report {
    pub(crate) fn done(&self) -> usize {
        self.measured + self.failed.len()
    }
}

/// Prints the report on standard output, which may have no reader.
pub(crate) fn print(report: &Report, files: usize) {
    let _ = write(&mut io::stdout().lock(), report, files);
}

fn write(out: &mut impl Write, report: &Report, files: usize) -> io::Result<()> {
    let Report { measured, sums, failed, interrupted } = report;
    if *interrupted {
        writeln!(out, "interrupted: {} of {files} files were done", report.done())?;
    }
    let mean = if sums.pixels == 0 { 0.0 } else { sums.light as f64 / sums.pixels as f64 };
    writeln!(out, "{measured} of {files} files measured: {} pixels, mean {mean:.1}", sums.pixels)?;
    for Failed { file, reason, .. } in failed {
        writeln!(out, "  {file}: {reason}")?;
    }
    Ok(())
}

/// Progress on standard error: one line that changes on a terminal, ten lines elsewhere.
pub(crate) struct Progress {
    files: usize,
    step: usize,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn of(files: usize) -> Progress {
        Progress { files, step: (files / 10).max(1), is_terminal: io::stderr().is_terminal() }
    }

    pub(crate) fn done(&self, done: usize) {
        let files = self.files;
        if self.is_terminal {
            let _ = write!(io::stderr(), "\rbatch: {done} of {files} files");
        } else if done.is_multiple_of(self.step) || done == files {
            let _ = writeln!(io::stderr(), "batch: {done} of {files} files");
        }
    }

    pub(crate) fn end(&self) {
        if self.is_terminal {
            let _ = writeln!(io::stderr());
        }
    }
}
