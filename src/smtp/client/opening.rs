//! How a session opens: EHLO, or HELO for servers that know no other, STARTTLS (RFC 3207), a login (RFC 4954).

use super::ask::Failure;
use super::heard::Heard;
use super::login::Login;
use super::machine::Client;
use super::standing::{ClientProtocol, TlsUse};
use super::state::{Due, State};

impl Client {
    pub(super) fn hello(&mut self) {
        let word = match self.setup.protocol {
            ClientProtocol::Smtp => "EHLO",
            ClientProtocol::Lmtp => "LHLO",
        };
        self.plan(Due::Ehlo, format!("{word} {}", self.setup.host));
    }

    /// EHLO or HELO was answered.
    pub(super) fn greeted(&mut self) {
        if self.tls.is_some() || self.setup.tls == TlsUse::Never {
            self.enter();
        } else if self.offered.start_tls {
            self.plan(Due::StartTls, "STARTTLS");
        } else if self.setup.tls == TlsUse::Must {
            self.fail(Failure::NoTls);
        } else {
            self.enter();
        }
    }

    /// The session stands; a login comes before all else.
    pub(super) fn enter(&mut self) {
        let Some(login) = &self.setup.login else {
            self.state = State::Idle;
            return;
        };
        match login.begin(&self.offered.auth, &self.setup.nonce) {
            Some((line, exchange)) => {
                self.exchange = Some(exchange);
                self.plan(Due::Login, line);
            }
            None => self.fail(Failure::NoLogin),
        }
    }

    pub(super) fn heard_login(&mut self, heard: Heard) {
        let Some(exchange) = self.exchange.take() else {
            return self.fail(Failure::Login(heard));
        };
        if heard.is_yes() {
            if Login::is_over(&exchange) {
                self.state = State::Idle;
            } else {
                self.fail(Failure::NotTrusted);
            }
            return;
        }
        let challenge = heard.lines.first().filter(|_| heard.code == 334);
        let said = self.setup.login.as_ref().zip(challenge);
        match said.and_then(|(login, challenge)| login.answer(exchange, challenge)) {
            Some((line, exchange)) => {
                self.exchange = Some(exchange);
                self.plan(Due::Login, line);
            }
            None => self.fail(Failure::Login(heard)),
        }
    }
}
