//! `pillarbox sendmail`: the way in for programs on this machine that know nothing but sendmail. The exit code says how it
//! went, by the numbers of sysexits.h, which such programs understand.

use super::command::Stop;
use super::sendmail_words::{HeaderNames, SendmailWords, Work, usage};
use super::server::submit_socket;
use crate::mail::{Address, LocalMessage};
use crate::service::{HandInError, Letter, LocalUser, hand_in};
use crate::smtp::client::{Failure, Heard, Lack, Outcome};
use crate::smtp::{Enhanced, Limits};
use rustix::process::getuid;
use std::io::Read;
use std::path::Path;

/// The name in the table, and the last part of the path when programs call it.
pub const NAME: &str = "sendmail";
/// What it is for.
pub const ABOUT: &str = "Send a message from stdin, as programs expect it of sendmail.";

const HELP: &str = "Usage: pillarbox sendmail [letters] [recipients]

Sends the message on stdin. Programs call it as /usr/sbin/sendmail, a symbolic link to pillarbox. Addresses without a domain
are in the first domain of the box.

  -t             recipients are in the fields To, Cc and Bcc; Bcc is taken out
  -i, -oi        a line with one dot does not end the message
  -f ADDRESS     the sender (also -r); root may name any of our domains, others their own addresses; <> for nobody
  -F NAME        the full name for the From field, if there is none
  -N WHEN        reports: never, or a list of success, failure, delay
  -R full|hdrs   how much of the message comes back
  -V NAME        the message's name in reports
  -C, --config   the settings of the server (default: /etc/pillarbox/pillarbox.toml)
  --dir          instead: the folder of a server that was started by `try`
  -B -G -O -U -bm -d -e -h -m -n -o -v ...   mean nothing here; -q has nothing to do

Exit codes: 0 taken, 64 wrong words, 65 wrong message, 67 no such recipient, 69 refused, 71 no memory, 75 try again later,
77 not permitted, 78 wrong settings.
";

/// Numbers of sysexits.h.
const DATA: u8 = 65;
const NO_USER: u8 = 67;
const UNAVAILABLE: u8 = 69;
const OS: u8 = 71;
const LATER: u8 = 75;
const NOT_PERMITTED: u8 = 77;
const CONFIG: u8 = 78;

/// Does what the words say.
pub fn sendmail(words: &[&str]) -> Result<(), Stop> {
    if let ["--help"] = words {
        return Err(Stop::Help(HELP.to_owned()));
    }
    let words = SendmailWords::read(words)?;
    if words.work == Work::Queue {
        return Ok(());
    }
    let socket = submit_socket(words.config.as_deref(), words.dir.as_deref());
    let socket = socket.map_err(|stop| match stop {
        Stop::Usage(text) => usage(&text),
        Stop::Failed(text) => Stop::Exit(CONFIG, text),
        stop => stop,
    })?;
    let message = read(&words)?;
    let mut recipients = words.recipients;
    if words.header == HeaderNames::Recipients {
        let named = message.recipients();
        recipients
            .extend(named.map_err(|error| Stop::Exit(DATA, format!("{error}; nothing was sent")))?);
    }
    if recipients.is_empty() {
        return Err(usage("nobody is named to send this to"));
    }
    let name = || LocalUser::of(getuid().as_raw()).full_name;
    let letter = Letter {
        sender: words.sender,
        recipients,
        message,
        full_name: words.full_name.unwrap_or_else(name),
        notify: words.notify,
        ret: words.ret,
        envelope_id: words.envelope_id,
    };
    let outcomes = hand_in(&socket, letter).map_err(|error| nothing_sent(&error, &socket))?;
    judge(&outcomes)
}

fn read(words: &SendmailWords) -> Result<LocalMessage, Stop> {
    let size_max = Limits::default().message_size_max;
    let mut input = Vec::new();
    let read = std::io::stdin().lock().take(size_max + 1).read_to_end(&mut input);
    read.map_err(|error| Stop::Exit(OS, format!("the message cannot be read: {error}")))?;
    if input.len() as u64 > size_max {
        return Err(too_big(size_max));
    }
    let too_long = |_| Stop::Exit(DATA, "the header is over 256 KB; nothing was sent".to_owned());
    LocalMessage::read(&input, words.end).map_err(too_long)
}

fn too_big(size_max: u64) -> Stop {
    let text =
        format!("the message is too big: at most {size_max} bytes are taken. Nothing was sent");
    Stop::Exit(DATA, text)
}

fn nothing_sent(error: &HandInError, socket: &Path) -> Stop {
    let (code, what) = match error {
        HandInError::Away(_) => (
            LATER,
            format!(
                "no server answers at {} ({error}). Start it: systemctl start pillarbox, or pillarbox serve",
                socket.display()
            ),
        ),
        HandInError::Failed(Failure::Greeting(heard) | Failure::Hello(heard))
            if heard.is_refusal() =>
        {
            (UNAVAILABLE, format!("the server said: {heard}"))
        }
        HandInError::Failed(_) | HandInError::Broken(_) => {
            (LATER, format!("the server did not take it: {error}"))
        }
        HandInError::Stranger => (UNAVAILABLE, format!("{}: {error}", socket.display())),
        HandInError::Address(_) => (DATA, error.to_string()),
        HandInError::Io(_) => (OS, error.to_string()),
    };
    let then = if code == LATER { ", try again later" } else { "" };
    Stop::Exit(code, format!("{what}. Nothing was sent{then}"))
}

/// The exit code is that of the worst; what a later try may mend is not as bad as what it will not.
fn judge(outcomes: &[(Address, Outcome)]) -> Result<(), Stop> {
    let failed: Vec<(u8, String)> = outcomes
        .iter()
        .filter_map(|(to, outcome)| {
            let (code, why) = why(outcome)?;
            Some((code, format!("not sent to {to}: {why}")))
        })
        .collect();
    let lasting = failed.iter().find(|(code, _)| *code != LATER);
    let Some((code, _)) = lasting.or(failed.first()) else { return Ok(()) };
    let mut lines: Vec<&str> = failed.iter().map(|(_, line)| line.as_str()).collect();
    if failed.len() < outcomes.len() {
        lines.push("it was sent to the others");
    }
    Err(Stop::Exit(*code, lines.join("\n")))
}

/// Why somebody does not get it.
fn why(outcome: &Outcome) -> Option<(u8, String)> {
    match outcome {
        Outcome::Taken(_) => None,
        Outcome::Refused(heard) | Outcome::TooMany(heard) => {
            Some((code(heard), format!("the server said {heard}")))
        }
        Outcome::Unable(Lack::Size(most)) => {
            Some((DATA, format!("it is too big; at most {most} bytes are taken")))
        }
        Outcome::Unable(lack) => {
            Some((UNAVAILABLE, format!("the server cannot take it: {lack:?}")))
        }
        Outcome::Lost => Some((LATER, "the server went away; try again later".to_owned())),
    }
}

fn code(heard: &Heard) -> u8 {
    if heard.is_for_later() {
        return LATER;
    }
    match heard.status() {
        // Of the sender.
        Enhanced(_, 1, 7 | 8) => DATA,
        Enhanced(_, 1, _) => NO_USER,
        Enhanced(_, 6, _) | Enhanced(_, 3, 4) => DATA,
        Enhanced(_, 7, _) => NOT_PERMITTED,
        _ => UNAVAILABLE,
    }
}
