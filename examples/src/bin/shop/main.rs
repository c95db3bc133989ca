//! A supervised shop: its parts crash, and it goes on.
//!
//! `cargo run --bin shop`; with `-- --tree` it shows its processes before it closes, and waits for a line, to
//! leave time for a look.
//!
//! A supervisor with a database, a mailer that may be done with its work, a daemon, and another supervisor
//! for billing. All failures here are ordered, so that the output is the same each time; `parts.rs` has the
//! actors.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

mod parts;

use std::time::Duration;

use phalanx::prelude::*;

use parts::{Accounts, Db, Heartbeat, Invoices, Mailer, Trouble};

/// The parts, in the order of their starts. A restart comes after 10 ms at the earliest, after a second at
/// the latest; five within ten minutes are allowed.
#[supervisor(strategy = one_for_one, intensity = "5 in 10m", backoff = "10ms..1s")]
struct Shop {
    db: Db,
    #[child(restart = transient)]
    mailer: Mailer,
    #[child(daemon)]
    heartbeat: Heartbeat,
    billing: Billing,
}

/// Accounts and invoices are of no use without each other.
#[supervisor(strategy = one_for_all, intensity = "1 in 1m")]
struct Billing {
    accounts: Accounts,
    invoices: Invoices,
}

/// The refs exist before the processes do: so parts can be given refs to each other.
fn open() -> Result<ShopRef, SpawnError> {
    Shop::start_with(|shop| ShopArgs {
        db: Db::default(),
        mailer: Mailer { db: shop.db.clone() },
        heartbeat: Heartbeat,
        billing: BillingArgs {
            accounts: Accounts::default(),
            invoices: Invoices { accounts: shop.billing.accounts.clone(), written: 0 },
        },
    })
}

fn print_children(shop: &ShopRef) -> phalanx::Result<()> {
    for child in shop.which_children()? {
        let state = if child.pid.is_some() { "runs" } else { "down" };
        println!("    {:<10}{state:<5} {:?}, restarted {} times", child.id, child.restart, child.restarts);
    }
    Ok(())
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let shop = open()?;
    println!("the shop is open:");
    print_children(&shop)?;

    a_bad_order(&shop);
    a_mailer_that_crashes_and_one_that_is_done(&shop)?;
    accounts_and_invoices(&shop)?;
    billing_gives_up(&shop)?;

    println!("at the end of the day:");
    print_children(&shop)?;
    if std::env::args().any(|arg| arg == "--tree") {
        show_processes()?;
    }
    println!("the shop was {}", shop.stop(Duration::from_secs(60))?);
    Ok(())
}

/// No process is asked for that: the facts are read where the supervisors keep them.
fn show_processes() -> phalanx::Result<()> {
    if let Some(tree) = phalanx::tree() {
        println!("{tree}");
    }
    println!("`pstree -p {}` shows the same; Enter closes the shop", std::process::id());
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Five orders are sent, one of which kills the database. The others were in its mailbox, which outlives it.
fn a_bad_order(shop: &ShopRef) {
    println!("five orders:");
    let orders = ["tea", "milk", Db::BAD, "bread", "salt"];
    let replies = orders.map(|order| shop.db.order(order.to_owned()));
    for (order, reply) in orders.into_iter().zip(replies) {
        match reply.wait() {
            Ok(stored) => println!("    {order}: {stored}"),
            Err(error) => println!("    {order}: lost, {}", reason(&error)),
        }
    }
}

/// A transient child is started again after a crash, and not after an orderly end.
fn a_mailer_that_crashes_and_one_that_is_done(shop: &ShopRef) -> phalanx::Result<()> {
    let crash = shop.mailer.fail(Trouble::Exit(7)).wait().expect_err("it was told to crash");
    println!("the mailer {}; then: {}", reason(&crash), shop.mailer.report().wait()?);
    let _ = shop.mailer.fail(Trouble::Done).wait();
    // A monitor would report the end of each process; this waits for the last one.
    println!("the mailer was {}", shop.mailer.join());
    // It does not come back by itself; after a restart by order, the ref is good again.
    let gone = matches!(shop.mailer.report().wait(), Err(CallError::Gone(_)));
    shop.restart_child("mailer")?;
    println!("it was gone: {gone}; back by order: {}", shop.mailer.report().wait()?);
    Ok(())
}

/// One for all: one that crashes takes the other one along.
fn accounts_and_invoices(shop: &ShopRef) -> phalanx::Result<()> {
    println!("{}", shop.billing.invoices.write("tea".into(), 3).wait()?);
    println!("{}", shop.billing.invoices.write("milk".into(), 2).wait()?);
    let mut monitor = shop.billing.invoices.monitor();
    let crash = shop.billing.accounts.fail(Trouble::Abort).wait().expect_err("it was told to crash");
    println!("accounts: {}; invoices: {}", reason(&crash), monitor.recv().reason);
    println!("{}", shop.billing.invoices.write("bread".into(), 4).wait()?);
    Ok(())
}

/// A second crash is one too many for billing. It gives up, which for the shop is the crash of a child.
fn billing_gives_up(shop: &ShopRef) -> phalanx::Result<()> {
    let mut monitor = shop.billing.monitor();
    let _ = shop.billing.accounts.fail(Trouble::Abort).wait();
    println!("billing ended: {}", monitor.recv().reason);
    println!("{}", shop.billing.invoices.write("salt".into(), 1).wait()?);
    println!("that was process {} of billing", shop.billing.incarnation());
    Ok(())
}

/// Why a call failed; without the process id that the whole error names.
fn reason(error: &CallError) -> String {
    error.exit_reason().map_or_else(|| "no crash".to_owned(), ExitReason::to_string)
}
