//! The secret that hosts share and strangers do not know.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{env, fmt};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::types::escape::escaped;

/// No secret is longer; a longer file is the wrong file.
const LONGEST: usize = 64 * 1024;

/// A secret that two hosts share, and by which they know each other (Python's `authkey`).
///
/// Use at least 32 random bytes (`head -c 32 /dev/urandom | base64`): an attacker that makes a client connect
/// to an address of its own can try guesses at the secret afterwards, as with every scheme of this kind.
/// `Debug` does not show it. It is no serde type, so it cannot slip into a message or a file. Its memory is
/// wiped when it is dropped.
///
/// ```
/// use phalanx::Secret;
/// let secret = Secret::from_bytes("correct horse battery staple")?;
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert!(Secret::from_bytes("").is_err());
/// # Ok::<(), phalanx::Error>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why a secret cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretError {
    /// It has no bytes at all. (Python accepts an empty `authkey`.)
    Empty,
    /// It has more than 64 KiB.
    TooLong,
    /// The environment has no such variable.
    NotSet {
        /// Its name.
        variable: String,
    },
    /// The file cannot be read.
    Unreadable {
        /// Its path.
        path: String,
        /// The operating system's error.
        error: String,
    },
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| match self {
            SecretError::Empty => write!(f, "the secret is empty"),
            SecretError::TooLong => write!(f, "the secret is longer than {LONGEST} bytes"),
            SecretError::NotSet { variable } => write!(f, "no secret: the variable `{variable}` is not set"),
            SecretError::Unreadable { path, error } => write!(f, "no secret: cannot read `{path}`: {error}"),
        })
    }
}

impl std::error::Error for SecretError {}

impl Secret {
    /// The secret with these bytes; text counts as its bytes. Wiping the caller's own copy is up to the
    /// caller.
    ///
    /// # Errors
    /// [`SecretError::Empty`], [`SecretError::TooLong`].
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Secret, SecretError> {
        match bytes.as_ref() {
            [] => Err(SecretError::Empty),
            bytes if bytes.len() > LONGEST => Err(SecretError::TooLong),
            bytes => Ok(Secret(Zeroizing::new(bytes.to_vec()))),
        }
    }

    /// The content of a file, without the line end that editors and `echo` put behind it.
    ///
    /// # Errors
    /// [`SecretError::Unreadable`], [`SecretError::Empty`], [`SecretError::TooLong`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Secret, SecretError> {
        let path = path.as_ref();
        // Room for all of it from the start: a vector that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 2));
        let read = File::open(path).and_then(|file| file.take(LONGEST as u64 + 2).read_to_end(&mut bytes));
        read.map_err(|error| SecretError::Unreadable {
            path: path.display().to_string(),
            error: error.to_string(),
        })?;
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        Secret::from_bytes(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// The value of an environment variable. It stays in the environment, and child processes inherit it; use
    /// a file where that matters.
    ///
    /// # Errors
    /// [`SecretError::NotSet`], [`SecretError::Empty`], [`SecretError::TooLong`].
    pub fn from_env(variable: &str) -> Result<Secret, SecretError> {
        let value =
            env::var_os(variable).ok_or_else(|| SecretError::NotSet { variable: variable.to_owned() })?;
        Secret::from_bytes(value.as_bytes())
    }

    pub(crate) fn key(&self) -> Key {
        Key(Zeroizing::new(mac(&self.0, &[b"phalanx remote: key"]).finalize().into_bytes().into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The side that proves that it knows the secret. A proof for one role is worthless for the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Role {
    fn label(self) -> &'static [u8] {
        match self {
            Role::Client => b"phalanx remote: client",
            Role::Server => b"phalanx remote: server",
        }
    }
}

/// The key made of the secret before it leaves the program: enough for proofs, without the user's own words.
///
/// `Serialize` is not for users, since the type is private: the key travels to the processes that talk to
/// other hosts.
#[derive(Clone)]
pub(crate) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// The proof, possible only with the secret, of knowing it in this conversation.
    pub(crate) fn proof(&self, role: Role, conversation: &[u8]) -> [u8; 32] {
        mac(&*self.0, &[role.label(), conversation]).finalize().into_bytes().into()
    }

    /// Whether this is the proof. Takes as long for a proof that is nearly right as for any other.
    pub(crate) fn accepts(&self, role: Role, conversation: &[u8], proof: &[u8]) -> bool {
        mac(&*self.0, &[role.label(), conversation]).verify_slice(proof).is_ok()
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC accepts keys of every length.
    #[allow(clippy::expect_used, reason = "HMAC has no length of key that it refuses")]
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        // Each with its length, so that no two lists of parts have the same bytes.
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let mut bytes = <[u8; 32]>::deserialize(deserializer)?;
        let key = Key(Zeroizing::new(bytes));
        bytes.zeroize();
        Ok(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Secret::from_bytes(text).unwrap().key()
    }

    #[test]
    fn nothing_is_no_secret() {
        assert_eq!(Secret::from_bytes([]).unwrap_err(), SecretError::Empty);
        assert_eq!(Secret::from_bytes(vec![1; LONGEST + 1]).unwrap_err(), SecretError::TooLong);
        let missing = Secret::from_env("PHALANX_NO_SUCH_VARIABLE").unwrap_err();
        assert_eq!(missing.to_string(), "no secret: the variable `PHALANX_NO_SUCH_VARIABLE` is not set");
        assert!(matches!(Secret::from_file("/no/such/file"), Err(SecretError::Unreadable { .. })));
        assert_eq!(Secret::from_file("/dev/null").unwrap_err(), SecretError::Empty);
        assert_eq!(Secret::from_file("/dev/zero").unwrap_err(), SecretError::TooLong);
    }

    #[test]
    fn a_line_end_in_a_file_is_no_part_of_the_secret() {
        let path = env::temp_dir().join(format!("phalanx-secret-{}", std::process::id()));
        for (text, secret) in [("open\n", "open"), ("open\r\n", "open"), ("open", "open"), ("a\nb\n", "a\nb")]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(*Secret::from_file(&path).unwrap().0, secret.as_bytes());
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_proof_holds_for_one_secret_one_role_and_one_conversation() {
        let proof = key("open").proof(Role::Client, b"hello");
        assert!(key("open").accepts(Role::Client, b"hello", &proof));
        assert!(!key("open").accepts(Role::Server, b"hello", &proof));
        assert!(!key("open").accepts(Role::Client, b"hellp", &proof));
        assert!(!key("opem").accepts(Role::Client, b"hello", &proof));
        assert!(!key("open").accepts(Role::Client, b"hello", &proof[..31]));
        assert!(!key("open").accepts(Role::Client, b"hello", &[]));
    }

    #[test]
    fn neither_says_what_it_is() {
        let secret = Secret::from_bytes("sesame").unwrap();
        assert_eq!(format!("{secret:?} {:?}", secret.key()), "Secret(..) Key(..)");
    }
}
