//! What is counted in one file of Rust source code, and how.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use syn::visit::{self, Visit};

/// The counts of one file, one crate or a whole survey.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Lines of text, empty ones and comments included.
    pub(crate) lines: u64,
    /// Functions and methods with a body, nested ones included; closures are not counted.
    pub(crate) functions: u64,
    /// `unsafe { .. }` blocks.
    pub(crate) unsafe_blocks: u64,
    /// Structs, enums, unions and type aliases.
    pub(crate) types: u64,
    /// Macro invocations and `macro_rules!` definitions.
    pub(crate) macros: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.lines += other.lines;
        self.functions += other.functions;
        self.unsafe_blocks += other.unsafe_blocks;
        self.types += other.types;
        self.macros += other.macros;
    }
}

/// Parses `text` as one file of Rust and counts what is in it.
///
/// The parser and the visitor are recursive: text that is nested deeply enough overflows the stack, which ends
/// the process. That is why this runs in a process of its own.
///
/// # Errors
/// If the text is not Rust, with the place and the parser's message.
pub(crate) fn count(text: &str) -> Result<Counts, String> {
    let parsed = syn::parse_file(text).map_err(|error| {
        let place = error.span().start();
        format!("does not parse: {}:{} {error}", place.line, place.column + 1)
    });
    let counts = parsed.map(|file| {
        let mut counter = Counter(Counts { lines: text.lines().count() as u64, ..Counts::default() });
        counter.visit_file(&file);
        counter.0
    });
    // proc-macro2 keeps every text it has ever seen, for the sake of spans. A parser sees thousands of them.
    proc_macro2::extra::invalidate_current_thread_spans();
    counts
}

struct Counter(Counts);

impl<'ast> Visit<'ast> for Counter {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.0.functions += 1;
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.0.functions += 1;
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.0.functions += u64::from(item.default.is_some());
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.0.unsafe_blocks += 1;
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.0.types += 1;
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.0.types += 1;
        visit::visit_item_enum(self, item);
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.0.types += 1;
        visit::visit_item_union(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.0.types += 1;
        visit::visit_item_type(self, item);
    }

    // A definition by `macro_rules!` is an invocation in the syntax tree, so this one sees both.
    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.0.macros += 1;
        visit::visit_macro(self, invocation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_where_it_may_stand() {
        let counts = count(
            "fn free() { fn nested() {} let closure = || 1; }\n\
             struct S; enum E {} union U { a: u8 } type A = u8;\n\
             impl S { fn method() { unsafe { unsafe { f() } } } unsafe fn not_a_block() {} }\n\
             trait T { fn without_body(); fn with_body() {} type NotAnItem; }\n\
             extern \"C\" { fn foreign(); }\n\
             macro_rules! m { () => {} }\n\
             m!(); const C: () = { println!(); };\n",
        )
        .unwrap();
        assert_eq!(counts, Counts { lines: 7, functions: 5, unsafe_blocks: 2, types: 4, macros: 3 });
    }

    #[test]
    fn an_empty_file_a_shebang_and_a_byte_order_mark_are_rust() {
        assert_eq!(count("").unwrap(), Counts::default());
        assert_eq!(count("#!/usr/bin/env run\nfn main() {}\n").unwrap().functions, 1);
        assert_eq!(count("\u{feff}fn main() {}").unwrap().lines, 1);
    }

    #[test]
    fn what_does_not_parse_is_named_with_its_place() {
        let reason = count("fn ok() {}\nfn broken( {}\n").unwrap_err();
        assert!(reason.starts_with("does not parse: 2:"), "{reason}");
    }

    #[test]
    fn counts_add_up() {
        let one = Counts { lines: 1, functions: 2, unsafe_blocks: 3, types: 4, macros: 5 };
        let mut sum = one;
        sum += one;
        assert_eq!(sum, Counts { lines: 2, functions: 4, unsafe_blocks: 6, types: 8, macros: 10 });
    }
}
