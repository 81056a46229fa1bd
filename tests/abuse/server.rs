//! The echo server, in a process of its own.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// By then the server has ended all connections and itself: peers that don't answer its Close frame
/// have 5 s. After 8 s it would end anyway.
const SHUTDOWN: Duration = Duration::from_millis(7900);

/// Deadlines of peers that do nothing take up to 7 s; the rest is for a slow machine.
const SETTLING: Duration = Duration::from_secs(20);

/// How much more memory there may be after any number of rounds: free memory that lies between what is
/// in use, which does not grow from round to round. 3 KiB that leak with each connection are more.
const MORE_KIB: u64 = 8192;

/// What the test was built with, so that the server is built with the same.
const FEATURES: [(&str, bool); 12] = [
    ("axum", cfg!(feature = "axum")),
    ("default", cfg!(feature = "default")),
    ("deflate", cfg!(feature = "deflate")),
    ("futures-io", cfg!(feature = "futures-io")),
    ("handshake", cfg!(feature = "handshake")),
    ("http", cfg!(feature = "http")),
    ("hyper", cfg!(feature = "hyper")),
    ("rustls", cfg!(feature = "rustls")),
    ("rustls-no-provider", cfg!(feature = "rustls-no-provider")),
    ("simd", cfg!(feature = "simd")),
    ("std", cfg!(feature = "std")),
    ("tokio", cfg!(feature = "tokio")),
];

/// What a process holds.
#[derive(Debug)]
pub(crate) struct Usage {
    descriptors: usize,
    threads: usize,
    /// Resident memory, without the pages of the program's file.
    anonymous_kib: u64,
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    process: Child,
    /// It may say more.
    _stdout: BufReader<ChildStdout>,
    /// What it says of each connection that ended badly.
    log: PathBuf,
}

/// The program. Cargo has built it along with all tests, but not with this one alone.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let features: Vec<_> = FEATURES.iter().filter(|(_, is_on)| *is_on).collect();
        let features: Vec<_> = features.iter().map(|(name, _)| *name).collect();
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build
            .args(["build", "--quiet", "--example", "echo_server"])
            .args(["--no-default-features", "--features", &features.join(",")])
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "it does not build");
        // target/PROFILE/deps/this_test
        let this = env::current_exe().unwrap();
        let profile = this.ancestors().nth(2).unwrap();
        profile.join("examples/echo_server")
    })
}

impl Server {
    pub(crate) fn start(adapter: &str, options: &[&str]) -> Self {
        let name = format!("abuse-{adapter}-{}.log", options.len());
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut process = Command::new(program())
            .args(["--addr", "127.0.0.1:0", "--adapter", adapter])
            .args(options)
            // The allocator is to give back what is free, so that what is not shows.
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_THRESHOLD_", "16384")
            .env("MALLOC_TRIM_THRESHOLD_", "16384")
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (_, addr) = line.trim().split_once("ws://").expect("its address");
        Self {
            addr: addr.parse().unwrap(),
            process,
            _stdout: stdout,
            log,
        }
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.process.id().to_string())
            .join(name)
    }

    pub(crate) fn usage(&self) -> Usage {
        let count = |name| fs::read_dir(self.proc(name)).unwrap().count();
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let anonymous = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let anonymous = anonymous.and_then(|rest| rest.split_whitespace().next());
        Usage {
            descriptors: count("fd"),
            threads: count("task"),
            anonymous_kib: anonymous.unwrap().parse().unwrap(),
        }
    }

    /// Waits until the server holds no more than it did.
    #[track_caller]
    pub(crate) fn settles_at(&self, before: &Usage) {
        let began = Instant::now();
        loop {
            let now = self.usage();
            if now.descriptors <= before.descriptors
                && now.threads <= before.threads
                && now.anonymous_kib <= before.anonymous_kib + MORE_KIB
            {
                return;
            }
            assert!(began.elapsed() < SETTLING, "{before:?} became {now:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end, which it does in good order.
    pub(crate) fn shut_down(mut self) {
        let began = Instant::now();
        let kill = format!("kill -TERM {}", self.process.id());
        let kill = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(kill.success());
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < SHUTDOWN, "it does not end");
            thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{status}");
        let log = fs::read_to_string(&self.log).unwrap();
        let panic = log.lines().find(|line| line.contains("panicked"));
        assert_eq!(panic, None);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
