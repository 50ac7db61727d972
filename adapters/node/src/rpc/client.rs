//! Calls from any thread, made one after another on a thread of their own.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::oneshot;

use super::endpoint::Endpoint;
use super::error::RpcError;
use super::transport::{Call, Transport};

/// Calls that may wait for the one under way. One more is answered [`RpcError::Busy`] at once.
pub(super) const CALLS_MAX: usize = 64;
/// How long a call may take unless its caller says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Something to do with the transport, where it lives.
type Task = Box<dyn FnOnce(&mut Transport) + Send>;

/// Speaks with one node. Clones share one thread, one queue and one connection; the thread ends with the last.
///
/// Futures may be awaited on any runtime. A call whose future was dropped before its turn came is not made;
/// one under way is carried out to its end.
#[derive(Clone)]
pub struct RpcClient {
    tasks: SyncSender<Task>,
    address: Arc<str>,
    wallet: Option<Arc<str>>,
    timeout: Duration,
}

impl RpcClient {
    /// Starts a client of the node at `endpoint`. `name` names its thread. Nothing is sent yet.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(endpoint: Endpoint, name: &str) -> std::io::Result<Self> {
        let (tasks, waiting) = sync_channel::<Task>(CALLS_MAX);
        let address = endpoint.to_string().into();
        let mut transport = Transport::new(endpoint);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for task in waiting {
                task(&mut transport);
            }
        })?;
        Ok(Self {
            tasks,
            address,
            wallet: None,
            timeout: TIMEOUT,
        })
    }

    /// The same client, for calls about this wallet (path `/wallet/NAME`).
    #[must_use]
    pub fn with_wallet(&self, wallet: &str) -> Self {
        Self {
            wallet: Some(wallet.into()),
            ..self.clone()
        }
    }

    /// The same client, whose calls may take this long until their whole answer is there. The time that they
    /// wait for others is not counted.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// The node's address, without login.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Calls `method`; `params` is a JSON array or object. The result is read as a `T` on the client's thread.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn call<T>(&self, method: &'static str, params: Value) -> Result<T, RpcError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let call = Call {
            method,
            params,
            wallet: self.wallet.as_deref().map(str::to_owned),
            timeout: self.timeout,
        };
        let (reply, answer) = oneshot::channel();
        let task = Box::new(move |transport: &mut Transport| {
            if !reply.is_closed() {
                let _nobody_waits = reply.send(transport.call(&call));
            }
        });
        self.tasks.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => RpcError::Busy(format!("{CALLS_MAX} calls wait for {}", self.address)),
            TrySendError::Disconnected(_) => RpcError::Unreachable(ended()),
        })?;
        answer.await.map_err(|_| RpcError::Unknown(ended()))?
    }
}

fn ended() -> String {
    "the client's thread has ended".to_owned()
}

impl fmt::Debug for RpcClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcClient")
            .field("address", &self.address)
            .field("wallet", &self.wallet)
            .finish_non_exhaustive()
    }
}
