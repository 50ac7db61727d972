//! What a miner wants to be told: said, read and tried by the miner alone.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use dwarves_actors::miner_notifier::MinerNotifierPorts;
use dwarves_actors::miner_notifier::messages::{
    ConfirmAddress, NotGranted, ReadSubscription, SendTest, Subscribe, Unsubscribe,
};
use dwarves_api_types::notifications::{
    AddressConfirmed, ConfirmBody, Notifications, NotificationsBody, TestBody, TestSent,
};
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::notices::NoticeKind;
use dwarves_domain::notices::wishes::{ChannelName, WishError};

use super::named_miner::{hotkey_in_path, known_miner};
use crate::problem::{Code, Problem, ProblemBody};
use crate::state::HttpState;
use crate::{auth, body, query};

mod shown;
mod wished;

/// Who asks, once it is sure that it is the miner in the path, and the body.
async fn caller(
    req: &HttpRequest,
    state: &HttpState,
    payload: Payload,
) -> Result<(Hotkey, web::Bytes), Problem> {
    let claim = auth::session(req, state)?;
    let (caller, sent) = claim.with_body(req, payload, state).await?;
    query::none(req)?;
    if hotkey_in_path(req, state)? == caller {
        return Ok((caller, sent));
    }
    Err(Problem::new(
        Code::Forbidden,
        "what a miner is told is between it and the pool: sign with the hotkey in the path, or use its session",
    ))
}

fn ports(state: &HttpState) -> Result<&MinerNotifierPorts, Problem> {
    state.deps().ports.notifications.as_ref().ok_or_else(|| {
        let detail = "the operator has not turned on notifications for miners";
        Problem::new(Code::NotificationsOff, detail)
    })
}

fn no_body(sent: &[u8]) -> Result<(), Problem> {
    if sent.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Code::BodyInvalid, "this request has no body"))
}

fn invalid(error: &WishError) -> Problem {
    Problem::new(Code::NotificationsInvalid, error.to_string()).of_field(&error.field)
}

fn channel_name(text: &str) -> Result<ChannelName, Problem> {
    text.parse()
        .map_err(|error| invalid(&WishError::new("channel", error)))
}

fn refused(why: NotGranted) -> Problem {
    match why {
        NotGranted::Wish(error) => invalid(&error),
        NotGranted::NothingWanted => Problem::new(
            Code::NotificationsUnknown,
            "this miner has not said what it wants to be told: PUT /v1/miners/{hotkey}/notifications",
        ),
        NotGranted::Full => Problem::new(
            Code::Busy,
            "the pool tells as many miners as it may (miner_notifications.miners_max)",
        ),
        NotGranted::NoChannel => invalid(&WishError::new("channel", "there is no such channel")),
        NotGranted::NoOpenChannel => invalid(&WishError::new(
            "channel",
            "nothing goes there: its address is not confirmed, or it was given up",
        )),
        NotGranted::WrongCode => {
            Problem::new(Code::CodeInvalid, "this is not the code that was mailed").of_field("code")
        }
        NotGranted::NoCode => Problem::new(
            Code::CodeInvalid,
            "the code holds no more, after a day or too many wrong ones: set the channel again for another",
        )
        .of_field("code"),
        NotGranted::TooMany { try_again } => Problem::too_many_notifications(try_again),
        NotGranted::Busy => Problem::busy(),
        NotGranted::Unavailable => Problem::new(
            Code::Unavailable,
            "it could not be written down yet; whether it holds is unknown, and repeating it is safe",
        ),
    }
}

/// What the miner wants to be told, and how its channels are. Secrets and tokens are not shown.
#[utoipa::path(
    get, path = "/v1/miners/{hotkey}/notifications", operation_id = "read_notifications", tag = "miners",
    params(("hotkey" = String, Path, description = "The caller's own hotkey in SS58")),
    responses(
        (status = 200, description = "What the miner is told", body = Notifications),
        (status = "default", description = "Refused; codes: forbidden, notifications_off, notifications_unknown", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = [])),
)]
pub async fn read(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (hotkey, sent) = caller(&req, &state, payload).await?;
    no_body(&sent)?;
    let view = state
        .ask(&ports(&state)?.read, ReadSubscription { hotkey })
        .await?;
    body::unkept(
        StatusCode::OK,
        &shown::notifications(hotkey, &view.map_err(refused)?),
    )
}

/// Says what the miner wants to be told; all that it wanted before is replaced. A webhook's secret is shown when it is made,
/// and never again. To a mail address goes a code, and nothing else before it came back.
#[utoipa::path(
    put, path = "/v1/miners/{hotkey}/notifications", operation_id = "set_notifications", tag = "miners",
    params(("hotkey" = String, Path, description = "The caller's own hotkey in SS58")),
    request_body(content = NotificationsBody),
    responses(
        (status = 200, description = "What the miner is told from now on", body = Notifications),
        (status = "default", description = "Refused; codes: forbidden, miner_unknown, notifications_off, notifications_invalid, too_many_notifications", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = [])),
)]
pub async fn write(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (hotkey, sent) = caller(&req, &state, payload).await?;
    let ports = ports(&state)?;
    let wanted: NotificationsBody = body::parse(&sent)?;
    let known = NoticeKind::of_miners(state.deps().evaluation.is_some());
    let (wishes, renewed) = wished::wishes(wanted, known).map_err(|error| invalid(&error))?;
    known_miner(&state, hotkey).await?;
    let order = Subscribe {
        hotkey,
        wishes,
        renewed,
    };
    let subscribed = state.ask(&ports.subscribe, order).await?.map_err(refused)?;
    let mut answer = shown::notifications(hotkey, &subscribed.view);
    shown::add_secrets(&mut answer, &subscribed.secrets);
    body::unkept(StatusCode::OK, &answer)
}

/// Tells the miner nothing more, and forgets its channels.
#[utoipa::path(
    delete, path = "/v1/miners/{hotkey}/notifications", operation_id = "remove_notifications", tag = "miners",
    params(("hotkey" = String, Path, description = "The caller's own hotkey in SS58")),
    responses(
        (status = 204, description = "The miner is told nothing more"),
        (status = "default", description = "Refused; codes: forbidden, notifications_off, notifications_unknown", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = [])),
)]
pub async fn remove(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (hotkey, sent) = caller(&req, &state, payload).await?;
    no_body(&sent)?;
    let removed = state
        .ask(&ports(&state)?.unsubscribe, Unsubscribe { hotkey })
        .await?;
    removed.map_err(refused)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sends a test notice, by one channel or by all that are open.
#[utoipa::path(
    post, path = "/v1/miners/{hotkey}/notifications/test", operation_id = "test_notifications", tag = "miners",
    params(("hotkey" = String, Path, description = "The caller's own hotkey in SS58")),
    request_body(content = TestBody, description = "An empty body is `{}`"),
    responses(
        (status = 200, description = "It is on its way", body = TestSent),
        (status = "default", description = "Refused; codes: forbidden, notifications_off, notifications_unknown, notifications_invalid, too_many_notifications", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = [])),
)]
pub async fn test(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (hotkey, sent) = caller(&req, &state, payload).await?;
    let ports = ports(&state)?;
    let TestBody { channel } = body::parse_or_empty(&sent)?;
    let channel = channel.as_deref().map(channel_name).transpose()?;
    let sent = state.ask(&ports.test, SendTest { hotkey, channel }).await?;
    let channels = sent.map_err(refused)?;
    body::ok(&TestSent {
        channels: channels.into_iter().map(String::from).collect(),
    })
}

/// Confirms a mail address by the code that was mailed to it.
#[utoipa::path(
    post, path = "/v1/miners/{hotkey}/notifications/confirm", operation_id = "confirm_address", tag = "miners",
    params(("hotkey" = String, Path, description = "The caller's own hotkey in SS58")),
    request_body(content = ConfirmBody),
    responses(
        (status = 200, description = "The address is confirmed", body = AddressConfirmed),
        (status = "default", description = "Refused; codes: forbidden, notifications_off, notifications_unknown, notifications_invalid, code_invalid", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("session" = []), ("signature" = [])),
)]
pub async fn confirm(
    req: HttpRequest,
    state: web::Data<HttpState>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (hotkey, sent) = caller(&req, &state, payload).await?;
    let ports = ports(&state)?;
    let ConfirmBody { channel, code } = body::parse(&sent)?;
    let order = ConfirmAddress {
        hotkey,
        channel: channel_name(&channel)?,
        code,
    };
    state.ask(&ports.confirm, order).await?.map_err(refused)?;
    body::ok(&AddressConfirmed {
        channel,
        state: "open".to_owned(),
    })
}
