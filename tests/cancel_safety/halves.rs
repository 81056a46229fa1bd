//! Both halves at once: each drops its futures by chance, and is polled only when woken.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use sansocket::futures_io::{ReceiveHalf, SendHalf};
use sansocket::{CloseCode, Message};

use crate::common::stalling::{Boxed, Pace, Stalling, Still, Woken, chance};
use crate::common::{SIDES, Seen, data, note, text};
use crate::run::{Peer, Setup, connect, messages};
use crate::script::{Does, seen};

/// Counts the drops, and decides on them.
struct Dice {
    seed: Cell<u64>,
    drops: Cell<usize>,
}

impl Dice {
    fn roll(&self, below: usize) -> usize {
        let mut seed = self.seed.get();
        let rolled = chance(&mut seed, below);
        self.seed.set(seed);
        rolled
    }

    /// The future's result, or `None` when it was dropped instead of waiting.
    async fn wait<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if self.roll(2) == 0 => {
                self.drops.set(self.drops.get() + 1);
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

async fn receive_all(
    mut half: ReceiveHalf<Stalling, Still>,
    dice: &Dice,
    all: &RefCell<Vec<Seen>>,
) {
    loop {
        match dice.wait(half.recv_event()).await {
            None => {}
            Some(Ok(Some(event))) => note(&mut all.borrow_mut(), event),
            Some(Ok(None)) => return,
            Some(Err(error)) => panic!("{error:?}"),
        }
    }
}

async fn send_all(mut half: SendHalf<Stalling, Still>, dice: &Dice, all: &[Message]) {
    for message in all {
        match message {
            Message::Text(text) if dice.roll(4) == 0 => half.send_text(text).await.unwrap(),
            _ => while dice.wait(half.feed(message.clone())).await.is_none() {},
        }
        if dice.roll(3) == 0 {
            while dice.wait(half.flush()).await.is_none() {}
        }
    }
    half.close(CloseCode::NORMAL).await.unwrap();
}

/// Polls the tasks in any order, but only those that were woken.
fn run_all(mut tasks: Vec<Boxed<'_, ()>>, dice: &Dice, peer: &mut Peer) {
    let woken: Vec<_> = tasks.iter().map(|_| Arc::new(Woken::default())).collect();
    let mut runs: Vec<_> = tasks.iter().map(|_| true).collect();
    let mut are_done = vec![false; tasks.len()];
    let mut peer_is_late = false;
    while are_done.contains(&false) {
        for (runs, woken) in runs.iter_mut().zip(&woken) {
            *runs |= woken.take();
        }
        let ready = |at: &usize| runs[*at] && !are_done[*at];
        let ready: Vec<usize> = (0..tasks.len()).filter(ready).collect();
        if ready.is_empty() && peer_is_late {
            peer.run();
            peer_is_late = false;
            continue;
        }
        assert!(!ready.is_empty(), "nobody wakes the rest: {are_done:?}");
        let at = ready[dice.roll(ready.len())];
        runs[at] = false;
        let waker = Waker::from(woken[at].clone());
        let mut cx = Context::from_waker(&waker);
        are_done[at] = tasks[at].as_mut().poll(&mut cx).is_ready();
        peer_is_late = dice.roll(3) == 0;
        if !peer_is_late {
            peer.run();
        }
    }
}

#[test]
fn halves_in_two_tasks_drop_by_chance_and_lose_nothing() {
    let mut drops = 0;
    for seed in 1..100_u64 {
        let dice = Dice {
            seed: Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            drops: Cell::new(0),
        };
        let setup = Setup {
            reads: Pace::Seeded(seed * 7919),
            writes: Pace::Seeded(seed * 104_729),
            write_limit: 3000,
            ..Setup::of(SIDES[dice.roll(2)])
        };
        let (whole, mut peer) = connect(&setup);
        let (receive, send) = whole.split();
        let ours: Vec<Message> = (0..40)
            .map(|n| match n % 4 {
                0 => data(dice.roll(20_000)).into(),
                _ => text(dice.roll(500)).into(),
            })
            .collect();
        for n in 0..40 {
            peer.act(match n % 4 {
                0 => Does::Binary(n * 300),
                1 => Does::Ping(b"?"),
                2 => Does::Fragments(n * 10),
                _ => Does::Text(n * 10),
            });
        }
        let expected = messages(&peer.sent);
        let received = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<Boxed<'_, ()>> = vec![
            Box::pin(receive_all(receive, &dice, &received)),
            Box::pin(send_all(send, &dice, &ours)),
        ];
        run_all(tasks, &dice, &mut peer);
        peer.run();
        assert!(messages(&received.borrow()) == expected, "seed {seed}");
        let ours: Vec<_> = ours.into_iter().map(seen).collect();
        assert!(messages(&peer.end.seen) == ours, "seed {seed}");
        assert_eq!(peer.end.error, None);
        drops += dice.drops.get();
    }
    println!("dropped at {drops} places");
    assert!(drops >= 1000, "{drops}");
}
