//! Messages that are JSON, for serde.
//!
//! ```
//! use sansocket::policy::json;
//! use sansocket::{CloseCode, Message};
//!
//! #[derive(Debug, PartialEq, serde::Deserialize, serde::Serialize)]
//! struct Said {
//!     room: u32,
//!     text: String,
//! }
//!
//! let message = Message::from(r#"{"room": 7, "text": "hello"}"#);
//! let said: Said = json::from_message(&message)?;
//! assert_eq!(said.room, 7);
//! assert_eq!(json::from_message::<Said>(&json::to_message(&said)?)?, said);
//!
//! // What a wrong message is answered with: 1007 if it is no JSON, 1008 if it is none of these.
//! let close_code = |text: &str| {
//!     let error = json::from_message::<Said>(&text.into()).unwrap_err();
//!     error.close_frame().code()
//! };
//! assert_eq!(close_code("{room: 7"), CloseCode::INVALID_DATA);
//! assert_eq!(close_code(r#"{"room": "seven"}"#), CloseCode::POLICY_VIOLATION);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::error::Error;
use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::close::{CloseCode, CloseFrame};
use crate::message::Message;

/// Why a message is not what it should be. An application with other close codes matches on it.
#[derive(Debug)]
pub enum JsonError {
    /// It is no JSON.
    Syntax(serde_json::Error),
    /// It is JSON, as far as it was read, but not of the type asked for.
    Shape(serde_json::Error),
}

/// Reads a message, text or binary.
///
/// # Errors
/// [`JsonError`], for the first that is wrong.
pub fn from_message<T: DeserializeOwned>(message: &Message) -> Result<T, JsonError> {
    let parsed = match message {
        Message::Text(text) => serde_json::from_str(text),
        Message::Binary(data) => serde_json::from_slice(data),
    };
    parsed.map_err(|error| match error.classify() {
        Category::Data => JsonError::Shape(error),
        Category::Syntax | Category::Eof | Category::Io => JsonError::Syntax(error),
    })
}

/// Writes a text message.
///
/// # Errors
/// serde's, if the value cannot be written as JSON: a map whose keys are no strings, say.
pub fn to_message<T: Serialize + ?Sized>(value: &T) -> Result<Message, serde_json::Error> {
    serde_json::to_string(value).map(Message::Text)
}

impl JsonError {
    /// What to close the connection with: 1007 for what is no JSON, 1008 for JSON of another shape. The
    /// reason says where, and quotes nothing of the message.
    pub fn close_frame(&self) -> CloseFrame {
        let (code, what, error) = match self {
            Self::Syntax(error) => (CloseCode::INVALID_DATA, "no JSON", error),
            Self::Shape(error) => (CloseCode::POLICY_VIOLATION, "unexpected JSON", error),
        };
        let (line, column) = (error.line(), error.column());
        CloseFrame::new(
            code,
            alloc::format!("{what}, at line {line}, column {column}"),
        )
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "the message is no JSON: {error}"),
            Self::Shape(error) => write!(f, "the message is JSON of another shape: {error}"),
        }
    }
}

impl Error for JsonError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Syntax(error) | Self::Shape(error) => Some(error),
        }
    }
}
