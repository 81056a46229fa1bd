//! Extensions of the protocol (RFC 6455 §9).

pub(crate) mod deflate;
