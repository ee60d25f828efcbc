//! APPEND (RFC 3501 §6.3.11, APPENDUID of RFC 4315 §3, `literal8` of RFC 3516 §4.4, UTF8 of RFC 6855 §4).
//! The message itself never stands in memory: it is written as it comes.

use super::action::Action;
use crate::base::Cursor;
use crate::imap::args::{Args, Parsed, literal_size};
use crate::imap::dialect::{Dialect, Utf8Accept};
use crate::imap::flag_text::FlagNames;
use crate::imap::job::{Job, Next, when_done};
use crate::imap::response::Completion;
use crate::imap::upload::{Upload, Wrapping};
use crate::mail::Date;
use crate::maildir::{MailboxName, UidSet};
use crate::store::{Placement, StoreError, Target};

/// What stands before the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    name: MailboxName,
    flags: FlagNames,
    date: Option<Date>,
    wrapping: Wrapping,
}

/// An APPEND whose message is no literal.
pub fn read(_: &mut Args<'_>) -> Parsed<Action> {
    Err(Completion::bad("APPEND takes a mailbox, flags, a date and a message as a literal"))
}

/// Reads what stands before a literal that was announced: the head of an APPEND if that literal is the message, `None`
/// if it is the name of the mailbox.
pub fn read_head(args: &mut Args<'_>) -> Parsed<Option<Head>> {
    args.space()?;
    if at_literal(args) {
        return Ok(None);
    }
    let name = args.mailbox()?;
    read_more(args, name).map(Some)
}

/// Reads what stands before a message: flags and a date, if they do, and the blanks. A message behind another one
/// (RFC 3502) has no name of its own.
fn read_more(args: &mut Args<'_>, name: MailboxName) -> Parsed<Head> {
    args.space()?;
    let (flags, wrapping) = (FlagNames::default(), Wrapping::Bare);
    let mut head = Head { name, flags, date: None, wrapping };
    if args.peek() == Some(b'(') {
        head.flags = FlagNames::read_list(args)?;
        args.space()?;
    }
    if args.peek() == Some(b'"') {
        head.date = Some(args.date_time()?);
        args.space()?;
    }
    if args.word("UTF8") {
        if args.dialect().utf8_accept == Utf8Accept::Off {
            return Err(Completion::bad("ENABLE UTF8=ACCEPT comes before a message in UTF8"));
        }
        head.wrapping = Wrapping::Utf8;
        args.space()?;
        args.expect(b'(')?;
        args.expect(b'~')?;
    } else {
        // A literal8 may hold NULs. So may a literal here: mail that is moved from elsewhere comes as it is.
        // Differs: RFC 6855 §4 wants a message with 8-bit text in its header refused to those who have not enabled UTF-8.
        // There is much old mail of that kind, and who moves here must not lose it. (append-8-bit-header.txt)
        args.eat(b'~');
    }
    if at_literal(args) { Ok(head) } else { Err(Completion::bad("The message is no literal")) }
}

/// The head of a further message of the same APPEND, from the line that ends the one before.
pub fn read_next(line: &[u8], dialect: Dialect) -> Parsed<Head> {
    let line = [line, b"\r\n"].concat();
    // Where it goes is known from the first.
    read_more(&mut Args::of(&line, dialect), MailboxName::inbox())
}

fn at_literal(args: &Args<'_>) -> bool {
    let mut cursor = Cursor::new(args.rest());
    literal_size(&mut cursor).is_some() && cursor.rest() == b"\r\n"
}

/// Messages of one APPEND at most: each holds a file open until all are there.
const MESSAGES_MAX: usize = 100;

/// Begins the message; `today` is its date if none was given.
pub fn begin(head: Head, size: u64, today: Date) -> Job {
    Box::new(move |session| {
        let account = &session.account;
        let first = session.uploads.first().map(|upload| upload.mailbox);
        let begun = account.mailboxes().and_then(|mailboxes| {
            let mailbox = match first {
                Some(first) => mailboxes.get(first),
                None => mailboxes.named(&head.name),
            };
            let Some(mailbox) = mailbox else { return Ok(None) };
            let before: u64 = session.uploads.iter().map(|upload| upload.incoming.size()).sum();
            account.room(session.uploads.len() as u64 + 1, before.saturating_add(size))?;
            Ok(Some((mailbox.id, account.begin()?)))
        });
        let refused = match begun {
            Ok(Some(_)) if session.uploads.len() >= MESSAGES_MAX => {
                Completion::no("One APPEND brings at most 100 messages").code("LIMIT")
            }
            Ok(Some((mailbox, incoming))) => {
                let date = head.date.unwrap_or(today);
                let (flags, wrapping) = (head.flags, head.wrapping);
                session.uploads.push(Upload { mailbox, flags, date, wrapping, incoming });
                return Next::Done(Completion::ok("Go on"));
            }
            Ok(None) => {
                Completion::no("There is no such mailbox; create it first").code("TRYCREATE")
            }
            Err(error) => error.into(),
        };
        // RFC 3502 §6.3.11: all or none.
        session.uploads.clear();
        Next::Done(refused)
    })
}

/// Writes the next piece.
pub fn write(piece: Vec<u8>) -> Job {
    Box::new(move |session| {
        let written = match session.uploads.last_mut() {
            Some(upload) => upload.incoming.write(&piece),
            None => Err(StoreError::Closed),
        };
        Next::Done(match written {
            Ok(()) => Completion::ok("Go on"),
            Err(error) => {
                session.uploads.clear();
                error.into()
            }
        })
    })
}

/// Takes the messages in, all or none.
pub fn commit() -> Job {
    Box::new(|session| {
        let uploads = std::mem::take(&mut session.uploads);
        let arrivals = uploads.into_iter().map(|upload| {
            let Upload { mailbox, flags, date, incoming, .. } = upload;
            let FlagNames { flags, keywords } = flags;
            let placement = Placement { target: Target::Mailbox(mailbox), flags, keywords };
            incoming.finish(date.at, date.zone_minutes, vec![placement])
        });
        let arrivals: Vec<_> = arrivals.collect();
        when_done(session.account.commit(arrivals, session.cause()), |_, done| {
            Next::Done(match done {
                Ok(placed) => {
                    let appended = Completion::ok("Appended");
                    let uids: UidSet = placed.iter().map(|place| place.uid).collect();
                    match placed.first() {
                        Some(place) => {
                            appended.code(format!("APPENDUID {} {uids}", place.validity))
                        }
                        None => appended,
                    }
                }
                Err(StoreError::NoMailbox) => {
                    Completion::no("The mailbox was deleted meanwhile").code("TRYCREATE")
                }
                Err(error) => error.into(),
            })
        })
    })
}

/// Forgets messages that were cut off.
pub fn abandon() -> Job {
    Box::new(|session| {
        session.uploads.clear();
        Next::Done(Completion::ok("Forgotten"))
    })
}

#[cfg(test)]
mod tests {
    use super::read_head;
    use crate::imap::args::Args;

    #[test]
    fn the_literal_is_the_message_or_the_name() {
        let head = |text: &[u8]| read_head(&mut Args::new(text)).map(|head| head.is_some());
        assert_eq!(head(b" saved-messages (\\Seen) {310}\r\n"), Ok(true));
        assert_eq!(head(b" x (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {310+}\r\n"), Ok(true));
        assert_eq!(head(b" x {3}\r\n"), Ok(true));
        assert_eq!(head(b" x (\\Seen) ~{3}\r\n"), Ok(true));
        assert_eq!(head(b" x ~{3+}\r\n"), Ok(true));
        assert_eq!(head(b" {5}\r\n"), Ok(false));
        assert_eq!(head(b" {5}\r\nINBOX {3}\r\n"), Ok(true));
        for bad in [
            &b" x (\\Seen {3}\r\n"[..],
            b" x \"yesterday\" {3}\r\n",
            b" x y {3}\r\n",
            b" x ~ {3}\r\n",
            b" x ~~{3}\r\n",
            b" ~{1}\r\n",
            b" ../x {3}\r\n",
        ] {
            assert!(head(bad).is_err(), "{bad:?}");
        }
    }
}
