//! Which peers get in, and what the others hear.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use phalanx::remote::{Options, RemoteError};
use phalanx::{Secret, SecretError, remote};
use phalanx_tests::recorder::{Recorder, secret};
use phalanx_tests::{alone, eventually};

use super::{LINK_TIMEOUT, quick, refusals, serve};

fn other() -> Secret {
    Secret::from_bytes("another secret").unwrap()
}

/// An equal one works, an empty one is none (Python takes it).
#[test]
fn a_wrong_secret_is_refused_on_both_sides() {
    alone(|| {
        let (manager, _local) = serve();
        let refused = remote::connect(manager.addr(), &other()).unwrap_err();
        assert_eq!(refused, RemoteError::WrongSecret { peer: manager.addr().to_string() });
        eventually("the manager's side of it", LINK_TIMEOUT, || {
            matches!(manager.refusals().unwrap()[..], [RemoteError::WrongSecret { .. }])
        });
        assert_eq!(manager.clients(), Ok(0));
        let node = remote::connect(manager.addr(), &secret()).unwrap();
        assert_eq!(node.actor::<Recorder>("recorder").unwrap().note(1).wait(), Ok(1));
        assert_eq!(Secret::from_bytes("").unwrap_err(), SecretError::Empty);
    });
}

/// A stranger that sits at the manager's address and does not know the secret.
#[test]
fn a_false_manager_is_noticed() {
    alone(|| {
        let false_one = quick().serve("127.0.0.1:0", &other()).unwrap();
        let refused = remote::connect(false_one.addr(), &secret()).unwrap_err();
        assert!(matches!(refused, RemoteError::WrongSecret { .. }), "{refused}");
    });
}

#[test]
fn who_speaks_another_version_is_told_so() {
    alone(|| {
        let (manager, _local) = serve();
        let mut later = TcpStream::connect(manager.addr()).unwrap();
        later.write_all(b"phalanx-remote 2\n").unwrap();
        let mut said = String::new();
        later.read_to_string(&mut said).unwrap();
        assert_eq!(said, "phalanx-remote 1\n");
        let refusals = refusals(&manager, 1);
        let [RemoteError::Version { theirs, ours, .. }] = &refusals[..] else { panic!("{refusals:?}") };
        assert_eq!((&theirs[..], &ours[..]), ("phalanx-remote 2", "phalanx-remote 1"));

        // The other way round.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            client.write_all(b"phalanx-remote 2\n").unwrap();
            let _ = client.read_to_end(&mut Vec::new());
        });
        let refused = remote::connect(address, &secret()).unwrap_err();
        assert!(
            matches!(&refused, RemoteError::Version { theirs, .. } if theirs == "phalanx-remote 2"),
            "{refused}"
        );
        server.join().unwrap();
    });
}

#[test]
fn a_manager_that_says_nothing_or_nonsense_is_given_up() {
    alone(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            // The first one gets nothing, the second one nonsense, the third one a hang-up.
            let silent = listener.accept().unwrap();
            let mut loud = listener.accept().unwrap();
            loud.0.write_all(&[0xff; 1000]).unwrap();
            drop(listener.accept().unwrap());
            (silent, loud)
        });
        let options = Options::default().handshake(std::time::Duration::from_millis(500));
        let errors: Vec<RemoteError> =
            (0..3).map(|_| options.connect(address, &secret()).unwrap_err()).collect();
        assert!(
            matches!(
                errors[..],
                [RemoteError::TimedOut { .. }, RemoteError::Garbage { .. }, RemoteError::HungUp { .. }]
            ),
            "{errors:?}"
        );
        drop(server.join().unwrap());
    });
}

#[test]
fn an_address_that_cannot_be_is_a_typed_error() {
    alone(|| {
        let (manager, _local) = serve();
        let taken = quick().serve(manager.addr(), &secret()).unwrap_err();
        assert!(matches!(taken, RemoteError::Address { .. }), "{taken}");
        let nonsense = quick().serve("nowhere", &secret()).unwrap_err();
        assert!(matches!(nonsense, RemoteError::Address { .. }), "{nonsense}");
        let address = manager.addr();
        manager.stop(LINK_TIMEOUT).unwrap();
        let nobody = remote::connect(address, &secret()).unwrap_err();
        assert!(matches!(nobody, RemoteError::Unreachable { .. }), "{nobody}");
    });
}
