//! One mail handed to a server, which has so much time and so many words for all of it.
//!
//! The library that speaks SMTP waits for each line as long as the server sends anything, and keeps what it sent. So the
//! connection is ours: a server that says too much, or takes too long, is hung up on.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use ureq::http::Uri;

/// How long the server may take for everything.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a server that has taken a mail may take to say good-bye.
const QUIT_DEADLINE: Duration = Duration::from_secs(1);
/// Bytes that the server may send, its certificates included.
const SAID_MAX: usize = 32_768;

/// Why mail cannot be sent like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMail {
    /// The address of the server is none.
    #[error("url: expected smtps://HOST, or smtp://HOST?tls=required")]
    Server,
    /// A password would be sent for everybody to read.
    #[error("url: a password needs TLS: smtps://HOST, or smtp://HOST?tls=required")]
    PasswordInTheOpen,
    /// The address holds a login.
    #[error("url: the login is no part of it: it is user, and the password in secret_file")]
    LoginInUrl,
    /// The address of a person is none.
    #[error("{0:?} is no mail address")]
    Address(String),
}

/// When a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Never,
    IfOffered,
    Required,
    FromTheStart,
}

/// A server that takes mail on.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    login: Option<Credentials>,
}

impl Server {
    /// The server at this address, where one logs in if there is a `login`.
    ///
    /// # Errors
    /// If the address is none, or the login would be sent without TLS.
    pub(crate) fn at(url: &str, login: Option<(String, String)>) -> Result<Self, NoMail> {
        let uri: Uri = url.parse().map_err(|_| NoMail::Server)?;
        let (tls, usual_port) = match (uri.scheme_str(), uri.query()) {
            (Some("smtps"), None) => (Tls::FromTheStart, SUBMISSIONS_PORT),
            (Some("smtp"), Some("tls=required")) => (Tls::Required, SUBMISSION_PORT),
            (Some("smtp"), Some("tls=opportunistic")) => (Tls::IfOffered, SUBMISSION_PORT),
            (Some("smtp"), None) => (Tls::Never, SMTP_PORT),
            _ => return Err(NoMail::Server),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(NoMail::LoginInUrl);
        }
        if login.is_some() && ![Tls::Required, Tls::FromTheStart].contains(&tls) {
            return Err(NoMail::PasswordInTheOpen);
        }
        let host = uri.host().unwrap_or_default();
        // What is behind the host is a port, or the address none.
        let is_whole = authority == host || uri.port_u16().is_some();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !is_whole || ServerName::try_from(host.as_str()).is_err() {
            return Err(NoMail::Server);
        }
        let hello = match uri.path().trim_matches('/') {
            "" => ClientId::default(),
            name => ClientId::Domain(name.to_owned()),
        };
        Ok(Self {
            host,
            port: uri.port_u16().unwrap_or(usual_port),
            tls,
            hello,
            login: login.map(|(user, password)| Credentials::new(user, password)),
        })
    }

    /// Hands a mail over, within the deadline. What went wrong is told without the server's words.
    pub(crate) fn take(&self, mail: &lettre::Message) -> Result<(), &'static str> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|_| "there is no thread for it")?;
        let taken = runtime.block_on(async {
            let taken = tokio::time::timeout(DEADLINE, self.hand_over(mail)).await;
            taken.unwrap_or(Err("no answer in time"))
        });
        // A name that is still being looked up holds nobody up.
        runtime.shutdown_background();
        taken
    }

    async fn hand_over(&self, mail: &lettre::Message) -> Result<(), &'static str> {
        let line = self.connect().await.map_err(|_| UNREACHABLE)?;
        let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(line), &self.hello)
            .await
            .map_err(in_words)?;
        if self.tls == Tls::Required || (self.tls == Tls::IfOffered && connection.can_starttls()) {
            let parameters = TlsParameters::new(self.host.clone()).map_err(in_words)?;
            let encrypted = connection.starttls(parameters, &self.hello).await;
            encrypted.map_err(in_words)?;
        }
        if let Some(login) = &self.login {
            let logged_in = connection.auth(DEFAULT_MECHANISMS, login).await;
            logged_in.map_err(in_words)?;
        }
        let sent = connection.send(mail.envelope(), &mail.formatted()).await;
        sent.map_err(in_words)?;
        let _whatever = tokio::time::timeout(QUIT_DEADLINE, connection.quit()).await;
        Ok(())
    }

    async fn connect(&self) -> io::Result<Line> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let bounded = Bounded {
            peer: stream.peer_addr()?,
            stream,
            left: SAID_MAX,
        };
        if self.tls != Tls::FromTheStart {
            return Ok(Line::Plain(bounded));
        }
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let config = ClientConfig::builder().with_root_certificates(roots);
        let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let encrypted = connector.connect(name, bounded).await?;
        Ok(Line::Encrypted(Box::new(encrypted)))
    }
}

const UNREACHABLE: &str = "the server cannot be reached, or TLS failed";

fn in_words(error: Error) -> &'static str {
    match error {
        error if error.is_timeout() => "no answer in time",
        error if error.is_permanent() => "the server refused it",
        error if error.is_transient() => "the server takes nothing now",
        _ => UNREACHABLE,
    }
}

/// A connection whose other side may say so much.
#[derive(Debug)]
struct Bounded {
    stream: TcpStream,
    peer: SocketAddr,
    left: usize,
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("the server says too much")));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.left = self.left.saturating_sub(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A connection, encrypted from its start or (so far) not.
#[derive(Debug)]
enum Line {
    Plain(Bounded),
    Encrypted(Box<TlsStream<Bounded>>),
}

impl AsyncTokioStream for Line {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(match self {
            Self::Plain(line) => line.peer,
            Self::Encrypted(line) => line.get_ref().0.peer,
        })
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_read(cx, buffer),
            Self::Encrypted(line) => Pin::new(line).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_write(cx, bytes),
            Self::Encrypted(line) => Pin::new(line).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_flush(cx),
            Self::Encrypted(line) => Pin::new(line).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_shutdown(cx),
            Self::Encrypted(line) => Pin::new(line).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    use super::*;

    /// A server that says something again and again for as long as anybody listens, and how much it could say.
    fn talker(words: Vec<u8>) -> (String, std::sync::mpsc::Receiver<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (sender, said) = channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut count = 0;
            while stream.write_all(&words).is_ok() {
                count += words.len();
            }
            let _rest = stream.read(&mut [0; 64]);
            sender.send(count).unwrap();
        });
        (url, said)
    }

    #[test]
    fn a_server_that_never_stops_talking_is_hung_up_on() {
        let from = "pool@example.org".parse().unwrap();
        let mail = lettre::Message::builder()
            .from(from)
            .to("me@example.org".parse().unwrap());
        let mail = mail.body("text".to_owned()).unwrap();
        // A line without end, and an answer of lines without end.
        let mut line = [b'x'; 256];
        line[..4].copy_from_slice(b"220-");
        line[254..].copy_from_slice(b"\r\n");
        for words in [vec![b'x'; 4_096], line.to_vec()] {
            let (url, said) = talker(words);
            let taken = Server::at(&url, None).unwrap().take(&mail);
            assert!(taken.is_err(), "{taken:?}");
            // What was on its way in the sockets' own buffers counts, too.
            assert!(said.recv().unwrap() < 64 << 20);
        }
    }

    #[test]
    fn an_address_says_how_it_is_reached_and_nothing_else() {
        let at = |url: &str| Server::at(url, None).map(|server| (server.host, server.port, server.tls));
        for (url, host, port, tls) in [
            ("smtp://mail.example.org", "mail.example.org", 25, Tls::Never),
            ("smtp://[::1]:2525/", "::1", 2_525, Tls::Never),
            (
                "smtps://mail.example.org/pool",
                "mail.example.org",
                465,
                Tls::FromTheStart,
            ),
            ("smtp://a.example?tls=required", "a.example", 587, Tls::Required),
            (
                "smtp://a.example:1?tls=opportunistic",
                "a.example",
                1,
                Tls::IfOffered,
            ),
        ] {
            assert_eq!(at(url), Ok((host.to_owned(), port, tls)), "{url}");
        }
        for url in [
            "",
            "smtp://",
            "mail.example.org",
            "https://a.example",
            "smtp://a.example:99999",
            "smtp://a.example?tls=no",
            "smtp://a.example?x=?tls=required",
            "smtps://a.example?tls=opportunistic",
        ] {
            assert_eq!(at(url), Err(NoMail::Server), "{url}");
        }
        // A login in the address would go out whatever else the address says.
        for url in [
            "smtp://me:secret@a.example",
            "smtps://me:secret@a.example",
            "smtp://me@a.example",
        ] {
            assert_eq!(at(url), Err(NoMail::LoginInUrl), "{url}");
        }
    }
}
