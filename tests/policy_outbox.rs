//! What waits to be sent, and to be confirmed, in virtual time.
#![cfg(feature = "policy")]

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use sansocket::policy::{Outbox, Overflow, Resume};
use sansocket::{Message, Timestamp};

fn at(n: u64) -> Timestamp {
    Duration::from_secs(n).into()
}

fn text(n: u64) -> Message {
    Message::from(format!("message {n}"))
}

fn number(message: &Message) -> u64 {
    let text = std::str::from_utf8(message.as_bytes()).unwrap();
    text["message ".len()..].parse().unwrap()
}

/// Sends all that waits; gives it.
fn send_all(outbox: &mut Outbox, now: u64) -> Vec<Message> {
    let mut sent = Vec::new();
    while let Some(message) = outbox.next().cloned() {
        sent.push(message);
        outbox.on_sent(at(now));
    }
    sent
}

#[test]
fn messages_leave_in_order_and_those_without_an_id_are_gone_then() {
    let mut outbox = Outbox::new(10, 1000);
    for n in 0..3 {
        assert_eq!(outbox.push(None, text(n)), Ok(vec![]));
    }
    assert_eq!((outbox.len(), outbox.unsent(), outbox.bytes()), (3, 3, 27));
    assert_eq!(outbox.next(), outbox.next(), "until it was sent");
    assert_eq!(send_all(&mut outbox, 0), [text(0), text(1), text(2)]);
    assert!(outbox.is_empty());
    outbox.on_disconnected();
    outbox.on_sent(at(0));
    assert_eq!((outbox.next(), outbox.bytes()), (None, 0));
}

#[test]
fn what_is_not_confirmed_is_sent_again_in_its_old_place() {
    let mut outbox = Outbox::new(10, 1000);
    for n in 0..4 {
        outbox.push(Some(n), text(n)).unwrap();
    }
    assert_eq!(send_all(&mut outbox, 0).len(), 4);
    assert_eq!((outbox.unsent(), outbox.unconfirmed()), (0, 4));
    assert!(outbox.confirm(&1));
    assert!(!outbox.confirm(&1), "twice");
    assert!(!outbox.confirm(&9), "unknown");
    outbox.push(Some(4), text(4)).unwrap();
    outbox.on_disconnected();
    assert_eq!(
        send_all(&mut outbox, 1),
        [text(0), text(2), text(3), text(4)]
    );
}

#[test]
fn a_confirmation_may_come_before_the_message_is_sent_again() {
    let mut outbox = Outbox::new(10, 1000);
    outbox.push(Some(1), text(1)).unwrap();
    send_all(&mut outbox, 0);
    outbox.on_disconnected();
    assert!(outbox.confirm(&1), "it had come");
    assert_eq!(outbox.next(), None);
}

#[test]
fn a_confirmation_that_takes_too_long_sends_the_message_again() {
    let mut outbox = Outbox::new(10, 1000).confirm_within(Duration::from_secs(5));
    outbox.push(Some(1), text(1)).unwrap();
    assert_eq!(outbox.poll_timeout(), None, "not sent");
    send_all(&mut outbox, 10);
    outbox.push(Some(2), text(2)).unwrap();
    send_all(&mut outbox, 12);
    assert_eq!(outbox.poll_timeout(), Some(at(15)));
    outbox.handle_timeout(at(14));
    assert_eq!(outbox.next(), None);
    outbox.handle_timeout(at(15));
    assert_eq!(outbox.next(), Some(&text(1)));
    assert_eq!(outbox.poll_timeout(), Some(at(17)));
    assert_eq!(send_all(&mut outbox, 15), [text(1)]);
    assert_eq!(outbox.poll_timeout(), Some(at(17)));
}

#[test]
fn beyond_the_limits_a_message_comes_back() {
    let mut outbox = Outbox::<u64>::new(2, 20);
    outbox.push(None, text(1)).unwrap();
    let long = Message::from("x".repeat(12));
    assert_eq!(outbox.push(None, long.clone()), Err(long), "21 bytes");
    outbox.push(None, text(2)).unwrap();
    assert_eq!(outbox.push(None, Message::from("")), Err(Message::from("")));
}

#[test]
fn the_newest_may_be_dropped() {
    let mut outbox = Outbox::<u64>::new(1, 100).overflow(Overflow::DropNewest);
    outbox.push(None, text(1)).unwrap();
    assert_eq!(outbox.push(None, text(2)), Ok(vec![text(2)]));
    assert_eq!(outbox.next(), Some(&text(1)));
}

#[test]
fn the_oldest_that_were_never_sent_may_be_dropped() {
    let mut outbox = Outbox::new(4, 40).overflow(Overflow::DropOldest);
    outbox.push(Some(0), text(0)).unwrap();
    send_all(&mut outbox, 0);
    for n in 1..4 {
        outbox.push(Some(n), text(n)).unwrap();
    }
    assert_eq!(outbox.push(Some(4), text(4)), Ok(vec![text(1)]));
    // Two of them, for one of 18 bytes.
    let long = Message::from("y".repeat(18));
    assert_eq!(
        outbox.push(Some(5), long.clone()),
        Ok(vec![text(2), text(3)])
    );
    outbox.on_disconnected();
    assert_eq!(send_all(&mut outbox, 1), [text(0), text(4), long]);
    // What the peer may have is kept, and what fits nowhere costs nobody else.
    assert_eq!(outbox.push(None, text(6)).map_err(|_| ()), Err(()));
    let huge = Message::from(vec![0; 41]);
    outbox.confirm(&0);
    assert_eq!(outbox.push(None, huge.clone()), Err(huge));
    assert_eq!(outbox.len(), 2);
}

#[test]
fn whoever_resumes_sees_each_message_once() {
    let mut resume = Resume::after(3);
    let new: Vec<u64> = [2, 3, 4, 5, 4, 5, 6]
        .into_iter()
        .filter(|id| resume.is_new(id))
        .collect();
    assert_eq!((new, resume.last()), (vec![4, 5, 6], Some(&6)));
    assert_eq!(Resume::<u64>::default().last(), None);
}

#[derive(Debug, Clone)]
enum Step {
    Push,
    Send,
    Deliver,
    Confirm,
    Disconnect,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Push),
        4 => Just(Step::Send),
        3 => Just(Step::Deliver),
        3 => Just(Step::Confirm),
        1 => Just(Step::Disconnect),
        1 => (0..10_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// A link that loses what is under way when it breaks, to a receiver that looks at ids.
    #[test]
    fn nothing_is_lost_and_nothing_is_delivered_twice(steps in prop::collection::vec(step(), 1..200)) {
        let mut outbox = Outbox::new(1_000, 100_000).confirm_within(Duration::from_secs(5));
        let (mut pushed, mut now) = (0_u64, 0);
        let (mut link, mut confirmations) = (VecDeque::new(), VecDeque::new());
        let mut delivered = Vec::new();
        let end = [Step::Disconnect, Step::Send, Step::Deliver, Step::Confirm].into_iter().cycle();
        for step in steps.into_iter().chain(end.take(1)) {
            match step {
                Step::Push => {
                    outbox.push(Some(pushed), text(pushed)).unwrap();
                    pushed += 1;
                }
                Step::Send => {
                    if let Some(message) = outbox.next().cloned() {
                        outbox.on_sent(at(now));
                        link.push_back(message);
                    }
                }
                Step::Deliver => {
                    if let Some(message) = link.pop_front() {
                        let id = number(&message);
                        if !delivered.contains(&id) {
                            delivered.push(id);
                        }
                        confirmations.push_back(id);
                    }
                }
                Step::Confirm => {
                    if let Some(id) = confirmations.pop_front() {
                        outbox.confirm(&id);
                    }
                }
                Step::Disconnect => {
                    link.clear();
                    confirmations.clear();
                    outbox.on_disconnected();
                }
                Step::Wait(seconds) => {
                    now += seconds;
                    outbox.handle_timeout(at(now));
                }
            }
            prop_assert_eq!(outbox.unsent() + outbox.unconfirmed(), outbox.len());
        }
        // What is left arrives over one last connection.
        for message in send_all(&mut outbox, now) {
            let id = number(&message);
            outbox.confirm(&id);
            if !delivered.contains(&id) {
                delivered.push(id);
            }
        }
        prop_assert!(outbox.is_empty());
        prop_assert_eq!(outbox.bytes(), 0);
        delivered.sort_unstable();
        prop_assert_eq!(delivered, (0..pushed).collect::<Vec<_>>());
    }
}
