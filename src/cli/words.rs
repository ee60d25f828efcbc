//! The table of commands: help is read off it, and the way to each goes over it.

use super::alias_add::AliasAdd;
use super::alias_list::AliasList;
use super::alias_rm::AliasRemove;
use super::attempt::TryWords;
use super::command::{Command, Stop};
use super::device_add::DeviceAdd;
use super::device_list::DeviceList;
use super::device_revoke::DeviceRevoke;
use super::dkim_list::DkimList;
use super::dkim_rotate::DkimRotate;
use super::dns_zone::DnsZone;
use super::domain_add::DomainAdd;
use super::domain_list::DomainList;
use super::domain_rm::DomainRemove;
use super::export::ExportWords;
use super::import_maildir::ImportMaildir;
use super::import_mbox::ImportMbox;
use super::queue_drop::QueueDrop;
use super::queue_hold::QueueHold;
use super::queue_list::QueueList;
use super::queue_retry::QueueRetry;
use super::queue_show::QueueShow;
use super::sendmail;
use super::serve::ServeWords;
use super::show;
use super::status::StatusWords;
use super::user_add::UserAdd;
use super::user_list::UserList;
use super::user_rm::UserRemove;
use super::user_set::UserSet;
use super::version::VersionWords;
use std::path::Path;
use std::process::ExitCode;

/// A command: the words that name it, what it is for, and what parses the rest and runs it.
struct Row {
    name: &'static str,
    about: &'static str,
    run: fn(&[&str], &[&str]) -> Result<(), Stop>,
}

const fn row<C: Command>() -> Row {
    Row { name: C::COMMAND.name, about: C::COMMAND.description, run: run::<C> }
}

const COMMANDS: [Row; 29] = [
    row::<TryWords>(),
    row::<ServeWords>(),
    row::<StatusWords>(),
    Row { name: sendmail::NAME, about: sendmail::ABOUT, run: |_, rest| sendmail::sendmail(rest) },
    row::<UserAdd>(),
    row::<UserList>(),
    row::<UserRemove>(),
    row::<UserSet>(),
    row::<AliasAdd>(),
    row::<AliasList>(),
    row::<AliasRemove>(),
    row::<DomainAdd>(),
    row::<DomainList>(),
    row::<DomainRemove>(),
    row::<DnsZone>(),
    row::<DkimList>(),
    row::<DkimRotate>(),
    row::<DeviceAdd>(),
    row::<DeviceList>(),
    row::<DeviceRevoke>(),
    row::<QueueList>(),
    row::<QueueShow>(),
    row::<QueueRetry>(),
    row::<QueueHold>(),
    row::<QueueDrop>(),
    row::<ImportMaildir>(),
    row::<ImportMbox>(),
    row::<ExportWords>(),
    row::<VersionWords>(),
];

fn run<C: Command>(name: &[&str], rest: &[&str]) -> Result<(), Stop> {
    match C::from_args(name, rest) {
        Ok(command) => command.run(),
        Err(exit) if exit.status.is_ok() => Err(Stop::Help(exit.output)),
        Err(exit) => {
            let hint = format!("`{} --help` says more", name.join(" "));
            Err(Stop::Usage(format!("{}\n{hint}", exit.output.trim_end())))
        }
    }
}

/// Reads argv and does what it says.
pub fn main() -> ExitCode {
    let logger = simple_logger::SimpleLogger::new().with_level(log::LevelFilter::Info);
    if let Err(error) = logger.init() {
        show::talk(&format!("pillarbox: no log: {error}"));
    }
    let mut args = std::env::args_os();
    let called = args.next().is_some_and(|name| is_sendmail(Path::new(&name)));
    let name = called.then(|| sendmail::NAME.to_owned());
    let words: Result<Vec<String>, _> =
        name.into_iter().map(Ok).chain(args.map(std::ffi::OsString::into_string)).collect();
    let done = match &words {
        Ok(words) => obey(&words.iter().map(String::as_str).collect::<Vec<_>>()),
        Err(word) => Err(Stop::Usage(format!("{} is not UTF-8", word.to_string_lossy()))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => say(stop),
    }
}

/// A symbolic link makes it sendmail.
fn is_sendmail(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name == sendmail::NAME)
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// EX_TEMPFAIL of sysexits.h.
const UNREACHABLE: u8 = 75;

/// Says it where it belongs, and gives the exit code.
fn say(stop: Stop) -> ExitCode {
    let (text, code) = match stop {
        Stop::Help(text) => {
            show::data(&text);
            return ExitCode::SUCCESS;
        }
        Stop::Usage(text) => (text, USAGE),
        Stop::Unreachable(text) => (text, UNREACHABLE),
        Stop::Failed(text) => (text, FAILED),
        Stop::Exit(code, text) => (text, code),
    };
    show::talk(&format!("pillarbox: {}", text.trim_end()));
    ExitCode::from(code)
}

fn obey(words: &[&str]) -> Result<(), Stop> {
    if let ["help" | "--help" | "-h", rest @ ..] = words {
        return match (rest, find(rest)) {
            ([], _) => Err(Stop::Help(help(&[]))),
            (_, Some((row, _))) => (row.run)(&["pillarbox", row.name], &["--help"]),
            (_, None) if begun(rest).next().is_some() => Err(Stop::Help(help(rest))),
            (_, None) => Err(unknown(rest)),
        };
    }
    match (words, find(words)) {
        ([], _) => Err(Stop::Usage(format!("say what to do\n\n{}", help(&[])))),
        (["--version" | "-V"], _) => run::<VersionWords>(&["pillarbox", "version"], &[]),
        (_, Some((row, rest))) => (row.run)(&["pillarbox", row.name], rest),
        ([group, "--help" | "-h"], None) if begun(&[group]).next().is_some() => {
            Err(Stop::Help(help(&[group])))
        }
        (_, None) => Err(unknown(words)),
    }
}

/// The command that these words begin with, and the words after it.
fn find<'w, 'a>(words: &'w [&'a str]) -> Option<(&'static Row, &'w [&'a str])> {
    COMMANDS.iter().find_map(|row| {
        let len = row.name.split(' ').count();
        let (name, rest) = words.split_at_checked(len)?;
        row.name.split(' ').eq(name.iter().copied()).then_some((row, rest))
    })
}

/// The commands whose names begin with the first of these words.
fn begun<'a>(words: &'a [&'a str]) -> impl Iterator<Item = &'static Row> + 'a {
    let first = words.first().copied();
    COMMANDS.iter().filter(move |row| first.is_none() || row.name.split(' ').next() == first)
}

fn unknown(words: &[&str]) -> Stop {
    let said = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    let near = if begun(words).next().is_some() { words } else { &[] };
    Stop::Usage(format!("`{said}` is no command\n\n{}", help(near)))
}

/// The table, or the part of it whose names begin with the first word.
fn help(words: &[&str]) -> String {
    let mut text = match words.first() {
        None => "Pillarbox, a mail server for a home.\n\nCommands:\n".to_owned(),
        Some(first) => format!("Commands of `pillarbox {first}`:\n"),
    };
    for row in begun(words) {
        text.push_str(&format!("  {:<15} {}\n", row.name, row.about));
    }
    text.push_str(
        "\n`pillarbox help COMMAND` says more. Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 failed, 2 wrong \
         words, 75 no server answers. `sendmail` has its own.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, Stop, find, help, obey};

    #[test]
    fn the_table_leads_to_every_command_and_its_help() {
        let all = help(&[]);
        for row in &COMMANDS {
            assert!(all.contains(row.name) && row.about.ends_with('.'), "{}", row.name);
            let mut words: Vec<&str> = row.name.split(' ').collect();
            words.push("x");
            let (found, rest) = find(&words).unwrap();
            assert_eq!((found.name, rest), (row.name, &["x"][..]));
            words.insert(0, "help");
            words.pop();
            let Err(Stop::Help(text)) = obey(&words) else { panic!("{}", row.name) };
            assert!(text.contains(&format!("Usage: pillarbox {}", row.name)), "{text}");
        }
    }

    #[test]
    fn wrong_words_are_told_so() {
        for (words, said) in [
            (&[][..], "say what to do"),
            (&["usr"], "`usr` is no command"),
            (&["user", "ad"], "`user ad` is no command"),
            (&["user"], "user list"),
            (&["help", "nothing"], "`nothing` is no command"),
            (&["user", "add"], "address"),
            (&["user", "add", "a@b", "c"], "c"),
            (&["device", "revoke", "a@b", "one"], "one"),
            (&["status", "--nonsense"], "--nonsense"),
            (&["status", "--config", "/c", "--dir", "/d"], "give one"),
        ] {
            let Err(Stop::Usage(text)) = obey(words) else { panic!("{words:?}") };
            assert!(text.contains(said), "{words:?}: {text}");
        }
        let Err(Stop::Help(text)) = obey(&["device", "--help"]) else { panic!() };
        assert!(text.contains("device add") && !text.contains("user add"));
    }
}
