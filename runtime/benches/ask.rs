//! An ask and its reply, beside the same struct going to and fro over plain ipc-channels.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod support;

use std::env;
use std::process::{Child, Command};

use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};
use phalanx::prelude::*;
use serde::{Deserialize, Serialize};
use support::{Row, Size};

/// 64 bytes of the usual kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    number: u64,
    customer: u64,
    cents: i64,
    items: [u32; 6],
    note: String,
}

impl Order {
    fn example(number: u64) -> Order {
        Order { number, customer: 4711, cents: -1999, items: [1, 2, 3, 4, 5, 6], note: "by the door".into() }
    }
}

#[actor]
struct Clerk;

#[actor]
impl Clerk {
    fn confirm(&self, order: Order) -> Order {
        order
    }

    #[tell]
    fn note(&self, order: Order) {
        std::hint::black_box(order);
    }
}

/// The name under which the other process of the plain channels reports.
const SERVER: &str = "PHALANX_BENCH_SERVER";

/// The two ends of one side: where it sends, and where it receives.
type Ends = (IpcSender<Order>, IpcReceiver<Order>);

fn main() -> phalanx::Result<()> {
    if let Ok(server) = env::var(SERVER) {
        return serve(server);
    }
    let size = Size::of(8000);
    let (mut child, (sender, receiver)) = start()?;
    let clerk = Clerk.spawn()?;
    let mut plain = Row::new("floor: ipc-channel, to and fro");
    let mut asked = Row::new("phalanx: ask and answer");
    let mut pipelined = Row::new("phalanx: one of 100 asks under way");
    let mut told = Row::new("phalanx: tell");
    for _ in 0..size.rounds {
        let order = Order::example(1);
        let there_and_back = || {
            let _ = sender.send(order.clone());
            receiver.recv().is_ok()
        };
        plain.round(size.times, there_and_back, |answered| assert!(answered));
        asked.round(
            size.times,
            || clerk.confirm(order.clone()).wait(),
            |answer| assert_eq!(answer, Ok(order.clone())),
        );
        pipelined.round(size.times / 100, || hundred(&clerk, &order), |answered| assert_eq!(answered, 100));
        told.round(size.times, || clerk.note(order.clone()), |sent| assert_eq!(sent, Ok(())));
        let _ = clerk.confirm(order).wait();
    }
    plain.print(None);
    asked.print(Some((&plain, 1.5)));
    pipelined.divided_by(100).print(None);
    told.print(None);
    drop(sender);
    child.wait()?;
    phalanx::shutdown();
    Ok(())
}

fn hundred(clerk: &ActorRef<Clerk>, order: &Order) -> usize {
    let replies: Vec<_> = (0..100).map(|_| clerk.confirm(order.clone())).collect();
    replies.into_iter().filter_map(|reply| reply.wait().ok()).count()
}

/// Starts the other process of the plain channels.
fn start() -> phalanx::Result<(Child, Ends)> {
    let (server, name) = IpcOneShotServer::<(IpcSender<Order>, IpcSender<IpcSender<Order>>)>::new()?;
    let child = Command::new(env::current_exe()?).env(SERVER, name).spawn()?;
    let (_, (sender, back)) = server.accept()?;
    let (theirs, receiver) = ipc::channel()?;
    back.send(theirs)?;
    Ok((child, (sender, receiver)))
}

/// The other process: sends back each order, until the sender is gone.
fn serve(server: String) -> phalanx::Result<()> {
    let first = IpcSender::connect(server)?;
    let (sender, receiver) = ipc::channel()?;
    let (back, answers) = ipc::channel()?;
    first.send((sender, back))?;
    let answers: IpcSender<Order> = answers.recv()?;
    while let Ok(order) = receiver.recv() {
        answers.send(order)?;
    }
    Ok(())
}
