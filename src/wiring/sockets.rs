//! Listening sockets that the service manager opened (systemd's socket activation), and which listener each is for.
//!
//! The manager keeps them open while the pool restarts, so that whoever connects meanwhile waits for the new pool. A
//! socket is for the listener whose setting it is named after (`FileDescriptorName=`), whatever its address, or else for
//! the one that is configured to listen at its address. One that is for none is refused: nobody would ever accept there.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Sockets that may be handed over.
const SOCKETS_MAX: usize = 64;
/// Connections that may wait to be accepted: all miners come back at once after a restart.
pub(super) const BACKLOG: i32 = 4_096;

/// What is wrong with the sockets that were handed over.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// The environment contradicts itself.
    #[error("sockets were handed over (LISTEN_FDS), but {0}")]
    Environment(String),
    /// What was handed over is no socket that one can listen on over TCP.
    #[error(
        "socket {number} ({name:?}) that was handed over is no listening TCP socket (ListenStream=, Accept=no)"
    )]
    NotListening {
        /// Which it is, from 0.
        number: usize,
        /// Its name (`FileDescriptorName=`).
        name: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It is for no listener.
    #[error(
        "socket {name:?} on {address} that was handed over is for no listener: name it after the setting \
         (FileDescriptorName=), one of {known}, or let its address be that of one"
    )]
    Superfluous {
        /// Its name.
        name: String,
        /// Where it listens.
        address: SocketAddr,
        /// The listeners with their addresses.
        known: String,
    },
    /// The address is taken or not this machine's.
    #[error("cannot listen on {listen} ({setting}); does another pool run there?")]
    Taken {
        /// The setting that names it.
        setting: String,
        /// The address that was configured.
        listen: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Two are for one listener.
    #[error("two sockets were handed over for {setting}, on {first} and {second}; it has one")]
    Twice {
        /// The listener's setting.
        setting: String,
        /// Where one of them listens.
        first: SocketAddr,
        /// Where the other listens.
        second: SocketAddr,
    },
}

/// One socket that was handed over, or opened for all who listen on it one after the other.
struct HandedOver {
    name: String,
    address: SocketAddr,
    listener: TcpListener,
    /// Opened by this process.
    is_own: bool,
}

/// The sockets that were handed over to this process.
#[derive(Default)]
pub struct Sockets(Vec<HandedOver>);

impl Sockets {
    /// Takes over what the environment speaks of, if that is meant for this process. To be called before there are
    /// threads, and once: the environment speaks of them no more afterwards.
    ///
    /// # Errors
    /// If what it speaks of is not there.
    pub fn from_environment() -> Result<Self, SocketsError> {
        let Some(count) = handed_over("LISTEN_FDS")? else {
            return Ok(Self::default());
        };
        let names = env::var("LISTEN_FDNAMES").ok();
        let mut open = ListenFd::from_env();
        if open.len() == 0 {
            return Ok(Self::default());
        }
        let names = names_of(count, names.as_deref())?;
        let sockets = names.into_iter().enumerate().map(|(number, name)| {
            let taken = take(&mut open, number);
            taken
                .map(|(listener, address)| HandedOver {
                    name: name.clone(),
                    address,
                    listener,
                    is_own: false,
                })
                .map_err(|source| SocketsError::NotListening { number, name, source })
        });
        sockets.collect::<Result<_, _>>().map(Self)
    }

    /// All of these listeners: what was not handed over is opened now.
    ///
    /// # Errors
    /// If a socket is for none of them, or two are for one, or one cannot be opened.
    pub(super) fn open_all(self, listeners: &[(String, SocketAddr)]) -> Result<Self, SocketsError> {
        let given = self.share_out(listeners)?.into_iter();
        let opened = given.zip(listeners).map(|(given, (setting, listen))| {
            let listener = given.map_or_else(|| open(*listen), Ok);
            let opened = listener.and_then(|listener| {
                let address = listener.local_addr()?;
                Ok(HandedOver {
                    name: setting.clone(),
                    address,
                    listener,
                    is_own: true,
                })
            });
            opened.map_err(|source| SocketsError::Taken {
                setting: format!("{setting}.listen"),
                listen: *listen,
                source,
            })
        });
        opened.collect::<Result<_, _>>().map(Self)
    }

    /// The same sockets once more, for somebody else who listens on them.
    ///
    /// # Errors
    /// If the operating system has no more of them.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        let again = self.0.iter().map(|socket| {
            Ok(HandedOver {
                name: socket.name.clone(),
                address: socket.address,
                listener: socket.listener.try_clone()?,
                is_own: socket.is_own,
            })
        });
        again.collect::<io::Result<_>>().map(Self)
    }

    /// The settings, each with where it really listens and the same socket once more.
    ///
    /// # Errors
    /// If the operating system has no more of them.
    pub(super) fn again(&self) -> io::Result<Vec<(String, SocketAddr, TcpListener)>> {
        let again = self.0.iter().map(|socket| {
            let listener = socket.listener.try_clone()?;
            Ok((socket.name.clone(), socket.address, listener))
        });
        again.collect()
    }

    /// For each of these listeners (setting, and where it is configured to listen) the socket that was handed over for
    /// it.
    ///
    /// # Errors
    /// If a socket is for none of them, or two are for one.
    pub(super) fn share_out(
        self,
        listeners: &[(String, SocketAddr)],
    ) -> Result<Vec<Option<TcpListener>>, SocketsError> {
        let mut given: Vec<Option<HandedOver>> = listeners.iter().map(|_| None).collect();
        for socket in self.0 {
            let Some(at) = listener_of(&socket.name, socket.address, listeners) else {
                let known = listeners.iter().map(|(name, at)| format!("{name} ({at})"));
                return Err(SocketsError::Superfluous {
                    name: socket.name,
                    address: socket.address,
                    known: known.collect::<Vec<_>>().join(", "),
                });
            };
            if let Some(first) = &given[at] {
                return Err(SocketsError::Twice {
                    setting: listeners[at].0.clone(),
                    first: first.address,
                    second: socket.address,
                });
            }
            let (setting, listen) = &listeners[at];
            let address = socket.address;
            if socket.is_own {
                log::debug!("{setting}: on {address}");
            } else if is_there(*listen, address) {
                log::info!("{setting}: the socket on {address} was handed over");
            } else {
                log::warn!(
                    "{setting}: the socket on {address} was handed over, which holds, and not {setting}.listen = {listen}"
                );
            }
            given[at] = Some(socket);
        }
        Ok(given.into_iter().map(|one| one.map(|one| one.listener)).collect())
    }
}

/// A socket of one's own.
pub(super) fn open(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the earlier life to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&listen.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from(socket))
}

/// How many sockets this variable speaks of, if they are there at all.
fn handed_over(variable: &str) -> Result<Option<usize>, SocketsError> {
    let wrong =
        |text: &str| SocketsError::Environment(format!("{variable}={text} is not 0 to {SOCKETS_MAX}"));
    match env::var(variable) {
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(wrong("...")),
        Ok(text) => match text.parse() {
            Ok(count) if count <= SOCKETS_MAX => Ok(Some(count)),
            _ => Err(wrong(&text)),
        },
    }
}

/// The name of each socket; without names they are found by their addresses.
fn names_of(count: usize, names: Option<&str>) -> Result<Vec<String>, SocketsError> {
    let Some(names) = names else {
        return Ok(vec!["unknown".to_owned(); count]);
    };
    let names: Vec<_> = names.split(':').map(str::to_owned).collect();
    if names.len() == count {
        return Ok(names);
    }
    Err(SocketsError::Environment(format!(
        "LISTEN_FDNAMES names {} of {count}",
        names.len()
    )))
}

fn take(open: &mut ListenFd, number: usize) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = open
        .take_tcp_listener(number)?
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    // Fails for a connection, and gives those that wait the room that the pool's own sockets have.
    SockRef::from(&listener).listen(BACKLOG)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Which listener a socket is for.
fn listener_of(name: &str, address: SocketAddr, listeners: &[(String, SocketAddr)]) -> Option<usize> {
    let by_name = listeners.iter().position(|(setting, _)| setting == name);
    by_name.or_else(|| {
        listeners
            .iter()
            .position(|(_, listen)| is_there(*listen, address))
    })
}

/// Whether what listens at `address` is what `listen` asks for. `ListenStream=3333` listens at `[::]`, for IPv4 too.
fn is_there(listen: SocketAddr, address: SocketAddr) -> bool {
    let everywhere = listen.ip().is_unspecified() && address.ip().is_unspecified();
    listen == address || (everywhere && listen.port() == address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners() -> Vec<(String, SocketAddr)> {
        let given = [
            ("http", "127.0.0.1:8080"),
            ("stratum", "0.0.0.0:3333"),
            ("stratum.listeners[0]", "0.0.0.0:3334"),
        ];
        let given = given.map(|(name, at)| (name.to_owned(), at.parse().expect("an address")));
        given.to_vec()
    }

    #[test]
    fn a_socket_is_for_the_listener_that_it_is_named_after_or_whose_address_it_has() {
        for (name, address, listener) in [
            ("http", "0.0.0.0:80", Some(0)),
            ("http", "0.0.0.0:3333", Some(0)),
            ("stratum.listeners[0]", "10.0.0.1:1", Some(2)),
            ("dwarves.socket", "127.0.0.1:8080", Some(0)),
            ("dwarves.socket", "[::]:3333", Some(1)),
            ("unknown", "0.0.0.0:3334", Some(2)),
            ("unknown", "0.0.0.0:8080", None),
            ("unknown", "127.0.0.1:3334", None),
            ("stratum.listeners[1]", "127.0.0.1:9", None),
            ("", "127.0.0.1:9", None),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(
                listener_of(name, address, &listeners()),
                listener,
                "{name} {address}"
            );
        }
    }

    fn socket(name: &str) -> HandedOver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        HandedOver {
            name: name.to_owned(),
            address: listener.local_addr().expect("it is bound"),
            listener,
            is_own: false,
        }
    }

    #[test]
    fn sockets_are_shared_out_and_none_is_left_over() {
        let given = Sockets(vec![socket("stratum.listeners[0]"), socket("http")]).share_out(&listeners());
        let given: Vec<_> = given.unwrap().iter().map(Option::is_some).collect();
        assert_eq!(given, [true, false, true]);
        let left = Sockets(vec![socket("http"), socket("web")]).share_out(&listeners());
        let left = left.map(|_| ()).unwrap_err().to_string();
        assert!(left.starts_with("socket \"web\" on 127.0.0.1:"), "{left}");
        assert!(
            left.contains("http (127.0.0.1:8080), stratum (0.0.0.0:3333)"),
            "{left}"
        );
        let twice = Sockets(vec![socket("http"), socket("http")]).share_out(&listeners());
        assert!(matches!(twice, Err(SocketsError::Twice { setting, .. }) if setting == "http"));
    }

    #[test]
    fn what_was_not_handed_over_is_opened_and_is_found_again() {
        let wanted =
            ["http", "stratum"].map(|name| (name.to_owned(), "127.0.0.1:0".parse().expect("an address")));
        let handed_over = socket("http");
        let address = handed_over.address;
        let all = Sockets(vec![handed_over]).open_all(&wanted).unwrap();
        let again = all.again().unwrap();
        assert_eq!((again[0].0.as_str(), again[0].1), ("http", address));
        assert_eq!(again[1].0, "stratum");
        assert_eq!(again[1].1, again[1].2.local_addr().unwrap());
        let given = all.share_out(&wanted).unwrap();
        assert!(given.iter().all(Option::is_some));
        let taken = [("http".to_owned(), address)];
        let refused = Sockets::default()
            .open_all(&taken)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(refused.contains("(http.listen)"), "{refused}");
    }

    #[test]
    fn every_socket_has_a_name_or_none_has() {
        assert_eq!(names_of(2, None).unwrap(), ["unknown", "unknown"]);
        assert_eq!(names_of(2, Some("http:stratum")).unwrap(), ["http", "stratum"]);
        for (count, names) in [(1, "http:stratum"), (2, "http"), (2, "")] {
            let said = names_of(count, Some(names)).unwrap_err().to_string();
            assert!(said.contains("LISTEN_FDNAMES names"), "{said}");
        }
    }
}
