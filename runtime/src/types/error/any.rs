//! Any error, as its text.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types::escape::one_line;

/// Any error: for `main` and for handlers that pass on the errors of others with `?`.
///
/// It is made from every [`std::error::Error`], keeps the text of the whole chain, and can travel between
/// processes (as that text, on one line), so that a handler may return `phalanx::Result<T>`.
///
/// ```
/// fn port() -> phalanx::Result<u16> {
///     Ok("eighty".parse()?)
/// }
/// assert_eq!(port().unwrap_err().to_string(), "invalid digit found in string");
/// ```
///
/// It is no `std::error::Error` itself, because it could not be made from all of them then. `?` turns it into
/// a boxed one:
///
/// ```
/// # fn port() -> phalanx::Result<u16> { Ok("eighty".parse()?) }
/// fn address() -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
///     Ok(format!("localhost:{}", port()?))
/// }
/// assert_eq!(address().unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub struct Error(String);

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a text of its own.
    pub fn new(text: impl fmt::Display) -> Error {
        Error(text.to_string())
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Error {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Error(text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes as `Display` does, because a `main` that returns `Err` prints this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an [`Error`] is in a box: its text.
struct Boxed(Error);

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Boxed {}

impl From<Error> for Box<dyn std::error::Error + Send + Sync> {
    fn from(error: Error) -> Self {
        Box::new(Boxed(error))
    }
}

impl From<Error> for Box<dyn std::error::Error + Send> {
    fn from(error: Error) -> Self {
        Box::new(Boxed(error))
    }
}

impl From<Error> for Box<dyn std::error::Error> {
    fn from(error: Error) -> Self {
        Box::new(Boxed(error))
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Error, D::Error> {
        // The text comes from another process, and code that prints errors will show it: `main`, to begin
        // with.
        String::deserialize(deserializer).map(|text| Error(one_line(&text).into_owned()))
    }
}
