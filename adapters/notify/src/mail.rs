//! Mail, through a server that takes it on: by SMTP with TLS, or without it where no password is sent.

use std::time::Duration;

use dwarves_ports::courier::{CourierError, Message};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{SmtpTransport, Transport as _};

/// How long the server may take for each step.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// Why mail cannot be sent like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMail {
    /// The address of the server is none.
    #[error("url: expected smtps://HOST, or smtp://HOST?tls=required")]
    Server,
    /// A password would be sent for everybody to read.
    #[error("url: a password needs TLS: smtps://HOST, or smtp://HOST?tls=required")]
    PasswordInTheOpen,
    /// The address of a person is none.
    #[error("{0:?} is no mail address")]
    Address(String),
}

/// People who get mail.
#[derive(Debug)]
pub struct Mail {
    server: SmtpTransport,
    from: Mailbox,
    to: Mailboxes,
}

impl Mail {
    /// Mail from one address to others, through the server at `url`, where one logs in if there is a `login`.
    ///
    /// # Errors
    /// If an address is none, or the login would be sent without TLS.
    pub fn new(
        url: &str,
        login: Option<(String, String)>,
        from: &str,
        to: &[String],
    ) -> Result<Self, NoMail> {
        let has_tls = url.starts_with("smtps://") || url.ends_with("?tls=required");
        let mut server = SmtpTransport::from_url(url).map_err(|_| NoMail::Server)?;
        if let Some((user, password)) = login {
            if !has_tls {
                return Err(NoMail::PasswordInTheOpen);
            }
            server = server.credentials(Credentials::new(user, password));
        }
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|_| NoMail::Address(text.clone()));
        let to = to.iter().map(mailbox).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            server: server.timeout(Some(STEP_DEADLINE)).build(),
            from: mailbox(&from.to_owned())?,
            to: to.into_iter().collect(),
        })
    }

    pub(crate) fn tell(&self, message: &Message) -> Result<(), CourierError> {
        let failed = |why: &str| CourierError::Failed(why.to_owned());
        let mail = self
            .mail(message)
            .map_err(|_| failed("no mail can be made of it"))?;
        match self.server.send(&mail) {
            Ok(_) => Ok(()),
            Err(error) if error.is_timeout() => Err(failed("no answer in time")),
            Err(error) if error.is_permanent() => Err(failed("the server refused it")),
            Err(error) if error.is_transient() => Err(failed("the server takes nothing now")),
            Err(_) => Err(failed("the server cannot be reached, or TLS failed")),
        }
    }

    /// The same at every try: a mail program shows one id once.
    fn mail(&self, message: &Message) -> Result<lettre::Message, lettre::error::Error> {
        let domain = self.from.email.domain();
        let at =
            std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(message.at.millis()).unwrap_or(0));
        let to = self.to.iter().cloned();
        let head = MessageBuilder::new()
            .from(self.from.clone())
            .subject(format!("[pool] {}", message.kind.title()))
            .date(at)
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .header(ContentType::TEXT_PLAIN);
        to.fold(head, MessageBuilder::to).body(message.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use dwarves_domain::notices::NoticeKind;
    use dwarves_domain::time::Timestamp;

    use super::*;

    fn mail(url: &str, login: bool, from: &str, to: &str) -> Result<Mail, NoMail> {
        let login = login.then(|| ("me".to_owned(), "secret".to_owned()));
        Mail::new(url, login, from, &[to.to_owned()])
    }

    #[test]
    fn a_password_is_sent_by_tls_alone_and_addresses_are_addresses() {
        let (from, to) = ("Pool <pool@example.org>", "me@example.org");
        for url in [
            "smtps://mail.example.org",
            "smtp://mail.example.org:587?tls=required",
        ] {
            let mail = mail(url, true, from, to).unwrap();
            assert!(!format!("{mail:?}").contains("secret"), "{mail:?}");
        }
        assert!(mail("smtp://127.0.0.1:25", false, from, to).is_ok());
        for url in [
            "smtp://mail.example.org",
            "smtp://mail.example.org?tls=opportunistic",
        ] {
            assert_eq!(mail(url, true, from, to).err(), Some(NoMail::PasswordInTheOpen));
        }
        assert_eq!(
            mail("https://example.org", false, from, to).err(),
            Some(NoMail::Server)
        );
        for (from, to, wrong) in [("pool", to, "pool"), (from, "me@", "me@")] {
            let refused = mail("smtps://mail.example.org", false, from, to).err();
            assert_eq!(refused, Some(NoMail::Address(wrong.to_owned())));
        }
    }

    #[test]
    fn a_mail_has_its_id_and_date_at_every_try_and_no_header_of_somebody_else() {
        let mail = mail("smtp://127.0.0.1", false, "pool@example.org", "me@example.org").unwrap();
        let message = |told_at| Message {
            id: "msg_1_2".to_owned(),
            kind: NoticeKind::NodeLost,
            at: Timestamp::from_secs(86_400),
            told_at: Timestamp::from_secs(told_at),
            text: "Node x\r\nBcc: other@example.org\r\n\r\nlost".to_owned(),
            detail: "{}".to_owned(),
        };
        let text = |told_at| String::from_utf8(mail.mail(&message(told_at)).unwrap().formatted()).unwrap();
        assert_eq!(text(5), text(500));
        let (head, _) = text(5)
            .split_once("\r\n\r\n")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        for line in [
            "Subject: [pool] Node lost",
            "Message-ID: <msg_1_2@example.org>",
            "Date: Fri, 02 Jan 1970 00:00:00 +0000",
            "To: me@example.org",
        ] {
            assert!(head.contains(line), "{head}");
        }
        assert!(!head.contains("Bcc"), "{head}");
    }
}
