//! What compression holds, counted by the allocator.
#![cfg(feature = "deflate")]

mod common;

use common::allocations::{Counting, measure};
use common::compressed::*;
use common::*;
use sansocket::frame::Opcode;
use sansocket::{Chunk, Config, Connection, DeflateConfig, Delivery, ProtocolError, ReceiveBuffer};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn show() {
    for level in 0..=9 {
        for memory_level in [1, 5, 8, 9] {
            for bits in [9, 12, 15] {
                let deflate = ALL.server_max_window_bits(bits).memory_level(memory_level).level(level);
                let (mut c, idle) = measure(|| Connection::server(Config::new()).with_deflate(Some(deflate.into())));
                let (_, sent) = measure(|| {
                    c.send_text(&"abc".repeat(100)).unwrap();
                    transmit_all(&mut c);
                    c.release();
                });
                println!("level {level} mem {memory_level} bits {bits}: idle {} held {} peak {}", idle.held, sent.held, sent.peak);
            }
        }
    }
    for bits in [8, 9, 12, 15] {
        let deflate = ALL.client_max_window_bits(bits);
        let mut rx = ReceiveBuffer::new();
        let bytes = Side::Server.compressed(Opcode::Text, &Theirs::new(true).message("abc".repeat(10).as_bytes()));
        let mut c = Connection::server(Config::new()).with_deflate(Some(deflate.into()));
        let (_, got) = measure(|| {
            for _ in 0..100 {
            rx.extend_from_slice(&bytes);
            while c.receive(&mut rx).unwrap().is_some() {}
            }
            rx.release();
            c.release();
        });
        println!("inflate bits {bits}: held {} peak {}", got.held, got.peak);
    }
}
