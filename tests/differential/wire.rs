//! A client that sends what no proper client would, over one connection at a time.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long an app may take for an answer, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Wire {
    server: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// What came back, and the socket it came back to.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) local: SocketAddr,
}

impl Wire {
    pub(crate) fn to(server: SocketAddr) -> Self {
        Self {
            server,
            stream: None,
        }
    }

    /// Sends these bytes, which are one request, and reads the answer to it.
    pub(crate) fn ask(&mut self, request: &[u8], is_head: bool) -> Answer {
        if self.stream.is_some() {
            // The server may have closed it after the last answer.
            if let Ok(answer) = self.try_ask(request, is_head) {
                return answer;
            }
            self.stream = None;
        }
        self.try_ask(request, is_head).unwrap_or_else(|error| {
            panic!("{error}, asking {:?}", String::from_utf8_lossy(request))
        })
    }

    fn try_ask(&mut self, request: &[u8], is_head: bool) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.server)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        let local = stream.get_ref().local_addr()?;
        stream.get_mut().write_all(request)?;
        let head = Head::read(&mut stream)?;
        let body = head.read_body(&mut stream, is_head)?;
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(Answer {
            status: head.status,
            body,
            local,
        })
    }
}

#[derive(Debug, Default)]
struct Head {
    status: u16,
    length: usize,
    chunked: bool,
    closes: bool,
}

impl Head {
    fn read(stream: &mut impl BufRead) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let status = line(stream)?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut head = Self {
            status: status.ok_or_else(invalid)?,
            ..Self::default()
        };
        loop {
            let line = line(stream)?.to_ascii_lowercase();
            if line.is_empty() {
                return Ok(head);
            }
            let (name, value) = line.split_once(':').ok_or_else(invalid)?;
            match (name, value.trim()) {
                ("content-length", length) => {
                    head.length = length.parse().map_err(|_| invalid())?
                }
                ("transfer-encoding", "chunked") => head.chunked = true,
                ("connection", "close") => head.closes = true,
                _ => {}
            }
        }
    }

    fn read_body(&self, stream: &mut impl BufRead, is_head: bool) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if is_head {
            return Ok(body);
        }
        if !self.chunked {
            body.resize(self.length, 0);
            stream.read_exact(&mut body)?;
            return Ok(body);
        }
        loop {
            let size = usize::from_str_radix(&line(stream)?, 16)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            stream.by_ref().take(size as u64).read_to_end(&mut body)?;
            line(stream)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
