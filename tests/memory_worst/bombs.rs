//! Little that inflates to much.

use common::compressed::*;

use super::*;

/// What `DeflateConfig` documents for a decompressor, and the room for one step.
const INFLATING: usize = 48 * 1024 + 64 * 1024;

#[test]
fn bombs_hold_no_more_than_the_bound() {
    // 20 MiB of zeros, in one frame and in many.
    let block = Theirs::new(true).block(&vec![0; 1 << 20]).repeat(20);
    for side in SIDES {
        for bytes in [
            side.compressed(Opcode::Binary, &block),
            side.compressed_in(10, Opcode::Binary, &block),
            side.compressed(Opcode::Text, &block),
        ] {
            for delivery in DELIVERIES {
                for most in [100, usize::MAX] {
                    let ((), used) = measure(|| {
                        let mut endpoint = side.deflating(SIZES.config(delivery), ALL);
                        let mut rx = ReceiveBuffer::new();
                        let endpoint = (&mut endpoint.connection, &mut rx);
                        receive(endpoint, &bytes, most, Peer::ReadsNothing);
                    });
                    let bound = SIZES.receiving(delivery) + 9 * CONTROL + INFLATING;
                    assert_within(&used, bound, &format!("a bomb, {delivery:?}"));
                }
            }
        }
    }
}
