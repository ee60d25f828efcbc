//! The words of sendmail's interface, as the programs of forty years write them: single letters, run together or not, with
//! values attached or not. What means nothing here is passed over.

use super::command::Stop;
use crate::mail::{EnvelopeId, LooseAddress, Notify, Ret, TextEnd};
use crate::service::Sender;
use std::path::PathBuf;

/// EX_USAGE of sysexits.h.
const USAGE: u8 = 64;

/// What the words say.
#[derive(Debug)]
pub struct SendmailWords {
    /// What is to be done.
    pub work: Work,
    /// Who is named, and whether the header names more.
    pub recipients: Vec<LooseAddress>,
    /// Whether the header names some.
    pub header: HeaderNames,
    /// Where the text ends.
    pub end: TextEnd,
    /// From where it comes.
    pub sender: Sender,
    /// For the From field; `None`: that of whoever runs this.
    pub full_name: Option<String>,
    /// When a report is wanted.
    pub notify: Notify,
    /// How much comes back.
    pub ret: Option<Ret>,
    /// The sender's name for the message.
    pub envelope_id: Option<EnvelopeId>,
    /// The settings of the server.
    pub config: Option<PathBuf>,
    /// The folder of a server that was started by `try`.
    pub dir: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Send what comes on stdin.
    Send,
    /// Run the queue: nothing, as the server does it all the time.
    Queue,
}

/// Do the fields To, Cc and Bcc name recipients?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderNames {
    /// Yes (`-t`), those of the command line as well.
    Recipients,
    /// Those of the command line alone count.
    Nobody,
}

/// Does a letter take a value?
#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    /// The rest of the word, or the next word.
    Value,
    /// The rest of the word, if there is any.
    Rest,
}

type Set = fn(&mut SendmailWords, &str) -> Result<(), String>;

/// A row: a letter, what it takes, and what it does.
struct Letter(char, Takes, Set);

const LETTERS: &[Letter] = &[
    Letter('t', Takes::Nothing, |to, _| {
        to.header = HeaderNames::Recipients;
        Ok(())
    }),
    Letter('i', Takes::Nothing, NO_DOT),
    Letter('f', Takes::Value, sender),
    Letter('r', Takes::Value, sender),
    Letter('F', Takes::Value, |to, name| {
        to.full_name = Some(name.to_owned());
        Ok(())
    }),
    Letter('N', Takes::Value, |to, when| {
        to.notify = Notify::parse(when).ok_or("-N: never, or a list of success, failure, delay")?;
        Ok(())
    }),
    Letter('R', Takes::Value, |to, what| {
        to.ret = Some(Ret::parse(what).ok_or("-R: full or hdrs")?);
        Ok(())
    }),
    Letter('V', Takes::Value, |to, name| {
        to.envelope_id = Some(EnvelopeId::of(name).ok_or("-V: a name of at most 100 letters")?);
        Ok(())
    }),
    Letter('b', Takes::Value, mode),
    Letter('o', Takes::Value, |to, option| if option == "i" { NO_DOT(to, "") } else { Ok(()) }),
    Letter('O', Takes::Value, |to, option| {
        let option = option.to_ascii_lowercase();
        if option.starts_with("ignoredots") { NO_DOT(to, "") } else { Ok(()) }
    }),
    Letter('C', Takes::Value, |to, path| {
        to.config = Some(path.into());
        Ok(())
    }),
    Letter('q', Takes::Rest, |to, _| {
        to.work = Work::Queue;
        Ok(())
    }),
    // The bytes of the message say what its body is; the rest is about other servers' insides.
    Letter('B', Takes::Value, PASS),
    Letter('A', Takes::Value, PASS),
    Letter('D', Takes::Value, PASS),
    Letter('L', Takes::Value, PASS),
    Letter('M', Takes::Value, PASS),
    Letter('X', Takes::Value, PASS),
    Letter('e', Takes::Value, PASS),
    Letter('h', Takes::Value, PASS),
    Letter('p', Takes::Value, PASS),
    Letter('d', Takes::Rest, PASS),
    Letter('E', Takes::Nothing, PASS),
    Letter('G', Takes::Nothing, PASS),
    Letter('U', Takes::Nothing, PASS),
    Letter('m', Takes::Nothing, PASS),
    Letter('n', Takes::Nothing, PASS),
    Letter('s', Takes::Nothing, PASS),
    Letter('v', Takes::Nothing, PASS),
];

const PASS: Set = |_, _| Ok(());

const NO_DOT: Set = |to, _| {
    to.end = TextEnd::Input;
    Ok(())
};

fn sender(to: &mut SendmailWords, address: &str) -> Result<(), String> {
    let address = address.trim();
    if matches!(address, "" | "<>") {
        to.sender = Sender::Nobody;
        return Ok(());
    }
    let list = LooseAddress::list(address.as_bytes()).map_err(|error| format!("-f: {error}"))?;
    let [one] = list.as_slice() else { return Err("-f: one address".to_owned()) };
    to.sender = Sender::Named(one.clone());
    Ok(())
}

fn mode(_: &mut SendmailWords, mode: &str) -> Result<(), String> {
    match mode {
        "m" => Ok(()),
        "p" => Err("-bp is not done here; `pillarbox queue list` shows the queue".to_owned()),
        "s" => {
            Err("-bs is not done here; a program can speak SMTP to the socket itself".to_owned())
        }
        "i" => Err("-bi is not done here; `pillarbox alias add` makes an alias".to_owned()),
        "d" | "D" => Err("-bd is not done here; `pillarbox serve` runs the server".to_owned()),
        other => Err(format!("-b{other} is not done here; only -bm is")),
    }
}

impl SendmailWords {
    /// Reads them.
    pub fn read(words: &[&str]) -> Result<Self, Stop> {
        let mut read = Self {
            work: Work::Send,
            recipients: Vec::new(),
            header: HeaderNames::Nobody,
            end: TextEnd::Dot,
            sender: Sender::Own,
            full_name: None,
            notify: Notify::Unsaid,
            ret: None,
            envelope_id: None,
            config: None,
            dir: None,
        };
        read.take(words).map_err(|text| usage(&text))?;
        Ok(read)
    }

    fn take(&mut self, words: &[&str]) -> Result<(), String> {
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                Some("-") => break,
                Some(letters) if !letters.is_empty() => match letters.strip_prefix('-') {
                    Some(long) => self.long(long, &mut words)?,
                    None => self.letters(letters, &mut words)?,
                },
                _ => self.recipient(word)?,
            }
        }
        words.try_for_each(|word| self.recipient(word))
    }

    fn recipient(&mut self, word: &str) -> Result<(), String> {
        let list = LooseAddress::list(word.as_bytes()).map_err(|error| error.to_string())?;
        self.recipients.extend(list);
        Ok(())
    }

    fn letters<'a>(
        &mut self,
        word: &'a str,
        words: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        let mut rest = word;
        while let Some(letter) = rest.chars().next() {
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            let Some(Letter(_, takes, set)) = LETTERS.iter().find(|row| row.0 == letter) else {
                return Err(format!("-{letter} is not known here"));
            };
            match takes {
                Takes::Nothing => set(self, "")?,
                Takes::Rest => return set(self, rest),
                Takes::Value if rest.is_empty() => {
                    let value = words.next().ok_or_else(|| format!("-{letter} needs a value"))?;
                    return set(self, value);
                }
                Takes::Value => return set(self, rest),
            }
        }
        Ok(())
    }

    /// Our own.
    fn long<'a>(
        &mut self,
        word: &'a str,
        words: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        let (name, value) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
        let place = match name {
            "config" => &mut self.config,
            "dir" => &mut self.dir,
            _ => return Err(format!("--{name} is not known here")),
        };
        let value = value.or_else(|| words.next());
        *place = Some(value.ok_or_else(|| format!("--{name} needs a value"))?.into());
        Ok(())
    }
}

/// Words that mean nothing, or not enough.
pub fn usage(text: &str) -> Stop {
    Stop::Exit(USAGE, format!("{text}\n`pillarbox help sendmail` says more"))
}

#[cfg(test)]
mod tests {
    use super::{HeaderNames, SendmailWords, Stop, Work};
    use crate::mail::{Domain, TextEnd};
    use crate::service::Sender;

    fn read(words: &str) -> SendmailWords {
        SendmailWords::read(&words.split(' ').collect::<Vec<_>>()).unwrap()
    }

    fn addresses(read: &SendmailWords) -> String {
        let home = Domain::parse("h").unwrap();
        let whole = read.recipients.iter().map(|one| one.within(&home).unwrap().to_string());
        whole.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_as_programs_write_them() {
        for (words, to, sender, header, end) in [
            ("-t -i", "", None, HeaderNames::Recipients, TextEnd::Input),
            (
                "-oem -oi -f x@y -- a@b -c",
                "a@b -c@h",
                Some("x@y"),
                HeaderNames::Nobody,
                TextEnd::Input,
            ),
            ("-tifann@x bob", "bob@h", Some("ann@x"), HeaderNames::Recipients, TextEnd::Input),
            (
                "-i -v -B 8BITMIME -r ann root",
                "root@h",
                Some("ann@h"),
                HeaderNames::Nobody,
                TextEnd::Input,
            ),
            (
                "root -fann -bm -odb -OIgnoreDots=True",
                "root@h",
                Some("ann@h"),
                HeaderNames::Nobody,
                TextEnd::Input,
            ),
            ("-f <> a,b@c", "a@h b@c", Some("<>"), HeaderNames::Nobody, TextEnd::Dot),
            (
                "-oQ/x -O DeliveryMode=b -d0.1 -U -G -h 3 a",
                "a@h",
                None,
                HeaderNames::Nobody,
                TextEnd::Dot,
            ),
            ("--dir /d --config=/c -C /e a", "a@h", None, HeaderNames::Nobody, TextEnd::Dot),
        ] {
            let read = read(words);
            assert_eq!(
                (addresses(&read).as_str(), read.header, read.end),
                (to, header, end),
                "{words}"
            );
            let home = Domain::parse("h").unwrap();
            let found = match read.sender {
                Sender::Own => None,
                Sender::Nobody => Some("<>".to_owned()),
                Sender::Named(address) => Some(address.within(&home).unwrap().to_string()),
            };
            assert_eq!(found.as_deref(), sender, "{words}");
        }
        let all = read("-N delay,success -R hdrs -Vabc+ -F Ann --dir=/d a");
        assert_eq!(all.notify.text().unwrap(), "SUCCESS,DELAY");
        assert_eq!(all.ret.unwrap().name(), "HDRS");
        assert_eq!(all.envelope_id.unwrap().xtext(), "abc+2B");
        assert_eq!((all.full_name.as_deref(), all.dir), (Some("Ann"), Some("/d".into())));
        for queue in ["-q", "-q30m", "-v -q"] {
            assert_eq!(read(queue).work, Work::Queue);
        }
    }

    #[test]
    fn what_means_nothing_is_told() {
        for (words, said) in [
            ("-Z", "-Z is not known"),
            ("-f", "-f needs a value"),
            ("-fa,b", "one address"),
            ("-N sometimes", "-N: never"),
            ("-R some", "-R: full"),
            ("-bp", "queue list"),
            ("-bs", "-bs is not done"),
            ("--nonsense", "--nonsense is not known"),
            ("--dir", "--dir needs a value"),
            ("<>", "no address"),
        ] {
            let read = SendmailWords::read(&words.split(' ').collect::<Vec<_>>());
            let Err(Stop::Exit(64, text)) = read else { panic!("{words}") };
            assert!(text.contains(said), "{words}: {text}");
        }
    }
}
