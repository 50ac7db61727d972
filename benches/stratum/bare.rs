//! The bare server: the most that a server of such lines can do.
//!
//! It reads what there is, parses each line as a request, answers that all is well, and writes the answers of one
//! read at once. It checks nothing, keeps nothing and asks nobody. On `bare.broadcast` it writes one text to
//! everybody, as a pool that has a new block must.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::{TcpListener, TcpStream};

use crate::client::send_all;
use crate::{Error, child};

/// Bytes of one read.
const READ_LEN: usize = 16_384;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

type Everybody = Rc<RefCell<Vec<Rc<TcpStream>>>>;

/// Serves until killed, or until the generator is gone.
pub(crate) fn serve(listen_file: &Path) -> Result<(), Error> {
    child::end_with_the_generator();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        child::tell_address(listen_file, &serde_json::json!({ "stratum": [address] }))?;
        let everybody = Everybody::default();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let stream = Rc::new(stream);
            everybody.borrow_mut().push(Rc::clone(&stream));
            let everybody = Rc::clone(&everybody);
            tokio::task::spawn_local(async move {
                // A connection that breaks is over, whatever broke it.
                let _ended = converse(&stream, &everybody).await;
                everybody.borrow_mut().retain(|other| !Rc::ptr_eq(other, &stream));
            });
        }
    })
}

async fn converse(stream: &TcpStream, everybody: &Everybody) -> Result<(), Error> {
    let (mut rest, mut out) = (Vec::new(), Vec::new());
    loop {
        stream.readable().await?;
        if read_once(stream, &mut rest, &mut out, everybody)? {
            return Ok(());
        }
        send_all(stream, &out).await?;
        out.clear();
    }
}

/// Reads and answers what there is. Returns whether the connection is over. It is no `async` function, so that its
/// place to read into is not part of every connection.
fn read_once(
    stream: &TcpStream,
    rest: &mut Vec<u8>,
    out: &mut Vec<u8>,
    everybody: &Everybody,
) -> Result<bool, Error> {
    let mut place = [0; READ_LEN];
    let read = match stream.try_read(&mut place) {
        Ok(0) => return Ok(true),
        Ok(read) => &place[..read],
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let joined;
    let mut bytes = if rest.is_empty() {
        read
    } else {
        rest.extend_from_slice(read);
        joined = std::mem::take(rest);
        &joined
    };
    while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
        let request: Request<'_> = serde_json::from_slice(&bytes[..end])?;
        bytes = &bytes[end + 1..];
        if request.method == "bare.broadcast" {
            let [text]: [String; 1] = serde_json::from_str(request.params.get())?;
            for other in everybody.borrow().iter() {
                // Everybody reads: what does not go out whole is the generator's failure, which it will notice.
                let _written = other.try_write(text.as_bytes());
            }
        } else {
            std::hint::black_box(request.params.get());
        }
        out.extend_from_slice(b"{\"id\":");
        out.extend_from_slice(request.id.get().as_bytes());
        out.extend_from_slice(b",\"result\":true,\"error\":null}\n");
    }
    rest.extend_from_slice(bytes);
    Ok(false)
}
