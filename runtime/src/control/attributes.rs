//! What a process finds when it starts: environment, directory, niceness, cores, limits; and the functions to
//! call in it first.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path};

use serde::{Deserialize, Serialize};

use crate::sys::attributes::Attribute;
use crate::sys::rlimit::Limit;
use crate::types::output::{Channel, Output};

/// The attributes share one packet with the rest of a request.
const LARGEST: usize = 16 * 1024;

/// What differs between a process and the supervisor that forks it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpawnAttributes {
    /// Whether the environment starts empty, without the program's variables.
    pub(crate) is_cleared: bool,
    /// Variables to set; `None` removes one.
    pub(crate) environment: BTreeMap<OsString, Option<OsString>>,
    pub(crate) directory: Option<OsString>,
    pub(crate) nice: Option<i32>,
    pub(crate) affinity: Option<Vec<u32>>,
    pub(crate) limits: BTreeMap<Limit, u64>,
    /// Where standard output and standard error go; `None`: inherited.
    pub(crate) streams: [Option<Output>; 2],
    /// The functions to call first: the offset, and the type name to check it by.
    pub(crate) hooks: Vec<(u64, String)>,
}

impl SpawnAttributes {
    pub(crate) fn set_env(&mut self, name: &OsStr, value: Option<&OsStr>) {
        self.environment.insert(name.to_owned(), value.map(OsStr::to_owned));
    }

    pub(crate) fn clear_env(&mut self) {
        self.is_cleared = true;
        self.environment.clear();
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        // A relative path stays if this process has no current directory. Changing to it then fails in the
        // new process, with a reason.
        let absolute = path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        self.directory = Some(absolute.into_os_string());
    }

    pub(crate) fn set_affinity(&mut self, cores: impl IntoIterator<Item = usize>) {
        let number = |core| u32::try_from(core).unwrap_or(u32::MAX);
        self.affinity = Some(cores.into_iter().map(number).collect());
    }

    pub(crate) fn set_limit(&mut self, limit: Limit, value: u64) {
        self.limits.insert(limit, value);
    }

    pub(crate) fn set_output(&mut self, channel: Channel, output: Output) {
        self.streams[channel as usize] = Some(output);
    }

    /// Says which option the system has refused, and why.
    pub(crate) fn explain(&self, attribute: Attribute, error: &io::Error) -> String {
        match attribute {
            Attribute::Niceness => {
                let nice = self.nice.map(|nice| format!(" = {nice}")).unwrap_or_default();
                format!("the option `nice{nice}`: {error}")
            }
            Attribute::Affinity => {
                let cores = self.affinity.as_deref().unwrap_or_default();
                format!("the option `affinity`: {error}: cores {cores:?}")
            }
            Attribute::Limit(limit) => {
                let value = self.limits.get(&limit).copied().unwrap_or_default();
                format!("the option `limit`: {error}: {limit:?} = {value}")
            }
            Attribute::Memory => format!("the option `memory`: {error}"),
            Attribute::Groups => format!("the option `groups`: {error}"),
            Attribute::Group => format!("the option `gid`: {error}"),
            Attribute::User => format!("the option `uid`: {error}"),
        }
    }

    /// Finds what is wrong before anything is started.
    pub(crate) fn check(&self) -> Result<(), String> {
        let zero = |text: &OsStr| text.as_bytes().contains(&0);
        let bad = |name: &OsStr| name.is_empty() || name.as_bytes().contains(&b'=') || zero(name);
        if self.environment.iter().any(|(name, value)| bad(name) || value.as_deref().is_some_and(zero)) {
            return Err(
                "the option `env` takes names that are not empty, without `=`, and no zero bytes".to_owned()
            );
        }
        let size = self
            .environment
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, |value| value.len()));
        if size.sum::<usize>() > LARGEST {
            return Err(format!("the option `env` takes {LARGEST} bytes in all"));
        }
        if self.directory.as_deref().is_some_and(|directory| directory.len() > 4096 || zero(directory)) {
            return Err("the option `current_dir` has at most 4096 bytes, none of them 0".to_owned());
        }
        if self.affinity.as_ref().is_some_and(|cores| cores.is_empty() || cores.len() > 4096) {
            return Err("the option `affinity` takes at least one core".to_owned());
        }
        for channel in Channel::BOTH {
            let name = channel.name();
            match &self.streams[channel as usize] {
                Some(Output::Pipe) => {
                    return Err(format!("the option `{name}` cannot be a pipe: only commands have one"));
                }
                Some(Output::File(path)) if is_no_path(path) => {
                    return Err(format!(
                        "the option `{name}` takes a path of 1 to 4096 bytes, none of them 0"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_no_path(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    !(1..=4096).contains(&bytes.len()) || bytes.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_started() {
        let refused = |change: fn(&mut SpawnAttributes)| {
            let mut attributes = SpawnAttributes::default();
            change(&mut attributes);
            attributes.check().is_err()
        };
        assert!(refused(|it| it.set_env("".as_ref(), None)));
        assert!(refused(|it| it.set_env("A=B".as_ref(), None)));
        assert!(refused(|it| it.set_env("A".as_ref(), Some("x\0y".as_ref()))));
        assert!(refused(|it| it.set_env("A".as_ref(), Some("x".repeat(LARGEST).as_ref()))));
        assert!(refused(|it| it.set_directory("a\0b".as_ref())));
        assert!(refused(|it| it.set_affinity([])));
        assert!(refused(|it| it.set_output(Channel::Stdout, Output::Pipe)));
        assert!(refused(|it| it.set_output(Channel::Stderr, Output::file("a\0b"))));
        assert!(refused(|it| it.set_output(Channel::Stderr, Output::file(""))));
        assert!(!refused(|it| it.set_output(Channel::Stderr, Output::file("a"))));
        assert!(!refused(|it| it.set_env("A".as_ref(), Some("=".as_ref()))));
    }
}
