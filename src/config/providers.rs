//! Servers of well-known providers that bring mail on: data, so that a word is enough in the settings. As the providers'
//! own pages and mail programs' lists have them (November 2026).

/// A provider's server for mail that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    /// The word for it.
    pub word: &'static str,
    /// Its name.
    pub host: &'static str,
    /// 465 is TLS from the first byte, 587 is STARTTLS.
    pub port: u16,
}

const fn row(word: &'static str, host: &'static str, port: u16) -> Provider {
    Provider { word, host, port }
}

const PROVIDERS: [Provider; 21] = [
    row("brevo", "smtp-relay.brevo.com", 465),
    row("fastmail", "smtp.fastmail.com", 465),
    row("gandi", "mail.gandi.net", 465),
    row("gmail", "smtp.gmail.com", 465),
    row("gmx", "mail.gmx.net", 465),
    row("icloud", "smtp.mail.me.com", 587),
    row("infomaniak", "mail.infomaniak.com", 465),
    row("ionos", "smtp.ionos.de", 465),
    row("mailbox.org", "smtp.mailbox.org", 465),
    row("mailgun", "smtp.mailgun.org", 465),
    row("mailgun-eu", "smtp.eu.mailgun.org", 465),
    row("mailjet", "in-v3.mailjet.com", 465),
    row("ovh", "ssl0.ovh.net", 465),
    row("posteo", "posteo.de", 465),
    row("postmark", "smtp.postmarkapp.com", 587),
    row("sendgrid", "smtp.sendgrid.net", 465),
    row("smtp2go", "mail.smtp2go.com", 465),
    row("strato", "smtp.strato.de", 465),
    row("t-online", "securesmtp.t-online.de", 465),
    row("web.de", "smtp.web.de", 587),
    row("yahoo", "smtp.mail.yahoo.com", 465),
];

/// The provider of that word.
pub fn provider(word: &str) -> Option<Provider> {
    PROVIDERS.into_iter().find(|provider| provider.word == word)
}

#[cfg(test)]
mod tests {
    use super::PROVIDERS;
    use crate::mail::Domain;

    #[test]
    fn rows_are_in_order_and_can_be_used() {
        assert!(PROVIDERS.is_sorted_by(|a, b| a.word < b.word));
        for provider in PROVIDERS {
            assert!(Domain::parse(provider.host).is_some(), "{}", provider.word);
            assert!(matches!(provider.port, 465 | 587), "{}", provider.word);
        }
    }
}
