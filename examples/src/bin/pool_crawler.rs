//! A crawler: a pool parses pages, another process stores the rows (001-P3).
//!
//! `cargo run --bin pool_crawler`

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use phalanx::pool::TaskError;
use phalanx::prelude::*;
use phalanx::{Pool, Queue};

/// Stands for a page of the web.
fn fetch(page: u32) -> String {
    if page == 7 {
        "<html>".to_owned()
    } else {
        format!("<p>page {page}, row 1</p><p>page {page}, row 2</p>")
    }
}

/// Puts the rows of a page into the queue. A page that it cannot parse costs one panic, and no other page.
#[task]
fn parse(page: u32, rows: Queue<String>) -> phalanx::Result<u32> {
    let html = fetch(page);
    assert!(html.ends_with("</p>"), "page {page} is not complete");
    for row in html.split("<p>").filter_map(|text| text.strip_suffix("</p>")) {
        rows.put(row.to_owned())?;
    }
    Ok(page)
}

/// Stores rows until the queue is closed and empty.
#[task]
fn insert(rows: Queue<String>) -> phalanx::Result<Vec<String>> {
    Ok(rows.iter().collect::<Result<_, _>>()?)
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let rows = Queue::bounded(100)?;
    let inserter = insert::builder(rows.clone()).name("inserter").spawn()?;
    let pool = Pool::builder().name("parsers").workers(3).build()?;

    let inputs = (1..=10).map(|page| (page, rows.clone()));
    for (_, result) in pool.stream(parse::task(), inputs).unordered() {
        match result {
            Ok(page) => println!("page {page} is parsed"),
            Err(TaskError::Died(reason, _)) => println!("a page is lost: its parser {reason}"),
            Err(error) => return Err(error.into()),
        }
    }
    pool.close();
    pool.join()?;

    // No parser is left to put a row in; only main knows that.
    rows.close()?;
    let stored = inserter.join()?;
    println!("{} rows are stored", stored.len());
    Ok(())
}
