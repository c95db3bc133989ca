//! Files for a demonstration: 300 pictures, with broken and poisonous ones among them.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use grey_sys::files;

/// A folder of files, which is removed in the end.
pub(crate) struct Demo(PathBuf);

impl Demo {
    pub(crate) fn make() -> io::Result<Demo> {
        let folder = env::temp_dir().join(format!("phalanx-batch-{}", process::id()));
        fs::create_dir(&folder)?;
        // From here on it is removed, also after an error.
        let demo = Demo(folder);
        for number in 0..300_u32 {
            demo.write(&format!("{number:03}.grey"), &files::plain(100, 100, (number % 256) as u8))?;
        }
        demo.write("100-broken.grey", b"no picture at all")?;
        demo.write("150-truncated.grey", &files::truncated(1000, 1000))?;
        demo.write("200-overrun.grey", &files::overrun())?;
        demo.write("250-endless.grey", &files::endless())?;
        Ok(demo)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        fs::write(self.0.join(name), content)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
