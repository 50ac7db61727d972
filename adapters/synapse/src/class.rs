//! The synapses that the pool answers: what miners declare, and what they are answered.

/// A synapse, by the path that it is posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Registers the signer as a miner.
    Register,
    /// Gives work.
    GetWork,
    /// Takes shares.
    SubmitWork,
    /// Tells how the miner is.
    MinerStatus,
    /// Bittensor's own: it is sent back as it is.
    Ping,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Register,
        Self::GetWork,
        Self::SubmitWork,
        Self::MinerStatus,
        Self::Ping,
    ];

    /// The name of the class in Python, and the last part of its path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "Register",
            Self::GetWork => "GetWork",
            Self::SubmitWork => "SubmitWork",
            Self::MinerStatus => "MinerStatus",
            Self::Ping => "Synapse",
        }
    }

    /// Where it is posted to.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Register => "/Register",
            Self::GetWork => "/GetWork",
            Self::SubmitWork => "/SubmitWork",
            Self::MinerStatus => "/MinerStatus",
            Self::Ping => "/Synapse",
        }
    }

    /// What the field `action` must say. A signature does not cover the path: without this, one that was made for one
    /// path would hold for another. A ping does nothing, so nothing is lost if one is made of it.
    pub const fn action(self) -> Option<&'static str> {
        match self {
            Self::Register => Some("register"),
            Self::GetWork => Some("get_work"),
            Self::SubmitWork => Some("submit_work"),
            Self::MinerStatus => Some("miner_status"),
            Self::Ping => None,
        }
    }

    /// The fields whose texts are signed, in the order of the class's `required_hash_fields`.
    pub const fn signed_fields(self) -> &'static [&'static str] {
        match self {
            Self::Register => &["action", "worker", "payout_address"],
            Self::GetWork | Self::MinerStatus => &["action", "worker"],
            Self::SubmitWork => &["action", "worker", "work"],
            Self::Ping => &[],
        }
    }

    /// The fields that the answer fills. `loss` and `score` are of evaluated work, and absent otherwise.
    pub const fn answer_fields(self) -> &'static [&'static str] {
        match self {
            Self::Register => &["registration_success", "detail"],
            Self::GetWork => &["work", "detail"],
            Self::SubmitWork => &["result", "accepted", "loss", "score", "detail"],
            Self::MinerStatus => &["status"],
            Self::Ping => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_signature_for_one_class_can_be_for_another() {
        for one in Class::ALL {
            assert_eq!(one.path(), format!("/{}", one.name()));
            let signed = one.signed_fields();
            assert_eq!(one.action().is_some(), signed.first() == Some(&"action"));
            for other in Class::ALL {
                assert_eq!(one == other, one.action() == other.action());
            }
            assert!(
                one.answer_fields()
                    .iter()
                    .all(|field| !signed.contains(field) || *field == "work")
            );
        }
    }
}
