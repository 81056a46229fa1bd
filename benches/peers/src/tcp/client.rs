//! The load generator: bytes made beforehand, and an epoll loop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::Scenario;

/// What is read at a time.
const READ: usize = 256 * 1024;

#[derive(Debug)]
pub struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    depth: usize,
    /// As many requests as are ever sent at once.
    requests: Vec<u8>,
    request: usize,
    answer: Vec<u8>,
    room: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// Bytes that wait to be written.
    unsent: usize,
    /// Requests whose answer is not complete.
    waiting: usize,
    /// Bytes that have come of the next answer.
    received: usize,
}

impl Load {
    pub fn connect(
        port: u16,
        scenario: Scenario,
        request: &[u8],
        answer: &[u8],
    ) -> io::Result<Self> {
        // SAFETY: the descriptor is new, and nobody else's.
        let epoll = unsafe {
            match libc::epoll_create1(libc::EPOLL_CLOEXEC) {
                -1 => return Err(io::Error::last_os_error()),
                epoll => OwnedFd::from_raw_fd(epoll),
            }
        };
        let mut connections = Vec::new();
        for index in 0..scenario.connections {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut event = libc::epoll_event {
                events: (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET) as u32,
                u64: index as u64,
            };
            let (epoll, stream_fd) = (epoll.as_raw_fd(), stream.as_raw_fd());
            // SAFETY: both descriptors are open, and the call reads `event`, and nothing else.
            if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, stream_fd, &mut event) } != 0 {
                return Err(io::Error::last_os_error());
            }
            connections.push(Connection {
                stream,
                unsent: 0,
                waiting: 0,
                received: 0,
            });
        }
        let mut load = Self {
            epoll,
            connections,
            depth: scenario.depth,
            requests: request.repeat(scenario.depth),
            request: request.len(),
            answer: answer.to_vec(),
            room: vec![0; READ],
        };
        load.check()?;
        Ok(load)
    }

    /// Each connection must give the right answer, byte for byte.
    fn check(&mut self) -> io::Result<()> {
        for connection in &mut self.connections {
            let stream = &mut connection.stream;
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            for _ in 0..2 {
                stream.write_all(&self.requests[..self.request])?;
                let mut answer = vec![0; self.answer.len()];
                stream.read_exact(&mut answer)?;
                if answer != self.answer {
                    return Err(io::Error::other("a wrong answer"));
                }
            }
            stream.set_nonblocking(true)?;
        }
        Ok(())
    }

    /// One message on each connection, and its answer.
    pub fn once(&mut self) -> io::Result<()> {
        self.run_until(|| false).map(|_| ())
    }

    /// Keeps all connections busy for so long, then waits for the last answers; gives how many there
    /// were, and how long it took.
    pub fn run(&mut self, time: Duration) -> io::Result<(u64, Duration)> {
        let start = Instant::now();
        let messages = self.run_until(|| start.elapsed() < time)?;
        Ok((messages, start.elapsed()))
    }

    fn run_until(&mut self, goes_on: impl Fn() -> bool) -> io::Result<u64> {
        let mut done = 0;
        let mut outstanding = 0;
        for connection in &mut self.connections {
            connection.ask(self.depth, &self.requests, self.request)?;
            outstanding += self.depth;
        }
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        while outstanding > 0 {
            let epoll = self.epoll.as_raw_fd();
            // SAFETY: the call writes to `events`, as many as there is room for.
            let n = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 256, 5000) };
            if n <= 0 {
                return Err(ErrorKind::TimedOut.into());
            }
            let goes_on = goes_on();
            for event in &events[..n as usize] {
                let connection = &mut self.connections[event.u64 as usize];
                connection.write(&self.requests)?;
                let answers = connection.read(&mut self.room, self.answer.len())?;
                done += answers as u64;
                outstanding -= answers;
                if goes_on && answers > 0 {
                    connection.ask(answers, &self.requests, self.request)?;
                    outstanding += answers;
                }
            }
        }
        Ok(done)
    }
}

impl Connection {
    fn ask(&mut self, count: usize, requests: &[u8], size: usize) -> io::Result<()> {
        self.waiting += count;
        self.unsent += count * size;
        self.write(requests)
    }

    /// All requests are the same: the last bytes of as many as ever wait are the ones to write.
    fn write(&mut self, requests: &[u8]) -> io::Result<()> {
        while self.unsent > 0 {
            match self.stream.write(&requests[requests.len() - self.unsent..]) {
                Ok(n) => self.unsent -= n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How many answers have become complete.
    fn read(&mut self, room: &mut [u8], answer: usize) -> io::Result<usize> {
        let mut answers = 0;
        loop {
            match self.stream.read(room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.received += n;
                    answers += self.received / answer;
                    self.received %= answer;
                    // Less than there was room for: there is no more now.
                    if n < room.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.waiting -= answers;
        Ok(answers)
    }
}
