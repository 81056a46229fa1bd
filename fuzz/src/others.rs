//! What other implementations give, to compare with.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{decompress, inflate_flags};

/// How many elements, and how many parameters, a list may have.
pub const MOST_ELEMENTS: usize = 128;

/// A list header's elements, split at each comma and semicolon, as long as there are no quotes.
pub fn list(lines: &[&[u8]], params: bool) -> Option<Vec<String>> {
    let lines: Option<Vec<_>> = lines
        .iter()
        .map(|line| std::str::from_utf8(line).ok())
        .collect();
    let mut budget = MOST_ELEMENTS;
    let elements = lines?
        .into_iter()
        .flat_map(|line| line.split(','))
        .map(trim);
    let list: Option<Vec<String>> = elements
        .filter(|element| !element.is_empty())
        .map(|element| {
            let mut parts = element.split(if params { ';' } else { ',' }).map(trim);
            let mut written = parts.next().filter(|name| is_token(name))?.to_owned();
            for part in parts {
                budget = budget.checked_sub(1)?;
                let (name, value) = part.split_once('=').unwrap_or((part, "none"));
                written = (is_token(name) && is_token(value)).then(|| written + "; " + part)?;
            }
            Some(written)
        })
        .collect();
    list.filter(|list| (1..=MOST_ELEMENTS).contains(&list.len()))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

/// Where another inflater stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum Inflated {
    /// Behind a final block.
    Final,
    /// At the limit.
    Full,
    /// More may follow, or it is an error.
    Open,
}

/// What a compressed message holds, up to the limit or the first final block.
pub fn inflate(payload: &[u8], limit: usize) -> (Vec<u8>, Inflated) {
    let whole = [payload, &[0, 0, 0xFF, 0xFF]].concat();
    let mut data = vec![0; limit];
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
    let (status, _, len) = decompress(&mut Default::default(), &whole, &mut data, 0, flags);
    data.truncate(len);
    let end = match status {
        TINFLStatus::Done => Inflated::Final,
        TINFLStatus::HasMoreOutput => Inflated::Full,
        _ => Inflated::Open,
    };
    (data, end)
}
