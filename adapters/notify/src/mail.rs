//! Mail, through a server that takes it on: by SMTP with TLS, or without it where no password is sent.

use std::time::Duration;

use dwarves_ports::courier::{CourierError, Message};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};

pub use crate::smtp::NoMail;
use crate::smtp::Server;

/// People who get mail.
#[derive(Clone, Debug)]
pub struct Mail {
    server: Server,
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
        let server = Server::at(url, login)?;
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|_| NoMail::Address(text.clone()));
        let to = to.iter().map(mailbox).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            server,
            from: mailbox(&from.to_owned())?,
            to: to.into_iter().collect(),
        })
    }

    /// The same mail to somebody else alone.
    ///
    /// # Errors
    /// If the address is none.
    pub(crate) fn to(&self, address: &str) -> Result<Self, NoMail> {
        let to: Mailbox = address.parse().map_err(|_| NoMail::Address(address.to_owned()))?;
        Ok(Self {
            to: Mailboxes::from(to),
            ..self.clone()
        })
    }

    pub(crate) fn tell(&self, message: &Message) -> Result<(), CourierError> {
        let failed = |why: &str| CourierError::Failed(why.to_owned());
        let mail = self
            .mail(message)
            .map_err(|_| failed("no mail can be made of it"))?;
        self.server.take(&mail).map_err(failed)
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
