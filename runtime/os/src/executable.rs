//! The executable of this process: what lies where in it, and the hook that runs before `main`.

use std::ffi::{CStr, c_char, c_int};
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// A type whose constants may be found in the executable by their offset.
pub trait Findable: Copy + 'static {
    /// Marks the place of such a constant, together with the size of what follows. Each type has its own.
    const MAGIC: u64;
}

/// A constant that another process of the same executable can find by its offset.
#[repr(C)]
pub struct Located<T> {
    magic: u64,
    size: u64,
    /// The constant.
    pub value: T,
}

impl<T: Findable> Located<T> {
    /// Marks the constant by its kind and size.
    pub const fn new(value: T) -> Located<T> {
        Located { magic: T::MAGIC, size: size_of::<T>() as u64, value }
    }

    /// Where this constant lies in the main executable, or `None` if it lies elsewhere (in a shared library).
    pub fn offset(&'static self) -> Option<u64> {
        let address = std::ptr::from_ref(self).addr() as u64;
        let (base, segments) = segments();
        let inside =
            |&(start, end): &(u64, u64)| start <= address && address + size_of::<Self>() as u64 <= end;
        segments.iter().any(inside).then(|| address - base)
    }

    /// The constant at this offset, or `None` if there is none.
    pub fn at(offset: u64) -> Option<&'static Located<T>> {
        let (base, segments) = segments();
        let address = base.checked_add(offset)?;
        let end = address.checked_add(size_of::<Self>() as u64)?;
        let inside = segments.iter().any(|&(first, last)| first <= address && end <= last);
        if !inside || address % align_of::<Self>() as u64 != 0 {
            return None;
        }
        let pointer = std::ptr::with_exposed_provenance::<u64>(address as usize);
        // SAFETY: two aligned words inside a segment that is mapped readable for the life of the process.
        let (magic, size) = unsafe { (*pointer, *pointer.add(1)) };
        if magic != T::MAGIC || size != size_of::<T>() as u64 {
            return None;
        }
        // SAFETY: inside a segment, aligned, and the two words say that the compiler put a `Located<T>` here,
        // since each type has a magic word of its own; it is a constant, so nothing writes to it.
        Some(unsafe { &*pointer.cast::<Located<T>>() })
    }
}

/// The load address of the main executable, and its readable segments as address ranges.
fn segments() -> (u64, &'static [(u64, u64)]) {
    static SEGMENTS: OnceLock<(u64, Vec<(u64, u64)>)> = OnceLock::new();
    let (base, segments) = SEGMENTS.get_or_init(read_segments);
    (*base, segments)
}

/// What the kernel told this image at its start; 0 if it told nothing.
fn told_at_start(what: libc::c_ulong) -> libc::c_ulong {
    // SAFETY: getauxval takes an integer.
    unsafe { libc::getauxval(what) }
}

/// The program headers of the main executable.
fn headers() -> &'static [libc::Elf64_Phdr] {
    let (start, count) = (told_at_start(libc::AT_PHDR), told_at_start(libc::AT_PHNUM));
    if start == 0 {
        return &[];
    }
    let table = std::ptr::with_exposed_provenance::<libc::Elf64_Phdr>(start as usize);
    // SAFETY: the kernel says that the program headers of the main executable lie there; they stay mapped.
    unsafe { std::slice::from_raw_parts(table, count as usize) }
}

fn read_segments() -> (u64, Vec<(u64, u64)>) {
    let headers = headers();
    let start = headers.as_ptr().addr() as u64;
    // The load bias is the table's address minus its address in the file. Without a `PT_PHDR` entry the
    // executable is not position-independent, and the bias is 0.
    let base = headers
        .iter()
        .find(|header| header.p_type == libc::PT_PHDR)
        .map_or(0, |header| start - header.p_vaddr);
    let readable =
        |header: &&libc::Elf64_Phdr| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_R != 0;
    let range = |header: &libc::Elf64_Phdr| (base + header.p_vaddr, base + header.p_vaddr + header.p_memsz);
    (base, headers.iter().filter(readable).map(range).collect())
}

/// A number that is the same in two processes only if they run the same build of the same program.
pub fn build_hash() -> u64 {
    static HASH: OnceLock<u64> = OnceLock::new();
    *HASH.get_or_init(hash_build)
}

fn hash_build() -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Ok(file) = std::fs::metadata("/proc/self/exe") {
        for part in [file.dev(), file.ino(), file.size(), file.mtime() as u64, file.mtime_nsec() as u64] {
            hasher.write_u64(part);
        }
    }
    let (base, segments) = segments();
    for (start, end) in segments {
        hasher.write_u64(start - base);
        hasher.write_u64(end - base);
    }
    hasher.finish()
}

/// A value of a type that has no data: a function item, or a closure that captures nothing.
///
/// `None` if the type has data.
pub fn from_zero_sized<F: Copy + 'static>() -> Option<F> {
    if size_of::<F>() != 0 {
        return None;
    }
    // SAFETY: reading no bytes is allowed at any aligned address. `F` is `Copy`, and a value of it existed
    // where the entry was taken (the callers are generic over the type of a value that they were given), so
    // another one may exist.
    Some(unsafe { std::ptr::NonNull::<F>::dangling().read() })
}

/// The number of initialisers in a program that has none of its own, beside ours: those of the C compiler and of
/// the standard library.
const USUAL_INITIALISERS: usize = 2;

/// The libraries that every Rust program is linked with, by the beginnings of their file names. Their
/// initialisers register nothing.
const USUAL_LIBRARIES: [&[u8]; 10] = [
    b"linux-vdso",
    b"linux-gate",
    b"ld-linux",
    b"ld-musl",
    b"libc.",
    b"libgcc_s.",
    b"libm.",
    b"libpthread.",
    b"libdl.",
    b"librt.",
];

/// Whether code that is neither ours nor the C library's may have run in this process before `main`: an
/// initialiser of the program, or of a shared library. The C library cannot be asked which handlers were
/// registered with it. The program has as many initialisers of `ours`, see [`before_main`].
pub fn may_have_run_foreign_code(ours: usize) -> bool {
    let own = (&raw const __init_array_end).addr() - (&raw const __init_array_start).addr();
    own / size_of::<usize>() > USUAL_INITIALISERS + ours || has_unusual_libraries()
}

fn has_unusual_libraries() -> bool {
    extern "C" fn look(info: *mut libc::dl_phdr_info, _: libc::size_t, _: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the loader passes a description that is valid for this call, and a null or a C string as
        // the name.
        let name = unsafe {
            let name = (*info).dlpi_name;
            if name.is_null() { c"" } else { std::ffi::CStr::from_ptr(name) }
        };
        let path = name.to_bytes();
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        // The program itself has no name here.
        let is_usual = name.is_empty() || USUAL_LIBRARIES.iter().any(|usual| name.starts_with(usual));
        libc::c_int::from(!is_usual)
    }
    // SAFETY: the function has this signature and does not unwind. It is given nothing, and a result other
    // than 0 ends the walk.
    unsafe { libc::dl_iterate_phdr(Some(look), std::ptr::null_mut()) != 0 }
}

/// A function that the loader calls before `main`, with the arguments of `main`.
pub type Initialiser = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// Runs the given functions before `main` in every program that is linked with this. The first decides by the
/// first argument whether the image becomes something else than a program; if so, the second takes over.
///
/// Stands beside the two functions; `HOOK` is in the table of initialisers.
#[doc(hidden)]
#[macro_export]
macro_rules! __before_main {
    ($accept:path, $take_over:path) => {
        #[used]
        #[allow(unsafe_code, reason = "the entry has the type that the table wants")]
        #[unsafe(link_section = ".init_array")]
        static HOOK: $crate::executable::Initialiser = hook;

        #[allow(unsafe_code, reason = "only the loader calls it")]
        extern "C" fn hook(
            argc: std::ffi::c_int,
            argv: *const *const std::ffi::c_char,
            envp: *const *const std::ffi::c_char,
        ) {
            // SAFETY: the loader calls this, as an initialiser, with the arguments of `main`.
            unsafe { $crate::executable::begin((argc, argv, envp), hook, $accept, $take_over) }
        }
    };
}
pub use __before_main as before_main;

unsafe extern "C" {
    /// The linker's symbols: where the table of initialisers begins, and where it ends.
    static __init_array_start: [usize; 0];
    static __init_array_end: [usize; 0];
    /// The first argument with which this process was started. The C library sets it before any initialiser.
    static mut program_invocation_name: *const libc::c_char;
}

/// Whether a static, and what is linked with it, is part of the program's executable and not of a shared
/// library.
pub fn contains<T>(part: &'static T) -> bool {
    let address = std::hint::black_box(&raw const *part).addr() as u64;
    segments().1.iter().any(|&(first, last)| first <= address && address < last)
}

/// Whether the program was started through the loader (`ld.so PROGRAM`), so that the kernel takes the loader
/// for the executable of this process.
pub fn is_loaded_by_hand() -> bool {
    let interpreter = told_at_start(libc::AT_BASE);
    interpreter == 0 && headers().iter().any(|header| header.p_type == libc::PT_INTERP)
}

/// A copy of the first argument of this process.
pub fn first_argument() -> Option<Vec<u8>> {
    // SAFETY: a word, which the C library has set before any initialiser ran, and which nothing here writes
    // to. It is null, or points to a C string of this process' stack; `proctitle::set`, which replaces that
    // string, leaves the NUL behind it.
    let argument = unsafe {
        let start = (&raw const program_invocation_name).read();
        if start.is_null() {
            return None;
        }
        CStr::from_ptr(start)
    };
    Some(argument.to_bytes().to_vec())
}

static TAKEN_OVER: AtomicBool = AtomicBool::new(false);

/// Whether the hook has taken this image over: it, and every process forked from it, never runs `main`.
pub fn is_taken_over() -> bool {
    TAKEN_OVER.load(Ordering::Relaxed)
}

static PROGRAM: AtomicBool = AtomicBool::new(false);

/// Whether the hook has found that this image is a program like any other, whatever its first argument is.
pub fn is_program() -> bool {
    PROGRAM.load(Ordering::Relaxed)
}

/// The arguments of an initialiser.
type Arguments = (c_int, *const *const c_char, *const *const c_char);

/// What the hook does, see [`before_main`].
///
/// # Safety
/// The arguments are those of an initialiser, and `hook` is that initialiser.
pub unsafe fn begin<T>(
    arguments: Arguments,
    hook: Initialiser,
    accept: fn(&[u8]) -> Option<T>,
    take_over: fn(T) -> !,
) {
    let Some(argument) = first_argument() else { return };
    let Some(accepted) = accept(&argument) else {
        PROGRAM.store(true, Ordering::Relaxed);
        return;
    };
    TAKEN_OVER.store(true, Ordering::Relaxed);
    if cfg!(target_env = "gnu") {
        let (argc, argv, _) = arguments;
        // SAFETY: these are the arguments of an initialiser, and glibc passes those of `main` to it.
        unsafe { super::proctitle::remember(argc, argv) };
        // What came with the argument must not be readable there.
        super::proctitle::set("phx-root");
    }
    run_remaining(arguments, hook);
    take_over(accepted)
}

/// Runs the initialisers that come after ours, as the loader would do if we returned.
fn run_remaining((argc, argv, envp): Arguments, hook: Initialiser) {
    let own = hook as usize;
    // The linker puts the two symbols at the ends of the table. Only their addresses are used: both have no
    // size.
    let mut at = (&raw const __init_array_start).expose_provenance();
    let end = (&raw const __init_array_end).expose_provenance();
    let mut seen = false;
    while at < end {
        // SAFETY: `at` is inside the table, whose entries are aligned words: initialisers with this
        // signature, or 0, or a number that is not called. The table is the linker's and no object of this
        // program, so the pointer is not one of the symbols', and the access is volatile.
        let entry = unsafe { std::ptr::with_exposed_provenance::<Option<Initialiser>>(at).read_volatile() };
        at += size_of::<usize>();
        let address = entry.map_or(0, |entry| entry as usize);
        if let Some(initialise) = entry
            && seen
            && address != usize::MAX
        {
            initialise(argc, argv, envp);
        }
        seen |= address == own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise every fork of every supervisor would be slower than it needs to be.
    #[test]
    fn a_usual_program_runs_no_foreign_code_before_main() {
        assert!(!may_have_run_foreign_code(0));
    }
}
