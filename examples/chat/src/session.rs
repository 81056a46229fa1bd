//! What one client asks for, done in its order. While the store is away the first of it waits, and the
//! rest behind it: nothing is confirmed then, nothing is done twice, and nothing is done out of order.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{interval, sleep};

use crate::feed::Member;
use crate::hub::Hub;
use crate::protocol::{Channel, MAX_TEXT, Reply, Request, is_id, is_name};
use crate::store::{Page, Unavailable};

/// So many rooms one may be in.
const MAX_ROOMS: usize = 16;
/// So much is shown of a room to those who ask for no more.
const SHOWN: usize = 50;
/// So many posts are read at once.
const PAGE: usize = 200;
/// How often a name is claimed anew by who has it.
const CLAIM: Duration = Duration::from_secs(3600);

/// Why a session ends, for the Close frame.
pub(crate) enum End {
    /// The client broke a rule.
    Violation(&'static str),
    /// It does not keep up, or the store does not.
    TryLater(&'static str),
    /// The connection has ended.
    Gone,
}

pub(crate) struct Session {
    hub: Arc<Hub>,
    number: u64,
    server: Arc<str>,
    out: Sender<Arc<str>>,
    lags: Arc<Notify>,
    channels: HashSet<Channel>,
}

struct Client {
    id: String,
    member: Member,
}

impl Session {
    pub(crate) fn new(
        hub: Arc<Hub>,
        number: u64,
        server: Arc<str>,
        out: Sender<Arc<str>>,
        lags: Arc<Notify>,
    ) -> Self {
        Self {
            hub,
            number,
            server,
            out,
            lags,
            channels: HashSet::new(),
        }
    }

    pub(crate) async fn run(mut self, mut requests: Receiver<Request>) -> End {
        match self.serve(&mut requests).await {
            Ok(()) => End::Gone,
            Err(end) => end,
        }
    }

    async fn serve(&mut self, requests: &mut Receiver<Request>) -> Result<(), End> {
        let Some(client) = self.hello(requests).await? else {
            return Ok(());
        };
        let mut claim = interval(CLAIM);
        loop {
            let request = tokio::select! {
                request = requests.recv() => request,
                _ = claim.tick() => {
                    let _ = self.hub.store.claim(&client.member.name, &client.id).await;
                    continue;
                }
            };
            match request {
                Some(request) => self.answer(&client, request).await?,
                None => return Ok(()),
            }
        }
    }

    /// Who is it? Until that is known, nothing else can be asked for.
    async fn hello(&mut self, requests: &mut Receiver<Request>) -> Result<Option<Client>, End> {
        loop {
            let (client, name, since) = match requests.recv().await {
                Some(Request::Hello {
                    client,
                    name,
                    since,
                }) => (client, name, since),
                Some(_) => return Err(End::Violation("say hello first")),
                None => return Ok(None),
            };
            let reason = match Channel::inbox(&name) {
                None => "not a name",
                Some(_) if !is_id(&client, 16) => "not an id of a client",
                Some(inbox) => {
                    if persist(|| self.hub.store.claim(&name, &client)).await {
                        let server = &self.server;
                        self.reply(&Reply::Welcome {
                            name: &name,
                            server,
                        })
                        .await?;
                        let member = Member {
                            number: self.number,
                            name: name.into(),
                            out: self.out.clone(),
                            lags: self.lags.clone(),
                        };
                        self.attach(inbox, &member, since).await?;
                        return Ok(Some(Client { id: client, member }));
                    }
                    "the name is taken"
                }
            };
            self.refuse(None, None, reason).await?;
        }
    }

    async fn answer(&mut self, client: &Client, request: Request) -> Result<(), End> {
        match request {
            Request::Hello { .. } => Err(End::Violation("said hello already")),
            Request::Join { room, since } => match Channel::room(&room) {
                None => self.refuse(None, Some(&room), "not a name").await,
                Some(channel) => {
                    let is_new = !self.channels.contains(&channel);
                    // One of them is the inbox.
                    if is_new && self.channels.len() > MAX_ROOMS {
                        return self.refuse(None, Some(&room), "too many rooms").await;
                    }
                    self.attach(channel, &client.member, since).await
                }
            },
            Request::Leave { room } => {
                let channel = Channel::Room(room);
                if self.channels.remove(&channel) {
                    self.hub.detach(&channel, self.number);
                }
                if let Channel::Room(room) = &channel {
                    self.reply(&Reply::Left { room }).await?;
                }
                Ok(())
            }
            Request::Say { id, room, text } => {
                let channel = Channel::Room(room);
                let is_here = self.channels.contains(&channel);
                let reason = (!is_here).then_some("not in this room");
                self.post(client, &channel, &id, &text, reason).await
            }
            Request::Tell { id, to, text } => {
                let reason = (!is_name(&to)).then_some("not a name");
                self.post(client, &Channel::Inbox(to), &id, &text, reason)
                    .await
            }
            Request::Ping { n } => self.reply(&Reply::Pong { n }).await,
        }
    }

    async fn post(
        &self,
        client: &Client,
        channel: &Channel,
        id: &str,
        text: &str,
        reason: Option<&'static str>,
    ) -> Result<(), End> {
        if !is_id(id, 1) {
            return Err(End::Violation("not an id of a message"));
        }
        let reason = match text.len() {
            0 => Some("nothing is said"),
            1..=MAX_TEXT => reason,
            _ => Some("too long"),
        };
        if let Some(reason) = reason {
            return self.refuse(Some(id), None, reason).await;
        }
        let from = &client.member.name;
        let message = persist(|| self.hub.post(channel, &client.id, id, from, text)).await;
        self.reply(&Reply::Confirmed { id, message }).await
    }

    /// Sends what came after `since`, or the last of what is there; and from now on what comes.
    async fn attach(
        &mut self,
        channel: Channel,
        member: &Member,
        since: Option<u64>,
    ) -> Result<(), End> {
        self.hub.detach(&channel, self.number);
        let store = &self.hub.store;
        let mut page = Page::default();
        let mut missed = false;
        let mut read_since = None;
        if let Some(since) = since {
            page = persist(|| store.read(&channel, since, PAGE)).await;
            let next = page.posts.first().map_or(page.last, |post| post.id - 1);
            missed = since > 0 && next != since;
            // The store may know less than the client: then it has been emptied.
            read_since = (since <= page.last).then_some(since);
        }
        if read_since.is_none() {
            page = persist(|| store.latest(&channel, SHOWN)).await;
        }
        let first = page.posts.first().map_or(page.last, |post| post.id - 1);
        if let Channel::Room(room) = &channel {
            let since = read_since.unwrap_or(first);
            self.reply(&Reply::Joined {
                room,
                since,
                missed,
            })
            .await?;
        }
        let mut cursor = first;
        for _ in 0..100 {
            for post in &page.posts {
                self.send(channel.message(post)).await?;
                cursor = post.id;
            }
            if page.posts.len() < PAGE {
                cursor = cursor.max(page.last);
                if self.hub.attach(&channel, member, cursor) {
                    self.channels.insert(channel);
                    return Ok(());
                }
                sleep(Duration::from_millis(10)).await;
            }
            page = persist(|| self.hub.store.read(&channel, cursor, PAGE)).await;
        }
        Err(End::TryLater("the room is faster than its history"))
    }

    async fn refuse(&self, id: Option<&str>, room: Option<&str>, reason: &str) -> Result<(), End> {
        self.reply(&Reply::Refused { id, room, reason }).await
    }

    async fn reply(&self, reply: &Reply<'_>) -> Result<(), End> {
        self.send(reply.to_json()).await
    }

    async fn send(&self, text: String) -> Result<(), End> {
        self.out.send(text.into()).await.map_err(|_| End::Gone)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for channel in &self.channels {
            self.hub.detach(channel, self.number);
        }
    }
}

/// Asks until the store answers. What is asked for may be done twice.
async fn persist<R, F: Future<Output = Result<R, Unavailable>>>(mut ask: impl FnMut() -> F) -> R {
    let mut delay = Duration::from_millis(50);
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(_) => sleep(delay).await,
        }
        delay = (delay * 2).min(Duration::from_secs(1));
    }
}
