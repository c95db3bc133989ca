//! What the census prints when it is done: tables for people, one JSON object for programs.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::totals::{Report, Sum};

/// A file that could not be surveyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failed {
    pub(crate) file: String,
    pub(crate) reason: String,
}

/// The object that `--json` prints. `files` is `surveyed` plus the length of `failed`.
#[derive(Serialize)]
pub(crate) struct Summary {
    files: u64,
    surveyed: u64,
    lines: u64,
    functions: u64,
    unsafe_blocks: u64,
    failed: Vec<Failed>,
    seconds: f64,
    restarts: usize,
}

impl Summary {
    pub(crate) fn new(total: &Sum, failed: Vec<Failed>, took: Duration, restarts: usize) -> Summary {
        Summary {
            files: total.files + failed.len() as u64,
            surveyed: total.files,
            lines: total.counts.lines,
            functions: total.counts.functions,
            unsafe_blocks: total.counts.unsafe_blocks,
            failed,
            // Milliseconds are as exact as a wall clock gets here.
            seconds: (took.as_secs_f64() * 1000.0).round() / 1000.0,
            restarts,
        }
    }
}

/// Writes one JSON object and a line end.
pub(crate) fn json(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    serde_json::to_writer(&mut *out, summary)?;
    writeln!(out)
}

/// Crates in the table.
const BIGGEST: usize = 15;

const HEAD: [&str; 7] = ["crate", "files", "lines", "functions", "unsafe blocks", "types", "macros"];

/// Writes the table of the biggest crates, the totals, and every file that failed, with the reason.
pub(crate) fn text(out: &mut impl Write, report: &Report, summary: &Summary) -> io::Result<()> {
    let shown = report.crates.iter().take(BIGGEST).map(|(folder, sum)| row(crate_name(folder), sum));
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(shown);
    rows.push(row(&format!("all {}", count(report.crates.len() as u64, "crate")), &report.total));
    table(out, &rows)?;
    writeln!(
        out,
        "\nsurveyed {} of {} in {:.1} s; {} started anew",
        grouped(summary.surveyed),
        count(summary.files, "file"),
        summary.seconds,
        count(summary.restarts as u64, "parser"),
    )?;
    if !summary.failed.is_empty() {
        writeln!(out, "\nnot surveyed ({}):", summary.failed.len())?;
    }
    for failed in &summary.failed {
        writeln!(out, "  {}: {}", failed.file, failed.reason)?;
    }
    Ok(())
}

fn row(name: &str, sum: &Sum) -> [String; 7] {
    let counts = &sum.counts;
    let numbers =
        [sum.files, counts.lines, counts.functions, counts.unsafe_blocks, counts.types, counts.macros];
    let [files, lines, functions, unsafe_blocks, types, macros] = numbers.map(grouped);
    [name.to_owned(), files, lines, functions, unsafe_blocks, types, macros]
}

/// The first column to the left, numbers to the right.
fn table(out: &mut impl Write, rows: &[[String; 7]]) -> io::Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    for row in rows {
        write!(out, "{:<width$}", row[0], width = widths[0])?;
        for (cell, width) in row.iter().zip(widths).skip(1) {
            write!(out, "  {cell:>width$}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn crate_name(folder: &str) -> &str {
    Path::new(folder).file_name().and_then(|name| name.to_str()).unwrap_or(folder)
}

fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::Counts;

    fn report() -> Report {
        let counts = Counts { lines: 1_234_567, functions: 12, unsafe_blocks: 3, types: 4, macros: 5 };
        let big = Sum { files: 10, counts };
        let small = Sum { files: 1, counts: Counts { lines: 7, ..Counts::default() } };
        Report { total: big.clone(), crates: vec![("/src/big-1.0".into(), big), ("/".into(), small)] }
    }

    fn failed() -> Vec<Failed> {
        vec![Failed { file: "a\"b.rs".into(), reason: "not UTF-8".into() }]
    }

    fn printed(summary: &Summary) -> String {
        let mut out = Vec::new();
        text(&mut out, &report(), summary).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_object_with_the_promised_fields() {
        let mut out = Vec::new();
        json(&mut out, &Summary::new(&report().total, failed(), Duration::from_micros(1_234_567), 2))
            .unwrap();
        let expected = concat!(
            r#"{"files":11,"surveyed":10,"lines":1234567,"functions":12,"unsafe_blocks":3,"#,
            r#""failed":[{"file":"a\"b.rs","reason":"not UTF-8"}],"seconds":1.235,"restarts":2}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn the_table_is_aligned() {
        let text = printed(&Summary::new(&report().total, failed(), Duration::from_secs(3), 1));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "crate         files      lines  functions  unsafe blocks  types  macros");
        assert_eq!(lines[1], "big-1.0          10  1,234,567         12              3      4       5");
        assert_eq!(lines[2], "/                 1          7          0              0      0       0");
        assert_eq!(lines[3], "all 2 crates     10  1,234,567         12              3      4       5");
        assert_eq!(lines[5], "surveyed 10 of 11 files in 3.0 s; 1 parser started anew");
        assert_eq!(lines[7..], ["not surveyed (1):", "  a\"b.rs: not UTF-8"]);
    }

    #[test]
    fn without_failures_there_is_no_list_of_them() {
        assert!(!printed(&Summary::new(&report().total, vec![], Duration::ZERO, 0)).contains("not surveyed"));
    }

    #[test]
    fn digits_are_grouped_by_three() {
        let all: Vec<_> = [0, 12, 123, 1234, 123_456, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(all, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
