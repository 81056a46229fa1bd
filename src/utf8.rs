//! UTF-8 that arrives in pieces: whole characters are checked as they come, the incomplete one at
//! the end waits, and one that no further byte could mend is refused at once.

use core::str::Utf8Error;

/// The bytes are not UTF-8, whatever may follow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// From this size on the vector check is faster than the standard library's.
#[cfg(feature = "std")]
const VECTOR_MIN: usize = 64;

/// Checks a complete text: one pass, and the only one.
#[inline]
pub(crate) fn check(bytes: &[u8]) -> Result<&str, Invalid> {
    #[cfg(feature = "std")]
    if bytes.len() >= VECTOR_MIN {
        return simdutf8::basic::from_utf8(bytes).map_err(|_| Invalid);
    }
    core::str::from_utf8(bytes).map_err(|_| Invalid)
}

/// How many bytes at the end of `bytes` belong to a character that is not complete: 0 to 3.
///
/// Refuses an end that no further byte could complete (RFC 3629 §4). What lies before it is not
/// looked at.
pub(crate) fn incomplete_suffix(bytes: &[u8]) -> Result<usize, Invalid> {
    // The character's first byte is among the last three, or it is complete.
    let end = bytes
        .get(bytes.len().saturating_sub(3)..)
        .unwrap_or_default();
    let lead = end.iter().rposition(|byte| byte & 0xC0 != 0x80);
    let suffix = lead.and_then(|at| end.get(at..)).unwrap_or_default();
    match core::str::from_utf8(suffix) {
        Err(error) if !could_be_completed(&error) => Err(Invalid),
        Err(_) => Ok(suffix.len()),
        Ok(_) => Ok(0),
    }
}

fn could_be_completed(error: &Utf8Error) -> bool {
    error.error_len().is_none()
}

/// A character cut in two by the end of a fragment (§5.6: fragments may split anywhere).
#[derive(Debug, Default, Clone)]
pub(crate) struct CutChar {
    bytes: [u8; 4],
    len: u8,
}

impl CutChar {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps the 1 to 3 bytes that [`incomplete_suffix`] found.
    pub(crate) fn keep(&mut self, suffix: &[u8]) {
        for byte in suffix {
            self.push(*byte);
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(room) = self.bytes.get_mut(usize::from(self.len)) {
            *room = byte;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Adds one byte; gives the character if that completes it.
    pub(crate) fn complete(&mut self, byte: u8) -> Result<Option<char>, Invalid> {
        self.push(byte);
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        match core::str::from_utf8(bytes) {
            Ok(text) => {
                let whole = text.chars().next();
                self.len = 0;
                Ok(whole)
            }
            Err(error) if could_be_completed(&error) => Ok(None),
            Err(_) => Err(Invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    /// Decodes `parts` as fragments of one text, with this module's pieces.
    fn decode(parts: &[&[u8]]) -> Result<String, Invalid> {
        let (mut text, mut cut) = (String::new(), CutChar::default());
        for part in parts {
            let mut rest = *part;
            while let (false, Some((&byte, more))) = (cut.is_empty(), rest.split_first()) {
                text.extend(cut.complete(byte)?);
                rest = more;
            }
            let (whole, suffix) = rest.split_at(rest.len() - incomplete_suffix(rest)?);
            text.push_str(check(whole)?);
            cut.keep(suffix);
        }
        if cut.is_empty() {
            Ok(text)
        } else {
            Err(Invalid)
        }
    }

    #[test]
    fn every_sequence_of_up_to_three_bytes_is_judged_as_core_does_at_every_split() {
        for number in 0..1_u32 << 24 {
            let [_, bytes @ ..] = number.to_be_bytes();
            // All second and third bytes matter only behind a lead byte.
            if bytes[0] < 0xC0 && number % 64 != 0 {
                continue;
            }
            let expected = core::str::from_utf8(&bytes).ok();
            assert_eq!(decode(&[&bytes]).ok().as_deref(), expected);
            for at in 0..3 {
                let (head, tail) = bytes.split_at(at);
                assert_eq!(decode(&[head, tail]).ok().as_deref(), expected);
            }
        }
    }

    #[test]
    fn four_byte_sequences_are_judged_as_core_does_byte_by_byte() {
        for lead in 0xF0..=0xFF_u8 {
            for second in 0..=255 {
                for (third, fourth) in [(0x80, 0x80), (0xBF, 0xBF), (0x7F, 0x80), (0x80, 0xC0)] {
                    let bytes = [lead, second, third, fourth];
                    let expected = core::str::from_utf8(&bytes).ok();
                    let parts = bytes.chunks(1).collect::<alloc::vec::Vec<_>>();
                    assert_eq!(decode(&parts).ok().as_deref(), expected);
                    assert_eq!(decode(&[&bytes]).ok().as_deref(), expected);
                }
            }
        }
    }

    #[test]
    fn an_end_that_cannot_be_completed_is_refused_at_once() {
        for end in [
            &b"\xC0"[..],
            b"\xF5",
            b"\xE0\x80",
            b"\xED\xA0",
            b"\xF0\x80",
            b"\xF4\x90",
        ] {
            assert_eq!(incomplete_suffix(end), Err(Invalid), "{end:x?}");
        }
        for (end, len) in [
            (&b"a"[..], 0),
            (b"\xC3", 1),
            (b"a\xE2\x82", 2),
            (b"\xF0\x9F\x98", 3),
        ] {
            assert_eq!(incomplete_suffix(end), Ok(len), "{end:x?}");
        }
        assert_eq!(incomplete_suffix("é".as_bytes()), Ok(0));
        assert_eq!(incomplete_suffix(b""), Ok(0));
    }
}
