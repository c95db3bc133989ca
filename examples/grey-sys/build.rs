//! Compiles the C library.

fn main() {
    println!("cargo::rerun-if-changed=c");
    cc::Build::new().file("c/grey.c").include("c").warnings(true).compile("grey");
}
