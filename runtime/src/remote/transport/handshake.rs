//! How two strangers find out that they know the same secret, unheard by others.
//!
//! 1. Each sends its protocol version, in one line of text. A manager at its limit sends a busy line instead.
//! 2. `Noise_NN_25519_ChaChaPoly_SHA256`, by `snow`: an encrypted session with an unknown peer, the version
//!    line bound into it.
//! 3. Inside of it the client proves that it knows the secret: HMAC-SHA-256 over its role and the hash of the
//!    handshake. The manager refuses, or proves the same for its own role.
//!
//! The hash covers both ephemeral keys, so neither side can choose it: it is the challenge. An attacker in
//! the middle has two sessions with two hashes, and a proof from one is worthless in the other. The client
//! goes first, so a stranger gets nothing from a manager with which to try guesses at the secret. All reads
//! are of fixed size.

use std::io::{self, ErrorKind, Read, Write};

use snow::{Builder, HandshakeState, TransportState};

use super::framing::{self, TAG};
use crate::remote::error::RemoteError;
use crate::remote::secret::{Key, Role};

/// The first line of either side.
pub(super) const VERSION: &str = "phalanx-remote 1";
/// The line of a manager that accepts no more connections.
pub(super) const BUSY: &str = "phalanx-remote busy";
/// No version line is longer.
const LONGEST_LINE: usize = 32;

const PATTERN: &str = "Noise_NN_25519_ChaChaPoly_SHA256";
/// An ephemeral key.
const FIRST: usize = 32;
/// An ephemeral key, and the tag of nothing encrypted.
const SECOND: usize = FIRST + TAG;
const PROOF: usize = 32;
const REFUSED: u8 = 0;
const WELCOME: u8 = 1;

/// A step that failed.
pub(super) enum Failed {
    Io(io::Error),
    WrongSecret,
    Busy,
    Version(String),
    Garbage(&'static str),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed::Io(error)
    }
}

/// Drops the library's reason for a failed decryption, which helps no user.
impl From<snow::Error> for Failed {
    fn from(_: snow::Error) -> Failed {
        Failed::Garbage("a handshake that cannot be read")
    }
}

impl Failed {
    pub(super) fn explain(self, peer: &str, after: std::time::Duration) -> RemoteError {
        let peer = peer.to_owned();
        match self {
            Failed::WrongSecret => RemoteError::WrongSecret { peer },
            Failed::Busy => RemoteError::Busy { peer },
            Failed::Version(theirs) => RemoteError::Version { peer, ours: VERSION.to_owned(), theirs },
            Failed::Garbage(error) => RemoteError::Garbage { peer, error: error.to_owned() },
            Failed::Io(error) => match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock => RemoteError::TimedOut { peer, after },
                ErrorKind::InvalidData => RemoteError::Garbage { peer, error: error.to_string() },
                _ => RemoteError::HungUp { peer },
            },
        }
    }
}

/// The client's side.
pub(super) fn initiate(stream: &mut (impl Read + Write), key: &Key) -> Result<TransportState, Failed> {
    let mut noise = builder()?.build_initiator()?;
    write_line(stream, VERSION)?;
    framing::write(stream, &say(&mut noise)?)?;
    check_version(&read_line(stream)?)?;
    hear(&mut noise, &framing::read_exactly(stream, SECOND)?)?;
    let conversation = noise.get_handshake_hash().to_vec();
    let mut noise = noise.into_transport_mode()?;
    framing::write(stream, &seal(&mut noise, &key.proof(Role::Client, &conversation))?)?;
    let verdict = unseal(&mut noise, &framing::read_exactly(stream, 1 + PROOF + TAG)?)?;
    let is_known = verdict[0] == WELCOME && key.accepts(Role::Server, &conversation, &verdict[1..]);
    if is_known { Ok(noise) } else { Err(Failed::WrongSecret) }
}

/// The manager's side.
pub(super) fn respond(stream: &mut (impl Read + Write), key: &Key) -> Result<TransportState, Failed> {
    let mut noise = builder()?.build_responder()?;
    let line = read_line(stream)?;
    // Sent to every client, so that one of another version learns why it is not admitted.
    write_line(stream, VERSION)?;
    check_version(&line)?;
    hear(&mut noise, &framing::read_exactly(stream, FIRST)?)?;
    framing::write(stream, &say(&mut noise)?)?;
    let conversation = noise.get_handshake_hash().to_vec();
    let mut noise = noise.into_transport_mode()?;
    let proof = unseal(&mut noise, &framing::read_exactly(stream, PROOF + TAG)?)?;
    if !key.accepts(Role::Client, &conversation, &proof) {
        framing::write(stream, &seal(&mut noise, &[REFUSED; 1 + PROOF])?)?;
        return Err(Failed::WrongSecret);
    }
    let mut verdict = vec![WELCOME];
    verdict.extend(key.proof(Role::Server, &conversation));
    framing::write(stream, &seal(&mut noise, &verdict)?)?;
    Ok(noise)
}

fn builder() -> Result<Builder<'static>, Failed> {
    // The line is part of the hash: if it is changed on the way, the session fails.
    Ok(Builder::new(PATTERN.parse()?).prologue(VERSION.as_bytes())?)
}

fn say(noise: &mut HandshakeState) -> Result<Vec<u8>, Failed> {
    let mut message = vec![0; SECOND];
    let length = noise.write_message(&[], &mut message)?;
    message.truncate(length);
    Ok(message)
}

fn hear(noise: &mut HandshakeState, message: &[u8]) -> Result<(), Failed> {
    noise.read_message(message, &mut [])?;
    Ok(())
}

fn seal(noise: &mut TransportState, text: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut sealed = vec![0; text.len() + TAG];
    noise.write_message(text, &mut sealed)?;
    Ok(sealed)
}

fn unseal(noise: &mut TransportState, sealed: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut text = vec![0; sealed.len() - TAG];
    noise.read_message(sealed, &mut text)?;
    Ok(text)
}

pub(super) fn write_line(stream: &mut impl Write, line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())
}

/// Reads byte by byte, because bytes behind the line belong to the next message. The line is short, and read
/// once per connection.
fn read_line(stream: &mut impl Read) -> Result<String, Failed> {
    let mut line = String::with_capacity(LONGEST_LINE);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => break,
            _ if line.len() == LONGEST_LINE => return Err(Failed::Garbage("a first line without an end")),
            byte if byte.is_ascii_graphic() || byte == b' ' => line.push(char::from(byte)),
            _ => return Err(Failed::Garbage("a first line that is no text")),
        }
    }
    Ok(line)
}

fn check_version(line: &str) -> Result<(), Failed> {
    match line {
        VERSION => Ok(()),
        BUSY => Err(Failed::Busy),
        other if other.starts_with("phalanx-remote ") => Err(Failed::Version(other.to_owned())),
        _ => Err(Failed::Garbage("the first line is not that of phalanx")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::remote::secret::Secret;

    fn key(text: &str) -> Key {
        Secret::from_bytes(text).unwrap().key()
    }

    fn pair() -> (UnixStream, UnixStream) {
        let (one, other) = UnixStream::pair().unwrap();
        one.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        other.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (one, other)
    }

    /// The outcome on the client's side, and on the manager's.
    fn meet(
        client: &str,
        manager: &str,
    ) -> (Result<TransportState, RemoteError>, Result<TransportState, RemoteError>) {
        let (mut near, mut far) = pair();
        let (client, manager) = (key(client), key(manager));
        let far = thread::spawn(move || respond(&mut far, &manager).map_err(explain));
        (initiate(&mut near, &client).map_err(explain), far.join().unwrap())
    }

    fn explain(failed: Failed) -> RemoteError {
        failed.explain("the peer", Duration::from_secs(5))
    }

    /// The manager's error for a client that sends these bytes and hangs up.
    fn says_to(bytes: &[u8]) -> RemoteError {
        let (mut near, mut far) = pair();
        let bytes = bytes.to_vec();
        let far = thread::spawn(move || respond(&mut far, &key("open")).map_err(explain).err());
        near.write_all(&bytes).unwrap();
        near.shutdown(std::net::Shutdown::Write).unwrap();
        far.join().unwrap().unwrap()
    }

    #[test]
    fn those_who_know_the_same_secret_can_talk() {
        let (client, manager) = meet("open", "open");
        let (mut client, mut manager) = (client.unwrap(), manager.unwrap());
        let sealed = seal(&mut client, b"hello").ok().unwrap();
        assert_eq!(unseal(&mut manager, &sealed).ok().unwrap(), b"hello");
        assert!(unseal(&mut manager, &sealed).is_err(), "heard twice");
    }

    #[test]
    fn both_sides_hear_that_their_secrets_differ() {
        let (client, manager) = meet("open", "close");
        let wrong = RemoteError::WrongSecret { peer: "the peer".into() };
        assert_eq!((client.err().unwrap(), manager.err().unwrap()), (wrong.clone(), wrong));
    }

    /// Two sessions; everything inside one is repeated in the other.
    #[test]
    fn somebody_in_the_middle_is_noticed_by_both() {
        let ((mut client, mut one), (mut other, mut manager)) = (pair(), pair());
        let client = thread::spawn(move || initiate(&mut client, &key("open")).map_err(explain).err());
        let manager = thread::spawn(move || respond(&mut manager, &key("open")).map_err(explain).err());

        let ours = || builder().ok().unwrap();
        let (mut left, mut right) = (ours().build_responder().unwrap(), ours().build_initiator().unwrap());
        let line = read_line(&mut one).ok().unwrap();
        write_line(&mut one, &line).unwrap();
        hear(&mut left, &framing::read_exactly(&mut one, FIRST).unwrap()).ok().unwrap();
        framing::write(&mut one, &say(&mut left).ok().unwrap()).unwrap();
        write_line(&mut other, &line).unwrap();
        framing::write(&mut other, &say(&mut right).ok().unwrap()).unwrap();
        read_line(&mut other).ok().unwrap();
        hear(&mut right, &framing::read_exactly(&mut other, SECOND).unwrap()).ok().unwrap();
        let (mut left, mut right) =
            (left.into_transport_mode().unwrap(), right.into_transport_mode().unwrap());

        let proof = framing::read_exactly(&mut one, PROOF + TAG).unwrap();
        let proof = unseal(&mut left, &proof).ok().unwrap();
        framing::write(&mut other, &seal(&mut right, &proof).ok().unwrap()).unwrap();
        let verdict = framing::read_exactly(&mut other, 1 + PROOF + TAG).unwrap();
        let mut verdict = unseal(&mut right, &verdict).ok().unwrap();
        // The attacker changes the verdict.
        verdict[0] = WELCOME;
        framing::write(&mut one, &seal(&mut left, &verdict).ok().unwrap()).unwrap();

        let wrong = Some(RemoteError::WrongSecret { peer: "the peer".into() });
        assert_eq!((client.join().unwrap(), manager.join().unwrap()), (wrong.clone(), wrong));
    }

    #[test]
    fn one_of_another_version_is_told_apart_from_a_stranger() {
        assert!(
            matches!(says_to(b"phalanx-remote 2\n"), RemoteError::Version { theirs, .. } if theirs == "phalanx-remote 2")
        );
        assert!(matches!(says_to(b"GET / HTTP/1.1\r\nHost: phalanx\r\n\r\n"), RemoteError::Garbage { .. }));
        assert!(matches!(says_to(&[0xff; 4096]), RemoteError::Garbage { .. }));
        assert!(matches!(says_to(b""), RemoteError::HungUp { .. }));
    }

    #[test]
    fn a_handshake_message_of_another_size_is_not_read() {
        let mut four_gigabytes = b"phalanx-remote 1\n".to_vec();
        four_gigabytes.extend([0xff; 4]);
        assert!(matches!(says_to(&four_gigabytes), RemoteError::Garbage { .. }));
        let mut half = b"phalanx-remote 1\n".to_vec();
        half.extend([32, 0, 1, 2, 3]);
        assert!(matches!(says_to(&half), RemoteError::HungUp { .. }));
    }

    /// A low-order point makes a shared secret of zeros. It does not help: the proof covers the bytes that
    /// each side received.
    #[test]
    fn a_key_that_is_none_gets_nobody_in() {
        let mut zeros = b"phalanx-remote 1\n".to_vec();
        zeros.extend([32, 0]);
        zeros.extend([0; 32]);
        zeros.extend([48, 0]);
        zeros.extend([0; 48]);
        assert!(matches!(says_to(&zeros), RemoteError::Garbage { .. } | RemoteError::WrongSecret { .. }));
    }

    #[test]
    fn a_manager_without_room_says_so() {
        let (mut near, mut far) = pair();
        write_line(&mut far, BUSY).unwrap();
        let failed = initiate(&mut near, &key("open")).map_err(explain).err();
        assert_eq!(failed, Some(RemoteError::Busy { peer: "the peer".into() }));
    }
}
