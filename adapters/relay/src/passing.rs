//! One connection: who it is from, whether it asks for this very process, and if not, on to the front that leads.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use dwarves_domain::network::Subnet;
use dwarves_peers::arrival::{self, Arrival};
use dwarves_peers::proxy;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Settings;
use super::figures::Figures;

/// How long the front that leads may take to accept.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long a client that was answered here may take to read it.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// A connection that is silent for so long is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(30);
/// Questions that are answered here, by how they begin, which is as long for both.
const ALIVE: &[u8] = b"GET /healthz";
const FIGURES: &[u8] = b"GET /metrics";

/// A listener.
pub(super) struct Door {
    pub(super) setting: String,
    pub(super) proxies: Vec<Subnet>,
    pub(super) is_http: bool,
}

/// What every connection needs.
pub(super) struct Passing {
    pub(super) settings: Settings,
    pub(super) figures: Figures,
}

impl Passing {
    /// Passes a connection on until either side ends it.
    pub(super) async fn pass(
        &self,
        door: &Door,
        mut client: TcpStream,
        peer: SocketAddr,
        has_place: bool,
    ) -> io::Result<()> {
        client.set_nodelay(true)?;
        if !has_place {
            return self.refuse(door, client, &self.settings.answers.full).await;
        }
        let is_proxy = door.proxies.iter().any(|subnet| subnet.contains(peer.ip()));
        let begin = async {
            let mut arrival = match is_proxy {
                true => arrival::client_of(&client, peer).await?,
                false => Arrival::of(peer),
            };
            let begin = &mut arrival.begin;
            // Others than those that speak HTTP may wait to be spoken to.
            while door.is_http && begin.len() <= ALIVE.len() {
                let mut part = [0; 256];
                match client.read(&mut part).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    read => begin.extend_from_slice(&part[..read]),
                }
            }
            io::Result::Ok(arrival)
        };
        let arrival = timeout(self.settings.begin_max, begin).await??;
        let begin = &arrival.begin;
        if door.is_http && asks(begin, ALIVE) {
            return farewell(client, &self.settings.answers.alive).await;
        }
        if door.is_http && asks(begin, FIGURES) {
            let more = (self.settings.more_figures)().await;
            let text = self.figures.text(&self.settings.fronts.borrow(), &more);
            let head = &self.settings.answers.figures_head;
            let length = format!("content-length: {}\r\n\r\n", text.len());
            return farewell(
                client,
                &[head.as_slice(), length.as_bytes(), text.as_bytes()].concat(),
            )
            .await;
        }
        // Two that stand by may each take the other for the one that leads, for a moment.
        let reached = match arrival.is_passed_on {
            true => Err("it was passed on already".to_owned()),
            false => self.reach(door).await,
        };
        let mut leader = match reached {
            Ok(leader) => leader,
            Err(why) => {
                log::debug!("{}: {peer} cannot be passed on: {why}", door.setting);
                self.figures.refused(&door.setting);
                return self.refuse(door, client, &self.settings.answers.no_leader).await;
            }
        };
        let _counted = self.figures.passed(&door.setting);
        let header = proxy::header(arrival.client, client.local_addr()?);
        leader.write_all(&[header.as_slice(), begin].concat()).await?;
        tokio::io::copy_bidirectional(&mut client, &mut leader).await?;
        Ok(())
    }

    /// Connects to the same listener of the front that leads.
    async fn reach(&self, door: &Door) -> Result<TcpStream, String> {
        let place = {
            let fronts = self.settings.fronts.borrow();
            let leader = fronts.leader().ok_or("no front leads")?;
            if !self.settings.passes_on {
                return Err("front.peers is empty".to_owned());
            }
            let place = leader.place(&door.setting);
            let own = fronts.all.iter().find(|front| front.number == fronts.this);
            if place.is_some() && place == own.and_then(|own| own.place(&door.setting)) {
                // Both listen on their own machine alone.
                return Err(format!(
                    "{} says that it listens where this front does",
                    leader.name
                ));
            }
            place
                .ok_or_else(|| format!("{} has no such listener", leader.name))?
                .to_owned()
        };
        let connected = timeout(CONNECT_MAX, TcpStream::connect(&place)).await;
        let leader = match connected {
            Ok(Ok(leader)) => leader,
            Ok(Err(error)) => return Err(format!("{place}: {error}")),
            Err(_) => return Err(format!("{place} does not answer")),
        };
        let keep = TcpKeepalive::new().with_time(QUIET).with_interval(QUIET / 3);
        let ready = leader
            .set_nodelay(true)
            .and_then(|()| SockRef::from(&leader).set_tcp_keepalive(&keep));
        ready.map_err(|error| format!("{place}: {error}"))?;
        Ok(leader)
    }

    async fn refuse(&self, door: &Door, client: TcpStream, answer: &[u8]) -> io::Result<()> {
        match door.is_http {
            true => farewell(client, answer).await,
            // Miners try again, or go elsewhere.
            false => Ok(()),
        }
    }
}

/// Whether a request begins so, and its path ends there.
fn asks(begin: &[u8], question: &[u8]) -> bool {
    begin.starts_with(question) && matches!(begin.get(question.len()), Some(b' ' | b'?'))
}

/// Answers, and closes the connection once the client has had time to read it.
async fn farewell(mut client: TcpStream, answer: &[u8]) -> io::Result<()> {
    let said = async {
        client.write_all(answer).await?;
        client.shutdown().await?;
        let mut rest = [0; 1_024];
        while client.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    timeout(FAREWELL_MAX, said).await?
}
