//! What passes between a client and the server: JSON objects, one in each text message. The README
//! next to this package describes them.

use serde::{Deserialize, Serialize};

/// The largest message that a client may send, in bytes.
pub(crate) const MAX_MESSAGE: u64 = 16 * 1024;
/// The longest text that is said, in bytes.
pub(crate) const MAX_TEXT: usize = 4 * 1024;
/// The longest name of a room or a person, in characters.
pub(crate) const MAX_NAME: usize = 32;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Request {
    /// Comes first: who this is, and the last private message that it has.
    Hello {
        client: String,
        name: String,
        since: Option<u64>,
    },
    /// Asks for what is said in a room, from the one after `since` on.
    Join {
        room: String,
        since: Option<u64>,
    },
    Leave {
        room: String,
    },
    /// Says something in a room. `id` is the client's: who sends it again says it once.
    Say {
        id: String,
        room: String,
        text: String,
    },
    /// Says something to one person.
    Tell {
        id: String,
        to: String,
        text: String,
    },
    /// Answered at once, for the round-trip time.
    Ping {
        n: u64,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Reply<'a> {
    Welcome {
        name: &'a str,
        server: &'a str,
    },
    /// What follows is all that came after `since`; with `missed`, some of it is not kept any more.
    Joined {
        room: &'a str,
        since: u64,
        missed: bool,
    },
    Left {
        room: &'a str,
    },
    Message {
        room: &'a str,
        id: u64,
        from: &'a str,
        text: &'a str,
        at: u64,
    },
    Private {
        id: u64,
        from: &'a str,
        text: &'a str,
        at: u64,
    },
    /// Who is in the room, by name.
    Present {
        room: &'a str,
        names: &'a [String],
    },
    /// The message `id` is kept, and will not be lost: the client can forget it.
    Confirmed {
        id: &'a str,
        message: u64,
    },
    /// What was asked for cannot be done; asking again is of no use.
    Refused {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<&'a str>,
        reason: &'a str,
    },
    Pong {
        n: u64,
    },
}

impl Reply<'_> {
    pub(crate) fn to_json(&self) -> String {
        // Strings and numbers always have a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Something said, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    /// Its place in the room: the next one has the next number.
    pub(crate) id: u64,
    /// Unix time, in milliseconds.
    pub(crate) at: u64,
    pub(crate) from: String,
    pub(crate) text: String,
}

/// Where something is said: a room, or what one person is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    Room(String),
    Inbox(String),
}

impl Channel {
    /// A room, if that is a name.
    pub(crate) fn room(name: &str) -> Option<Self> {
        is_name(name).then(|| Self::Room(name.to_owned()))
    }

    pub(crate) fn inbox(name: &str) -> Option<Self> {
        is_name(name).then(|| Self::Inbox(name.to_owned()))
    }

    /// What members of the channel are sent.
    pub(crate) fn message(&self, post: &Post) -> String {
        let Post { id, at, from, text } = post;
        let (id, at) = (*id, *at);
        match self {
            Self::Room(room) => Reply::Message {
                room,
                id,
                from,
                text,
                at,
            }
            .to_json(),
            Self::Inbox(_) => Reply::Private { id, from, text, at }.to_json(),
        }
    }
}

/// Letters and digits of any script, `-` and `_`.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= MAX_NAME
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// What clients make up at random: for themselves, at least `shortest` characters, and for messages.
pub(crate) fn is_id(id: &str, shortest: usize) -> bool {
    (shortest..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
