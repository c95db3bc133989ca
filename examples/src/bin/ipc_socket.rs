//! Two processes talk over a socket (001-T3).
//!
//! `cargo run --bin ipc_socket`
//!
//! For programs with a protocol of their own. The sockets of a dead process hang up, so its peer never waits
//! in vain.

#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use phalanx::prelude::*;

/// Replies to lines in capitals.
#[actor]
struct Loud {
    listener: TcpListener,
}

#[actor]
impl Loud {
    /// A socket is made where it is used; port 0 stands for a free one.
    #[init]
    fn listen() -> io::Result<Self> {
        Ok(Loud { listener: TcpListener::bind("127.0.0.1:0")? })
    }

    fn address(&self) -> phalanx::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves this many clients.
    fn serve(&self, clients: usize) -> phalanx::Result<()> {
        for stream in self.listener.incoming().take(clients) {
            let stream = stream?;
            for line in BufReader::new(&stream).lines() {
                writeln!(&stream, "{}", line?.to_uppercase())?;
            }
        }
        Ok(())
    }
}

#[task]
fn talk(name: String, address: SocketAddr) -> phalanx::Result<()> {
    let stream = TcpStream::connect(address)?;
    let mut answers = BufReader::new(&stream).lines();
    for what in ["hello", "goodbye"] {
        writeln!(&stream, "{what} from {name}")?;
        println!("{name} is told: {}", answers.next().ok_or(phalanx::Error::new("no answer"))??);
    }
    Ok(())
}

#[phalanx::main]
fn main() -> phalanx::Result<()> {
    let server = Loud::spawn()?;
    let address = server.address().wait()?;
    let served = server.serve(2);
    for client in [talk::spawn("ann".into(), address)?, talk::spawn("bob".into(), address)?] {
        client.join()?;
    }
    served.wait()?;
    println!("both have been served");
    Ok(())
}
