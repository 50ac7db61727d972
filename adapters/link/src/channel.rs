//! A connection between two fronts: frames that only holders of the pool's key can read and write.
//!
//! It follows the Noise protocol (revision 34), pattern `NNpsk0`: fresh keys for each connection, and the secret that both
//! derive from `pool.key` proves to each that the other is of this pool. A frame is its length (two bytes, big-endian) and
//! a Noise message; what it holds begins with a byte that says whether more of the same word follows.

use std::io;
use std::sync::Arc;

use dwarves_ports::clock::Moment;
use serde::Serialize;
use serde::de::DeserializeOwned;
use snow::{Builder, HandshakeState, StatelessTransportState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use crate::words::PROTOCOL;

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";
/// The most that a frame holds, by the protocol, and what of it is no content.
const FRAME_MAX: usize = 65_535;
const AUTHENTICATOR: usize = 16;
const PIECE_MAX: usize = FRAME_MAX - AUTHENTICATOR - 1;
/// The most that a word may have: a template with its transactions.
const WORD_MAX: usize = 64 << 20;

const IS_LAST: u8 = 0;
const MORE_FOLLOWS: u8 = 1;

/// The secret that all fronts of a pool share.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

impl LinkKey {
    /// The key of these secret bytes.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(..)")
    }
}

/// Why there is no link, or no more. Every kind means: pass connections on, and try again.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other cannot be reached, or is gone.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came is not of a front with this pool's key and this version of the link.
    #[error("the other front has another pool.key, or speaks another version of the link ({0})")]
    Foreign(#[from] snow::Error),
    /// What came means nothing.
    #[error("what came cannot be read: {0}")]
    Unreadable(#[from] postcard::Error),
    /// A word is longer than any may be.
    #[error("a word is longer than {WORD_MAX} bytes")]
    TooLong,
    /// The front that leads does not take this one.
    #[error("the front that leads refuses it: {0}")]
    Refused(String),
    /// It did not say anything for too long.
    #[error("it has been silent for too long")]
    Silent,
    /// It does not read what it is told.
    #[error("it does not take what it is told")]
    Stuck,
}

impl LinkError {
    /// What came can be read, and is nothing that a front says.
    pub(crate) fn senseless() -> Self {
        Self::Unreadable(postcard::Error::DeserializeBadEncoding)
    }
}

/// Begins a link: says `hello` and hears what is said to that.
pub(crate) async fn dial<H: Serialize, W: DeserializeOwned>(
    mut stream: TcpStream,
    key: &LinkKey,
    hello: &H,
) -> Result<(W, Reading, Writing), LinkError> {
    stream.set_nodelay(true)?;
    let mut shaking = builder(key)?.build_initiator()?;
    write_shake(&mut stream, &mut shaking, hello).await?;
    let welcome = read_shake(&mut stream, &mut shaking).await?;
    let (reading, writing) = halves(stream, shaking)?;
    Ok((welcome, reading, writing))
}

/// Takes a link that the other begins; `answer` says what is said to its hello, and what of it is kept.
pub(crate) async fn accept<H: DeserializeOwned, W: Serialize, T>(
    mut stream: TcpStream,
    key: &LinkKey,
    answer: impl FnOnce(H) -> (W, T),
) -> Result<(T, Reading, Writing), LinkError> {
    stream.set_nodelay(true)?;
    let mut shaking = builder(key)?.build_responder()?;
    let hello = read_shake(&mut stream, &mut shaking).await?;
    let (welcome, kept) = answer(hello);
    write_shake(&mut stream, &mut shaking, &welcome).await?;
    let (reading, writing) = halves(stream, shaking)?;
    Ok((kept, reading, writing))
}

fn builder(key: &LinkKey) -> Result<Builder<'_>, LinkError> {
    Ok(Builder::new(PATTERN.parse()?)
        .prologue(PROTOCOL)?
        .psk(0, &key.0)?)
}

async fn write_shake<T: Serialize>(
    stream: &mut TcpStream,
    shaking: &mut HandshakeState,
    said: &T,
) -> Result<(), LinkError> {
    let mut frame = vec![0; FRAME_MAX + 2];
    let length = shaking.write_message(&postcard::to_stdvec(said)?, &mut frame[2..])?;
    frame.truncate(length + 2);
    frame[..2].copy_from_slice(&length_of(length));
    Ok(stream.write_all(&frame).await?)
}

async fn read_shake<T: DeserializeOwned>(
    stream: &mut TcpStream,
    shaking: &mut HandshakeState,
) -> Result<T, LinkError> {
    let mut frame = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut frame).await?;
    let mut said = vec![0; FRAME_MAX];
    let length = shaking.read_message(&frame, &mut said)?;
    Ok(postcard::from_bytes(&said[..length])?)
}

/// A frame's length as it stands before it. No Noise message is longer than it can say.
fn length_of(length: usize) -> [u8; 2] {
    u16::try_from(length)
        .expect("a Noise message has 65535 bytes at most")
        .to_be_bytes()
}

fn halves(stream: TcpStream, shaking: HandshakeState) -> Result<(Reading, Writing), LinkError> {
    let sealing = Arc::new(shaking.into_stateless_transport_mode()?);
    let (read, write) = stream.into_split();
    let (heard_at, _) = watch::channel(Moment::now());
    let reading = Reading {
        heard_at,
        stream: BufReader::with_capacity(2 * FRAME_MAX, read),
        sealing: Arc::clone(&sealing),
        count: 0,
        frame: Vec::new(),
        word: Vec::new(),
    };
    let writing = Writing {
        stream: write,
        sealing,
        count: 0,
        frames: Vec::new(),
    };
    Ok((reading, writing))
}

/// What the other says.
pub(crate) struct Reading {
    /// When the last frame came: a long word on a slow wire is no silence.
    heard_at: watch::Sender<Moment>,
    stream: BufReader<OwnedReadHalf>,
    sealing: Arc<StatelessTransportState>,
    /// Frames so far.
    count: u64,
    frame: Vec<u8>,
    word: Vec<u8>,
}

impl Reading {
    /// When something was heard last.
    pub(crate) fn heard_at(&self) -> watch::Receiver<Moment> {
        self.heard_at.subscribe()
    }

    /// The next word. It must not be dropped before it is there.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<T, LinkError> {
        self.word.clear();
        loop {
            let length = usize::from(self.stream.read_u16().await?);
            self.frame.resize(length, 0);
            self.stream.read_exact(&mut self.frame).await?;
            let begin = self.word.len();
            if begin + length > WORD_MAX {
                return Err(LinkError::TooLong);
            }
            self.word.resize(begin + length, 0);
            let opened = self
                .sealing
                .read_message(self.count, &self.frame, &mut self.word[begin..])?;
            self.count += 1;
            self.heard_at.send_replace(Moment::now());
            self.word.truncate(begin + opened);
            // Only what was opened holds anything, so the byte in front of a piece is the first of what was just opened.
            if self.word.len() == begin {
                return Err(LinkError::Unreadable(postcard::Error::DeserializeUnexpectedEnd));
            }
            if self.word.remove(begin) == IS_LAST {
                return Ok(postcard::from_bytes(&self.word)?);
            }
        }
    }
}

/// What the other is told.
pub(crate) struct Writing {
    stream: OwnedWriteHalf,
    sealing: Arc<StatelessTransportState>,
    /// Frames so far.
    count: u64,
    /// What is not sent yet.
    frames: Vec<u8>,
}

impl Writing {
    /// Writes a word down, to be sent with those before it.
    pub(crate) fn add(&mut self, word: &[u8]) -> Result<(), LinkError> {
        if word.len() > WORD_MAX {
            return Err(LinkError::TooLong);
        }
        let mut pieces = word.chunks(PIECE_MAX).peekable();
        let mut piece = Vec::with_capacity(PIECE_MAX.min(word.len()) + 1);
        while let Some(content) = pieces.next() {
            piece.clear();
            piece.push(if pieces.peek().is_some() {
                MORE_FOLLOWS
            } else {
                IS_LAST
            });
            piece.extend_from_slice(content);
            let at = self.frames.len() + 2;
            let length = piece.len() + AUTHENTICATOR;
            self.frames.extend_from_slice(&length_of(length));
            self.frames.resize(at + length, 0);
            self.sealing
                .write_message(self.count, &piece, &mut self.frames[at..])?;
            self.count += 1;
        }
        Ok(())
    }

    /// How much waits to be sent, in bytes.
    pub(crate) fn waiting(&self) -> usize {
        self.frames.len()
    }

    /// Sends what was written down.
    pub(crate) async fn send(&mut self) -> Result<(), LinkError> {
        self.stream.write_all(&self.frames).await?;
        self.frames.clear();
        self.frames.shrink_to(4 * FRAME_MAX);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "these are tests")]
mod tests;
