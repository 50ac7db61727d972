//! Why a call gave no result, in the classes that callers act on.

/// The longest message of a node that is passed on, in characters.
const MESSAGE_LEN_MAX: usize = 300;

/// What is wrong with the wallet, by the node's error code (`rpc/protocol.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletTrouble {
    /// -4: an error without a code of its own, such as loading a wallet that is loaded already.
    Other,
    /// -6: not enough to spend, or an amount that is too small to send or less than its fee.
    Funds,
    /// -13: encrypted, and locked now.
    Locked,
    /// -18: no such wallet is loaded.
    NotLoaded,
    /// -19: several wallets are loaded and none was named.
    NotNamed,
}

impl WalletTrouble {
    fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            -4 => Self::Other,
            -6 => Self::Funds,
            -13 => Self::Locked,
            -18 => Self::NotLoaded,
            -19 => Self::NotNamed,
            _ => return None,
        })
    }

    /// The node's error code.
    pub const fn code(self) -> i64 {
        match self {
            Self::Other => -4,
            Self::Funds => -6,
            Self::Locked => -13,
            Self::NotLoaded => -18,
            Self::NotNamed => -19,
        }
    }
}

/// Why a call gave no result. All but [`RpcError::Unknown`] mean that it was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// No connection to the node: the transport's reason.
    #[error("the node cannot be reached: {0}")]
    Unreachable(String),
    /// The login is wrong or missing, or the node takes no calls from this machine.
    #[error("the node refuses the login: {0}")]
    Unauthorized(String),
    /// -28: it is starting.
    #[error("the node is starting: {0}")]
    WarmingUp(String),
    /// -9: it has no peers.
    #[error("the node has no connection to its network: {0}")]
    NotConnected(String),
    /// -10: it is still downloading the chain.
    #[error("the node is downloading the chain: {0}")]
    InitialDownload(String),
    /// The wallet cannot do it.
    #[error("the wallet refuses ({}): {message}", .trouble.code())]
    Wallet {
        /// What is wrong with it.
        trouble: WalletTrouble,
        /// The node's words.
        message: String,
    },
    /// The node refuses the call for another reason.
    #[error("the node refuses ({code}): {message}")]
    Refused {
        /// The node's error code.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// Too many calls wait, here or at the node.
    #[error("too many calls at once: {0}")]
    Busy(String),
    /// No answer in time, or none that can be understood: whether the call was carried out is unknown.
    #[error("no answer from the node: {0}")]
    Unknown(String),
}

impl RpcError {
    /// The class of an error that the node told, by its code.
    pub(super) fn of_node(code: i64, message: &str) -> Self {
        let message = cleaned(message);
        if let Some(trouble) = WalletTrouble::from_code(code) {
            return Self::Wallet { trouble, message };
        }
        match code {
            -28 => Self::WarmingUp(message),
            -9 => Self::NotConnected(message),
            -10 => Self::InitialDownload(message),
            _ => Self::Refused { code, message },
        }
    }

    /// Whether the call may have been carried out although there is no result.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether the node itself answered: it is there, logged in to and understood.
    pub const fn is_answer(&self) -> bool {
        !matches!(
            self,
            Self::Unreachable(_) | Self::Unauthorized(_) | Self::Busy(_) | Self::Unknown(_)
        )
    }

    /// The node's error code, if it told one.
    pub const fn code(&self) -> Option<i64> {
        match self {
            Self::WarmingUp(_) => Some(-28),
            Self::NotConnected(_) => Some(-9),
            Self::InitialDownload(_) => Some(-10),
            Self::Wallet { trouble, .. } => Some(trouble.code()),
            Self::Refused { code, .. } => Some(*code),
            Self::Unreachable(_) | Self::Unauthorized(_) | Self::Busy(_) | Self::Unknown(_) => None,
        }
    }
}

/// What a node says ends up in logs and answers: no control characters, and not pages of it.
pub(super) fn cleaned(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE_LEN_MAX)
        .collect()
}
