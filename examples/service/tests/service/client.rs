//! As much of HTTP as the tests need, by hand: a client that is a library would hide what the service does to
//! connections.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use phalanx_tests::EVENT_TIMEOUT;

/// What the service says to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A connection, for one request after the other. Nothing waits on it for longer than an event may take.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(service: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(service)?;
        stream.set_read_timeout(Some(EVENT_TIMEOUT))?;
        stream.set_write_timeout(Some(EVENT_TIMEOUT))?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// Makes a request, and reads its answer.
    pub(crate) fn request(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        let len = body.len();
        self.send(format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {len}\r\n\r\n"))?;
        self.send(body)?;
        self.answer()
    }

    /// Begins a request for a file of this length, and waits for what the service says to that: 100 once it
    /// waits for the file.
    pub(crate) fn begin(&mut self, len: usize) -> io::Result<Answer> {
        let head = "POST /decode HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\n";
        self.send(format!("{head}content-length: {len}\r\n\r\n"))?;
        self.answer()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())
    }

    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::Error::other(format!("the connection ends after {head:?}")));
            }
        }
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {head:?}")))?;
        let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; len.unwrap_or_default()];
        self.0.read_exact(&mut body)?;
        Ok(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// Makes a request on a connection of its own.
pub(crate) fn request(service: SocketAddr, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
    Connection::open(service)?.request(method, path, body)
}
