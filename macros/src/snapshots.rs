//! Tests that compare the expansions of the main forms with those kept in `tests/expand/` for reviewers.
//!
//! `PHALANX_BLESS=1 cargo test -p phalanx-macros` writes them anew.

use std::path::Path;
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::quote;

use crate::{actor, main_fn, supervisor, task};

/// Compares the expansion, printed as a source file, with the one kept under `name`.
fn check(name: &str, expansion: TokenStream) {
    let file = syn::parse2(expansion).expect("an expansion is a list of items");
    let printed = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand").join(name);
    if env::var_os("PHALANX_BLESS").is_some() {
        fs::write(&path, printed).expect("the kept expansions can be written");
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == printed,
        "{} is not what the macro expands to any more; if that is meant, run with PHALANX_BLESS=1\n{printed}",
        path.display()
    );
}

fn none() -> TokenStream {
    TokenStream::new()
}

#[test]
fn a_plain_actor() {
    let of_struct = actor::expand(
        quote!(name = "words", mailbox = 64, deadline = "2s"),
        quote! {
            /// Counts words.
            pub struct WordCount {
                total: u64,
            }
        },
    );
    let of_impl = actor::expand(
        none(),
        quote! {
            impl WordCount {
                /// Adds the words of `text`, and returns the new total.
                pub fn add(&mut self, text: String) -> u64 {
                    self.total += text.split_whitespace().count() as u64;
                    self.total
                }
                #[tell]
                fn reset(&mut self) {
                    self.total = 0;
                }
            }
        },
    );
    check("plain_actor.rs", quote!(#of_struct #of_impl));
}

#[test]
fn a_generic_actor() {
    let of_struct = actor::expand(
        none(),
        quote! {
            struct Cache<K: Hash + Eq, V, const N: usize = 8> {
                entries: HashMap<K, V>,
            }
        },
    );
    let of_impl = actor::expand(
        none(),
        quote! {
            impl<K: Hash + Eq, V: Clone, const N: usize> Cache<K, V, N> {
                fn get(&self, key: K) -> Option<V> {
                    self.entries.get(&key).cloned()
                }
                #[cfg(unix)]
                fn put(&mut self, key: K, value: V) -> Result<Option<V>, String> {
                    if self.entries.len() == N { Err("full".into()) } else { Ok(self.entries.insert(key, value)) }
                }
            }
        },
    );
    check("generic_actor.rs", quote!(#of_struct #of_impl));
}

#[test]
fn an_actor_with_init_and_on_stop() {
    let of_struct = actor::expand(
        quote!(daemon, shutdown = "500ms", memory = "64MiB"),
        quote! {
            pub(crate) struct Connection {
                stream: TcpStream,
            }
        },
    );
    let of_impl = actor::expand(
        none(),
        quote! {
            impl Connection {
                /// Connects to `address`.
                #[init]
                pub(crate) fn connect(address: String, mut attempts: u32) -> io::Result<Self> {
                    attempts += 1;
                    retry(attempts, || Ok(Connection { stream: TcpStream::connect(&*address)? }))
                }
                #[ask(deadline = "1s")]
                pub(crate) fn read(&mut self, (from, to): (u64, u64)) -> io::Result<Vec<u8>> {
                    read_range(&mut self.stream, from, to)
                }
                #[local]
                fn flush(&mut self) {}
                #[on_stop]
                fn close(&mut self) {
                    self.flush();
                }
            }
        },
    );
    check("init_actor.rs", quote!(#of_struct #of_impl));
}

#[test]
fn an_actor_that_is_restarted_and_recycled() {
    let of_struct = actor::expand(
        quote!(
            restart = transient,
            intensity = "5 in 10s",
            backoff = "100ms..30s",
            shutdown = "2s",
            significant,
            recycle_after = 1000,
            recycle_jitter = 10,
            drain = always,
            output = log
        ),
        quote! {
            struct Importer {
                seen: u64,
            }
        },
    );
    let of_impl = actor::expand(
        none(),
        quote! {
            impl Importer {
                #[on_start]
                fn catch_up(&mut self) {}
                #[on_exit]
                fn mourn(&mut self, down: Down) {}
                #[idempotent]
                fn import(&mut self, row: Row) -> u64 {
                    self.seen
                }
                #[tell(deadline = "1s")]
                #[idempotent(5)]
                fn touch(&mut self) {}
            }
        },
    );
    check("restarted_actor.rs", quote!(#of_struct #of_impl));
}

#[test]
fn a_supervisor() {
    let options = quote!(
        strategy = rest_for_one,
        intensity = "5 in 10s",
        backoff = "100ms..30s",
        auto_shutdown = any_significant,
        max_children = 10,
        name = "shop",
        restart = transient
    );
    let item = quote! {
        /// Sells things.
        pub struct Shop {
            /// What there is.
            pub db: Db,
            #[child(restart = transient, shutdown = "2s", significant, recycle_after = 1000)]
            mailer: Mailer,
            #[cfg(feature = "billing")]
            #[child(builder)]
            billing: Billing,
        }
    };
    check("supervisor.rs", supervisor::expand(options, item));
}

#[test]
fn a_supervisor_without_children() {
    check(
        "empty_supervisor.rs",
        supervisor::expand(
            quote!(strategy = dynamic),
            quote!(
                struct Workers;
            ),
        ),
    );
}

#[test]
fn a_task() {
    let item = quote! {
        /// The square of `n`.
        pub fn square(n: u64) -> u64 {
            n * n
        }
    };
    check("task.rs", task::expand(none(), item));
}

#[test]
fn a_task_with_a_result() {
    let item = quote! {
        fn divide(a: u64, b: u64) -> Result<u64, String> {
            a.checked_div(b).ok_or_else(|| "division by zero".to_owned())
        }
    };
    check("task_result.rs", task::expand(quote!(name = "divider", daemon = true), item));
}

#[test]
fn a_main_function() {
    let item = quote! {
        fn main() -> phalanx::Result<()> {
            run()?;
            Ok(())
        }
    };
    check("main_fn.rs", main_fn::expand(none(), item));
}

#[test]
fn a_main_function_of_an_executor() {
    let item = quote! {
        #[tokio::main(flavor = "current_thread")]
        #[expect(clippy::large_futures)]
        /// Serves.
        async fn main() -> phalanx::Result<()> {
            serve().await
        }
    };
    check("main_async.rs", main_fn::expand(quote!(signals = false), item));
}

#[test]
fn an_actor_that_answers_later() {
    let of_impl = actor::expand(
        none(),
        quote! {
            impl Desk {
                fn plain(&mut self) -> Later<u64> {
                    self.keep()
                }
                fn fallible(&mut self, limit: Duration) -> phalanx::Later<Result<Self, String>> {
                    self.keep_until(limit)
                }
                fn aliased(&mut self) -> Later<io::Result<u64>> {
                    self.keep()
                }
            }
        },
    );
    check("later.rs", quote!(#of_impl));
}
