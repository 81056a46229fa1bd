//! The crate needs no std: a program without it (`tests/no_std`) is built, linked and run, so that
//! a dependency on std that creeps in breaks the tests.

// The program starts by way of a Unix C runtime; Miri starts no processes.
#![cfg(all(unix, feature = "handshake", not(miri)))]

use std::path::Path;
use std::process::Command;
use std::{env, fs};

#[test]
fn a_program_without_std_opens_echoes_and_closes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("tests/no_std");
    // The crate's own locked versions are there already, so that nothing has to be resolved or
    // fetched anew, offline or not. What is missing from it or too much, cargo mends.
    if let Ok(lock) = fs::read(root.join("Cargo.lock")) {
        fs::write(program.join("Cargo.lock"), lock).unwrap();
    }
    for profile in ["dev", "release"] {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["run", "--quiet", "--profile", profile, "--manifest-path"])
            .arg(program.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_std"))
            // Flags of the outer build, such as for coverage or a sanitizer, may need std.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
            .output()
            .unwrap();
        let (status, messages) = (output.status, String::from_utf8_lossy(&output.stderr));
        assert!(status.success(), "{profile}: {status}\n{messages}");
    }
}
