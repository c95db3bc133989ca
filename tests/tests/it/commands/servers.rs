//! Real servers as commands: ready, reload, kills, stops, and that nothing of them is left and their data is
//! whole. Where a server is not installed, its cases say that they are skipped.

use std::fs;
use std::io::{Read, Write, stderr};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{
    Restart,
    command::{Command, Ready},
};
use phalanx_tests::{EVENT_TIMEOUT, Program, RESTART_WINDOW, alone, eventually, processes, until};

use super::SCENARIO;

/// The number of a user without rights; some servers refuse to be root.
const NOBODY: u32 = 65534;

/// How many restarts of a server that is killed are bearable.
const RESTARTS: u32 = 20;

/// Where a server is installed.
fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.push("/usr/sbin".into());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    places.extend(versions.map(|version| version.path().join("bin")));
    let found = places.iter().map(|place| place.join(name)).find(|path| path.exists());
    if found.is_none() {
        // Not by `eprintln`, which is kept from people if the case passes.
        let _ = writeln!(stderr(), "SKIPPED: {name} is not installed");
    }
    found
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A port of this machine only that is free.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A directory of a server, which goes away with this.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Home {
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Home(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sends words to the server at this port; returns what comes back until it contains `end`, or is over. Empty
/// if no server listens.
fn talk(port: u16, words: &str, end: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    stream.set_read_timeout(Some(EVENT_TIMEOUT)).unwrap();
    let (mut said, mut chunk) = (Vec::new(), [0; 4096]);
    if stream.write_all(words.as_bytes()).is_err() {
        return String::new();
    }
    while !String::from_utf8_lossy(&said).contains(end) {
        match stream.read(&mut chunk) {
            Ok(len) if len > 0 => said.extend_from_slice(&chunk[..len]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// What makes a server of one kind, for a case that spawns it and for a program that does.
struct Server {
    program: PathBuf,
    args: Vec<String>,
    port: u16,
}

impl Server {
    fn command(&self) -> Command {
        let command = Command::new(&self.program).args(&self.args);
        command.ready(Ready::port(self.address())).start_timeout(Duration::from_secs(20))
    }

    /// It is started again whenever it ends.
    fn lasting(&self) -> Command {
        self.command().restart(Restart::Permanent).intensity(RESTARTS, RESTART_WINDOW)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A program with this server is killed in some way: nothing is left of either.
    #[track_caller]
    fn dies_with(&self, victims: &[Victim]) {
        let program = self.program.to_str().unwrap();
        let address = self.address();
        let args = ["keeps", &address, program].into_iter().chain(self.args.iter().map(String::as_str));
        let run = Program::new(SCENARIO).args(args).env("RUST_LOG", "off").start();
        assert_eq!(run.line(), "ready");
        let below: Vec<u32> = processes::descendants(run.pid()).iter().map(|process| process.pid).collect();
        let victims: Vec<u32> = victims
            .iter()
            .map(|victim| match victim {
                Victim::Program => run.pid(),
                Victim::Root => run.root_supervisor(),
                Victim::Reaper => run.reaper(),
            })
            .collect();
        processes::kill_together(&victims);
        eventually("the end of all", EVENT_TIMEOUT, || !below.iter().any(|&pid| processes::runs(pid)));
        assert!(!listens(self.port));
        run.signal("KILL");
        run.finish();
    }
}

#[derive(Clone, Copy)]
enum Victim {
    Program,
    Root,
    Reaper,
}

/// Each way in which a tree may lose its head.
const VICTIMS: [&[Victim]; 5] = [
    &[Victim::Root],
    &[Victim::Program],
    &[Victim::Program, Victim::Root],
    &[Victim::Reaper],
    &[Victim::Reaper, Victim::Program],
];

/// Waits until the command has another process than this one, and that serves.
#[track_caller]
fn comes_back(command: &phalanx::command::CommandRef, last: u32, serves: impl Fn() -> bool) -> u32 {
    let pid =
        until("another process", EVENT_TIMEOUT, || command.command_pid().ok().filter(|&pid| pid != last));
    eventually("a server that serves", EVENT_TIMEOUT, serves);
    pid
}

fn redis(program: PathBuf, home: &Home) -> Server {
    let port = free_port();
    let args = format!(
        "--port {port} --bind 127.0.0.1 --dir {} --appendonly yes --appendfsync always --save 60 1",
        home.path()
    );
    Server { program, args: args.split(' ').map(str::to_owned).collect(), port }
}

fn get(port: u16) -> String {
    // The server tells a client that comes too early that it is loading, and hangs up in any case.
    talk(port, "GET number\r\nQUIT\r\n", "+OK\r\n")
}

const SEVEN: &str = "$1\r\n7\r\n+OK\r\n";

#[test]
fn redis_keeps_its_data_over_kills_and_stops() {
    let Some(program) = installed("redis-server") else { return };
    alone(|| {
        let home = Home::new("redis");
        let server = redis(program, &home);
        let redis = server.lasting().ready(Ready::line("Ready to accept connections")).spawn().unwrap();
        assert_eq!(talk(server.port, "SET number 7\r\n", "\r\n"), "+OK\r\n");
        let mut pid = redis.command_pid().unwrap();
        for _ in 0..3 {
            processes::kill(pid);
            pid = comes_back(&redis, pid, || get(server.port) == SEVEN);
        }
        assert!(redis.stop(EVENT_TIMEOUT).unwrap().is_orderly());
        assert!(!listens(server.port));
        let redis = server.command().spawn().unwrap();
        // It listens before it has loaded.
        eventually("whole data", EVENT_TIMEOUT, || get(server.port) == SEVEN);
        // One that is busy and does not look at its signals is stopped late.
        let pid = redis.command_pid().unwrap();
        let mut busy = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        busy.write_all(b"EVAL \"while true do end\" 0\r\n").unwrap();
        eventually("a server that does not answer", EVENT_TIMEOUT, || {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            stream.write_all(b"PING\r\n").unwrap();
            stream.read(&mut [0]).is_err()
        });
        assert_eq!(redis.stop(Duration::from_millis(300)).unwrap().signal(), Some(9));
        eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid) && !listens(server.port));
    });
}

#[test]
fn redis_dies_with_its_tree_and_its_data_is_whole() {
    let Some(program) = installed("redis-server") else { return };
    alone(|| {
        let home = Home::new("redis");
        let server = redis(program, &home);
        let redis = server.command().spawn().unwrap();
        assert_eq!(talk(server.port, "SET number 7\r\n", "\r\n"), "+OK\r\n");
        redis.stop(EVENT_TIMEOUT).unwrap();
        server.dies_with(&[Victim::Program, Victim::Root]);
        server.dies_with(&[Victim::Root]);
        let redis = server.command().spawn().unwrap();
        // It listens before it has loaded.
        eventually("whole data", EVENT_TIMEOUT, || get(server.port) == SEVEN);
        redis.stop(EVENT_TIMEOUT).unwrap();
    });
}

#[test]
fn memcached_is_ready_served_killed_and_stopped() {
    let Some(program) = installed("memcached") else { return };
    alone(|| {
        let port = free_port();
        let user = if is_root() { " -u root" } else { "" };
        let args = format!("-l 127.0.0.1 -p {port} -U 0{user}");
        let server = Server { program, args: args.split(' ').map(str::to_owned).collect(), port };
        let memcached = server.lasting().spawn().unwrap();
        assert_eq!(talk(port, "set number 0 0 1\r\n7\r\n", "\r\n"), "STORED\r\n");
        let pid = memcached.command_pid().unwrap();
        processes::kill(pid);
        comes_back(&memcached, pid, || talk(port, "get number\r\n", "\r\n") == "END\r\n");
        assert!(memcached.stop(EVENT_TIMEOUT).unwrap().is_orderly());
        assert!(!listens(port));
        server.dies_with(&[Victim::Program, Victim::Root]);
        server.dies_with(&[Victim::Root]);
    });
}

/// A server with two workers.
struct Nginx {
    server: Server,
    home: Home,
    port: u16,
}

impl Nginx {
    fn new(program: PathBuf, daemon: bool) -> Nginx {
        let (home, port) = (Home::new("nginx"), free_port());
        let args = ["-p", home.path(), "-e", "stderr", "-c", "nginx.conf"].map(str::to_owned).to_vec();
        let nginx = Nginx { server: Server { program, args, port }, home, port };
        nginx.configure("one", daemon);
        nginx
    }

    /// What it says from its next reload on.
    fn configure(&self, word: &str, daemon: bool) {
        let (daemon, port) = (if daemon { "on" } else { "off" }, self.port);
        let user = if is_root() { "user root;" } else { "" };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", self.home.path()));
        let text = format!(
            "{user} daemon {daemon}; worker_processes 2; pid nginx.pid; error_log stderr; events {{}}\n\
             http {{ access_log off; {} server {{ listen 127.0.0.1:{port}; location / {{ return 200 {word}; }} }} }}\n",
            temporary.join(" ")
        );
        self.home.write("nginx.conf", &text);
    }

    fn says(&self, word: &str) -> bool {
        let said = talk(self.port, "GET / HTTP/1.0\r\n\r\n", "\r\n\r\n");
        said.starts_with("HTTP/1.1 200 ") && said.ends_with(word)
    }
}

/// The workers of a master, which write their titles to where their environment was.
fn workers(master: u32) -> Vec<u32> {
    let workers = processes::children(master).into_iter().map(|process| process.pid);
    workers.filter(|&pid| processes::runs(pid)).collect()
}

#[test]
fn nginx_is_reloaded_loses_workers_and_its_master_and_is_stopped() {
    let Some(program) = installed("nginx") else { return };
    alone(|| {
        let nginx = Nginx::new(program, false);
        let command = nginx.server.lasting().stop_signal(3).spawn().unwrap();
        let master = command.command_pid().unwrap();
        eventually("one", EVENT_TIMEOUT, || nginx.says("one"));
        nginx.configure("two", false);
        processes::signal("HUP", i64::from(command.command_pid().unwrap()));
        eventually("two", EVENT_TIMEOUT, || nginx.says("two"));

        let first = until("two workers", EVENT_TIMEOUT, || {
            Some(workers(master)).filter(|workers| workers.len() == 2)
        });
        processes::kill(first[0]);
        eventually("another worker", EVENT_TIMEOUT, || {
            let now = workers(master);
            now.len() == 2 && !now.contains(&first[0]) && nginx.says("two")
        });
        assert_eq!(command.command_pid().unwrap(), master);

        let orphans = workers(master);
        processes::kill(master);
        comes_back(&command, master, || nginx.says("two"));
        eventually("the end of its workers", EVENT_TIMEOUT, || {
            !orphans.iter().any(|&pid| processes::runs(pid))
        });

        assert!(command.stop(EVENT_TIMEOUT).unwrap().is_orderly());
        assert!(!listens(nginx.port));
    });
}

#[test]
fn nginx_dies_with_its_tree_whoever_is_killed() {
    let Some(program) = installed("nginx") else { return };
    alone(|| {
        let nginx = Nginx::new(program, false);
        for victims in VICTIMS {
            nginx.server.dies_with(victims);
        }
    });
}

#[test]
fn nginx_as_a_daemon_is_refused_with_a_hint_or_ends_at_once_and_nothing_of_it_is_left() {
    let Some(program) = installed("nginx") else { return };
    alone(|| {
        let nginx = Nginx::new(program, true);
        match nginx.server.command().spawn() {
            Err(SpawnError::InitFailed { error, .. }) => {
                assert!(error.contains("exited with code 0 before it was ready, and left "), "{error}");
                assert!(error.contains(" behind; does it put itself into the background?"), "{error}");
            }
            // Its first process listens for a moment before it leaves the others alone.
            Ok(command) => assert_eq!(command.join_timeout(EVENT_TIMEOUT), Some(ExitReason::Exited(0))),
            Err(other) => panic!("{other}"),
        }
        eventually("a free port", EVENT_TIMEOUT, || !listens(nginx.port));
        // The daemon's parent may have ended before the kill; its children have a session of their own.
        let line = nginx.server.args.iter().map(|arg| format!(" {arg}")).collect::<String>();
        let shell = format!("{}{line}; exec sleep 1000", nginx.server.program.display());
        let args = vec!["-c".to_owned(), shell];
        let server = Server { program: "/bin/sh".into(), args, port: nginx.port };
        for victims in VICTIMS {
            server.dies_with(victims);
        }
    });
}

/// A database cluster. Its server refuses to be root, and becomes another user then.
struct Postgres {
    server: Server,
    home: Home,
    psql: PathBuf,
}

impl Postgres {
    fn new(program: PathBuf) -> Postgres {
        let (home, port) = (Home::new("postgres"), free_port());
        let directory = program.canonicalize().unwrap().parent().unwrap().to_owned();
        let psql = directory.join("psql");
        if is_root() {
            fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
            chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            // The directories on the way there, which may have any owner.
            for above in Path::new(home.path()).ancestors().skip(1).take(2) {
                fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let data = format!("{}/data", home.path());
        let (initdb, args) = as_plain_user(
            &directory.join("initdb"),
            &format!("-D {data} -U postgres -A trust -E UTF8 --locale=C --no-sync"),
        );
        let made = process::Command::new(initdb).args(args).current_dir("/").output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let options = format!(
            "-D {data} -k {} -h 127.0.0.1 -p {port} -c dynamic_shared_memory_type=mmap -c max_connections=10",
            home.path()
        );
        let (program, args) = as_plain_user(&program, &options);
        Postgres { server: Server { program, args, port }, home, psql }
    }

    fn ask(&self, query: &str) -> Option<String> {
        let port = self.server.port.to_string();
        let args = ["-X", "-q", "-t", "-A", "-U", "postgres", "-d", "postgres", "-p", &port, "-h"];
        let output = process::Command::new(&self.psql)
            .args(args)
            .args([self.home.path(), "-c", query])
            .env("PGCONNECT_TIMEOUT", "5")
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn has_the_data(&self) -> bool {
        self.ask("SELECT sum(number) FROM numbers").as_deref() == Some("5050")
    }
}

/// The command as a user that is not root.
fn as_plain_user(program: &Path, args: &str) -> (PathBuf, Vec<String>) {
    let args = args.split(' ').map(str::to_owned);
    if !is_root() {
        return (program.to_owned(), args.collect());
    }
    let user = format!("--reuid={NOBODY} --regid={NOBODY} --clear-groups {}", program.display());
    ("setpriv".into(), user.split(' ').map(str::to_owned).chain(args).collect())
}

#[test]
fn postgres_keeps_its_data_over_kills_of_processes_of_all_kinds() {
    let Some(program) = installed("postgres") else { return };
    alone(|| {
        let postgres = Postgres::new(program);
        let ready = Ready::line("database system is ready to accept connections");
        let lasting = postgres.server.lasting().ready(ready);
        let command = lasting.stop_signal(2).current_dir("/").spawn().unwrap();
        let sql = "CREATE TABLE numbers AS SELECT generate_series(1, 100) AS number";
        assert!(postgres.ask(sql).is_some());
        assert!(postgres.has_the_data());

        // It starts its other processes again by itself.
        let master = command.command_pid().unwrap();
        processes::kill(*workers(master).last().unwrap());
        eventually("a server that serves", EVENT_TIMEOUT, || postgres.has_the_data());
        assert_eq!(command.command_pid().unwrap(), master);

        // Its processes have sessions of their own, and it starts no second time beside them.
        let orphans = workers(master);
        assert!(orphans.len() >= 3);
        processes::kill(master);
        comes_back(&command, master, || postgres.has_the_data());
        assert!(!orphans.iter().any(|&pid| processes::runs(pid)));
        assert!(command.stop(EVENT_TIMEOUT).unwrap().is_orderly());
        assert!(!listens(postgres.server.port));
    });
}

#[test]
fn postgres_dies_with_its_tree_and_its_data_is_whole() {
    let Some(program) = installed("postgres") else { return };
    alone(|| {
        let postgres = Postgres::new(program);
        let start = || postgres.server.command().stop_signal(2).current_dir("/").spawn().unwrap();
        let command = start();
        let sql = "CREATE TABLE numbers AS SELECT generate_series(1, 100) AS number";
        until("a table", EVENT_TIMEOUT, || postgres.ask(sql));
        assert!(command.stop(EVENT_TIMEOUT).unwrap().is_orderly());
        postgres.server.dies_with(&[Victim::Root]);
        postgres.server.dies_with(&[Victim::Program, Victim::Root]);
        let command = start();
        eventually("whole data", EVENT_TIMEOUT, || postgres.has_the_data());
        assert!(command.stop(EVENT_TIMEOUT).unwrap().is_orderly());
    });
}
