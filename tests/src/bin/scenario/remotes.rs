//! What cases about remote managers need of whole programs.

use std::time::Duration;

use phalanx::remote;
use phalanx_tests::board::{Board, secret};

use crate::argument;

/// Serves a board until it is killed, and prints where.
#[phalanx::main]
pub(crate) fn manager() -> phalanx::Result<()> {
    let manager = remote::serve("127.0.0.1:0", &secret())?;
    manager.actor("board", &Board { effects: Vec::new() }.spawn()?)?;
    println!("{}", manager.addr());
    manager.join_timeout(Duration::from_secs(60));
    Ok(())
}

/// Tells the board of a manager a thousand things, and ends.
#[phalanx::main]
pub(crate) fn teller() -> phalanx::Result<()> {
    let board = remote::connect(argument(2), &secret())?.actor::<Board>("board")?;
    for effect in 0..1000 {
        board.note_quietly(effect)?;
    }
    Ok(())
}
