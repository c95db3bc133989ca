//! What the macros refuse, compiled for real: each file in `ui/` beside the errors that it must get.

#[test]
fn what_the_macros_refuse() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
