//! Who a user name and a password stand for.
//!
//! `HOTKEY[.worker]` or `PAYOUT_ADDRESS[.worker]`; `_` separates as well as `.`. Neither hotkeys nor addresses
//! have one of the two in them. The password holds wishes (`d=1024,md=512`) and is no secret.

use std::borrow::Cow;

use crate::address::{AddressFormat, ParseAddressError, PayoutAddress};
use crate::hotkey::Hotkey;
use crate::ids::WorkerName;
use crate::time::Span;

/// What logins a pool takes.
#[derive(Clone, Copy, Debug)]
pub struct LoginRules {
    /// Which addresses are right.
    pub addresses: AddressFormat,
    /// Whether an address is enough.
    pub allow_address: bool,
}

/// Who mines in a session: what a login says, checked for its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A miner that registered by itself.
    Hotkey(Hotkey),
    /// A payout address. It is registered when it is seen first, under its own identity, paid to itself.
    Address(PayoutAddress),
}

impl Identity {
    /// The name by which the pool knows it.
    pub fn hotkey(&self) -> Hotkey {
        match self {
            Self::Hotkey(hotkey) => *hotkey,
            Self::Address(address) => address.identity(),
        }
    }
}

/// Why a user name is none that this pool takes, in words for the miner: plain ASCII, as mining software shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// An address, where only registered hotkeys mine.
    #[error("Unauthorized worker: the user name must be HOTKEY.worker of a registered miner")]
    AddressNotTaken,
    /// An address of Litecoin's extension blocks.
    #[error("Unauthorized worker: MWEB addresses cannot be paid, give one of the main chain")]
    Mweb,
    /// A witness program that the chain gives a meaning of its own.
    #[error("Unauthorized worker: the chain itself uses such addresses, give one that your wallet made")]
    NobodysProgram,
    /// Neither a hotkey nor an address of this chain.
    #[error(
        "Unauthorized worker: the user name must be HOTKEY.worker or ADDRESS.worker, an address of this chain"
    )]
    Unknown,
    /// The address is new, and too many new ones came from the same place.
    #[error("Unauthorized worker: too many new addresses from here, please try again in {}", minutes(*try_again))]
    TooManyNew {
        /// After which time one more may come.
        try_again: Span,
    },
}

/// A time to wait in whole minutes, for people: never less than it is.
pub fn minutes(span: Span) -> String {
    match span.secs().div_ceil(60).max(1) {
        1 => "1 minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

/// The identity and the worker that a user name stands for.
///
/// # Errors
/// In words that tell what would be right.
pub fn parse_user(user: &str, rules: LoginRules) -> Result<(Identity, WorkerName), LoginError> {
    let user = percent_decoded(user.trim());
    let (who, worker) = match user.split_once(['.', '_']) {
        Some((who, worker)) => (who, worker),
        None => (&*user, ""),
    };
    let identity = match who.parse() {
        Ok(hotkey) => Identity::Hotkey(hotkey),
        Err(_) => Identity::Address(address(who, rules)?),
    };
    Ok((identity, worker_name(worker)))
}

fn address(who: &str, rules: LoginRules) -> Result<PayoutAddress, LoginError> {
    if !rules.allow_address {
        return Err(LoginError::AddressNotTaken);
    }
    PayoutAddress::parse(who, rules.addresses).map_err(|error| match error {
        ParseAddressError::Mweb { .. } => LoginError::Mweb,
        ParseAddressError::NobodysProgram { .. } => LoginError::NobodysProgram,
        ParseAddressError::NotAnAddress { .. } | ParseAddressError::WrongNetwork { .. } => {
            LoginError::Unknown
        }
    })
}

/// Some firmware writes user names as in an URL.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let decoded = (byte == b'%').then(|| after.split_first_chunk::<2>()).flatten();
        let decoded = decoded.and_then(|(digits, after)| {
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).ok()?;
            Some((byte[0], after))
        });
        let (byte, after) = decoded.unwrap_or((byte, after));
        bytes.push(byte);
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// A worker's name as the pool writes it: what it does not have becomes `-`, and what is too long is cut.
fn worker_name(text: &str) -> WorkerName {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            c
        } else {
            '-'
        }
    };
    let name: String = text.chars().take(WorkerName::LEN_MAX).map(plain).collect();
    name.parse().unwrap_or_else(|_| WorkerName::unnamed())
}

/// What a password asks for, as miners write difficulties.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wishes {
    /// `d=`: where to begin, and not to go below.
    pub difficulty: Option<f64>,
    /// `md=`: not to go below.
    pub min_difficulty: Option<f64>,
}

/// The wishes in a password. Whatever else it holds is no matter: most miners write `x`.
pub fn parse_password(password: &str) -> Wishes {
    let mut wishes = Wishes::default();
    for part in password.split([',', ';', ' ', '&']) {
        let Some((key, value)) = part.split_once('=') else {
            continue;
        };
        let value = value
            .trim()
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite() && *value > 0.0);
        match key.trim().to_ascii_lowercase().as_str() {
            "d" | "diff" => wishes.difficulty = value.or(wishes.difficulty),
            "md" | "mindiff" => wishes.min_difficulty = value.or(wishes.min_difficulty),
            _ => {}
        }
    }
    wishes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    const RULES: LoginRules = LoginRules {
        addresses: AddressFormat::BitcoinRegtest,
        allow_address: true,
    };

    fn worker(user: &str) -> String {
        parse_user(user, RULES).unwrap().1.to_string()
    }

    #[test]
    fn hotkeys_and_addresses_are_told_apart_and_both_separators_hold() {
        let alice = Identity::Hotkey(ALICE.parse().unwrap());
        assert_eq!(
            parse_user(ALICE, RULES).unwrap(),
            (alice.clone(), WorkerName::unnamed())
        );
        for user in [
            format!("{ALICE}.rig1"),
            format!("{ALICE}_rig1"),
            format!("{ALICE}%2Erig1"),
        ] {
            assert_eq!(
                parse_user(&user, RULES).unwrap(),
                (alice.clone(), "rig1".parse().unwrap())
            );
        }
        let (identity, name) = parse_user(&format!("{ADDRESS}.a.b_c"), RULES).unwrap();
        let Identity::Address(address) = &identity else {
            panic!("{identity:?}")
        };
        assert_eq!((address.to_string().as_str(), name.as_str()), (ADDRESS, "a.b_c"));
        assert_eq!(identity.hotkey(), address.identity());
    }

    #[test]
    fn odd_and_long_worker_names_are_made_to_fit() {
        assert_eq!(worker(&format!("{ALICE}.")), "default");
        assert_eq!(worker(&format!("{ALICE}.a b/ä")), "a-b--");
        assert_eq!(worker(&format!("{ALICE}.{}", "x".repeat(191))), "x".repeat(64));
    }

    #[test]
    fn strangers_and_addresses_of_other_chains_are_refused() {
        for user in [
            "",
            "x",
            ".rig",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq.rig",
            "%",
            "%zz%2",
        ] {
            let refused = parse_user(user, RULES).unwrap_err();
            assert_eq!(refused, LoginError::Unknown, "{user}");
        }
        let strict = LoginRules {
            allow_address: false,
            ..RULES
        };
        assert!(parse_user(ADDRESS, strict).is_err());
        assert!(parse_user(ALICE, strict).is_ok());
    }

    #[test]
    fn addresses_that_nobody_can_be_paid_to_are_named() {
        let litecoin = LoginRules {
            addresses: AddressFormat::LitecoinRegtest,
            ..RULES
        };
        for (user, words) in [
            ("tmweb1qqw2edst3f937cdjm9yttuh9utnp57cwjrp8pde.rig", "MWEB"),
            (
                "rltc1facy8g9ct0ahn9wxz4j2h83pg6dd4w5ns5e4h2lpvqxza90gfwxxsx23tr9.rig",
                "the chain itself",
            ),
        ] {
            let refused = parse_user(user, litecoin).unwrap_err();
            assert!(refused.to_string().contains(words), "{user}: {refused}");
        }
    }

    #[test]
    fn passwords_hold_wishes_or_anything_else() {
        let wishes = |d, md| Wishes {
            difficulty: d,
            min_difficulty: md,
        };
        assert_eq!(parse_password("x"), wishes(None, None));
        assert_eq!(parse_password("d=1024"), wishes(Some(1024.0), None));
        assert_eq!(parse_password("x,md=0.5;D=8"), wishes(Some(8.0), Some(0.5)));
        assert_eq!(parse_password("d=-1,md=inf,d=NaN,md"), wishes(None, None));
    }

    proptest! {
        #[test]
        fn no_login_makes_it_panic(user in ".{0,100}", password in ".{0,100}") {
            let _ = (parse_user(&user, RULES), parse_password(&password));
        }
    }
}
