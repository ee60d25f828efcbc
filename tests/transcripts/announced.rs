//! What a server announces is shown: for each word there is a text in which a client uses it.

use std::collections::BTreeSet;
use std::path::Path;

/// A word, and what lines of texts have that use it: each must stand in some line.
type Shown = (&'static str, &'static [&'static str]);

const SMTP: &[Shown] = &[
    ("PIPELINING", &["# RFC 2920: "]),
    ("8BITMIME", &["SIZE=40 BODY=8BITMIME"]),
    ("SMTPUTF8", &["C: MAIL FROM:<ü@c.example> SMTPUTF8"]),
    ("SIZE", &[" SIZE=1001", "S: 552 5.3.4"]),
    ("ENHANCEDSTATUSCODES", &["S: 250 2.1.0", "S: 250 2.0.0"]),
    ("DSN", &[" RET=HDRS ENVID=", " NOTIFY=", " ORCPT="]),
    ("FUTURERELEASE", &[" HOLDFOR=60 HOLDUNTIL=", " HOLDFOR=2592000"]),
    ("REQUIRETLS", &["<joe@else.example> REQUIRETLS"]),
    ("CHUNKING", &["C: BDAT "]),
    ("BINARYMIME", &[" BODY=BINARYMIME"]),
    ("LIMITS", &["S: 250-LIMITS RCPTMAX=3", "S: 452 4.5.3"]),
    ("XLOCAL", &["S: 250 XLOCAL ann@example.org"]),
    ("STARTTLS", &["C: STARTTLS"]),
    ("AUTH", &["C: AUTH PLAIN", "C: AUTH LOGIN", "C: AUTH SCRAM-SHA-256 "]),
];

const IMAP: &[Shown] = &[
    ("IMAP4rev1", &[" SELECT INBOX"]),
    ("IMAP4rev2", &[" ENABLE imap4rev2"]),
    ("LITERAL+", &[" APPEND Drafts {24+}"]),
    ("SASL-IR", &[" AUTHENTICATE PLAIN AGFubkBleGFtcGxlLm9yZwByaWdodA=="]),
    ("CHILDREN", &["* LIST (\\HasChildren"]),
    ("SPECIAL-USE", &[" LIST (SPECIAL-USE)", "\\Junk) \"/\""]),
    ("CONDSTORE", &["(CONDSTORE)", "(CHANGEDSINCE ", "(UNCHANGEDSINCE "]),
    ("QRESYNC", &["(QRESYNC (", "* VANISHED (EARLIER) ", "* VANISHED "]),
    ("STATUS=SIZE", &[" STATUS INBOX (MESSAGES DELETED SIZE)"]),
    ("OBJECTID", &[" (emailid threadid)", "[MAILBOXID ("]),
    ("SAVEDATE", &["(SAVEDATE)", " SEARCH SAVEDBEFORE "]),
    ("WITHIN", &[" SEARCH YOUNGER ", " SEARCH OLDER "]),
    ("ESEARCH", &[" SEARCH RETURN (MIN COUNT) "]),
    ("SEARCHRES", &[" SEARCH RETURN (SAVE) ", " FETCH $ "]),
    (
        "LIST-EXTENDED",
        &[" LIST (SUBSCRIBED", " RETURN (CHILDREN", "(\"CHILDINFO\" (\"SUBSCRIBED\"))"],
    ),
    ("LIST-STATUS", &[" RETURN (STATUS ("]),
    ("BINARY", &[" BINARY.PEEK[", " BINARY.SIZE[", " APPEND Drafts ~{71+}"]),
    ("PREVIEW", &[" FETCH 1 PREVIEW", " PREVIEW (LAZY)"]),
    ("QUOTA=RES-STORAGE", &["(STORAGE "]),
    ("QUOTA=RES-MESSAGE", &[" MESSAGE "]),
    ("UTF8=ACCEPT", &[" ENABLE UTF8=ACCEPT", " APPEND Drafts UTF8 (~{"]),
    ("ID", &[" ID (\"name\""]),
    ("CREATE-SPECIAL-USE", &[" CREATE Keep (USE (\\Archive))"]),
    ("MULTIAPPEND", &[" {15+}\\r\\nSubject: x\\r\\n\\r\\ny {15+}"]),
    ("NAMESPACE", &["* NAMESPACE (("]),
    ("IDLE", &[" IDLE", ": DONE"]),
    ("ENABLE", &[" ENABLE X-UNKNOWN"]),
    ("QUOTA", &[" GETQUOTA ", " GETQUOTAROOT "]),
    ("UNSELECT", &[" UNSELECT"]),
    ("MOVE", &[" MOVE ", " UID MOVE "]),
    ("UIDPLUS", &[" UID EXPUNGE ", "[APPENDUID ", "[COPYUID "]),
    ("APPENDLIMIT", &["NO [TOOBIG]", "STATUS INBOX (APPENDLIMIT)"]),
    ("COMPRESS=DEFLATE", &[" COMPRESS DEFLATE"]),
    ("STARTTLS", &[" STARTTLS"]),
    ("LOGINDISABLED", &["NO [PRIVACYREQUIRED]"]),
    ("AUTH=SCRAM-SHA-256-PLUS", &["AUTHENTICATE SCRAM-SHA-256-PLUS"]),
    ("AUTH=SCRAM-SHA-256", &["AUTHENTICATE SCRAM-SHA-256"]),
    ("AUTH=PLAIN", &[" AUTHENTICATE PLAIN"]),
    ("AUTH=LOGIN", &[" AUTHENTICATE LOGIN"]),
];

const POP3: &[Shown] = &[
    ("UTF8", &["C: UTF8"]),
    ("UIDL", &["C: UIDL"]),
    ("TOP", &["C: TOP"]),
    ("RESP-CODES", &["S: -ERR [SYS/"]),
    ("AUTH-RESP-CODE", &["S: -ERR [AUTH]"]),
    ("PIPELINING", &["# RFC 2449 §6.6: "]),
    ("EXPIRE", &["S: EXPIRE NEVER"]),
    ("STLS", &["C: STLS"]),
    ("USER", &["C: USER ann@example.org"]),
    ("SASL", &["C: AUTH PLAIN", "C: AUTH SCRAM-SHA-256 "]),
    ("IMPLEMENTATION", &["S: IMPLEMENTATION "]),
];

fn texts(protocol: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(protocol);
    let texts = std::fs::read_dir(folder).unwrap();
    texts.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

/// The texts have the lines as the server says them, so what `announced` finds in them is all that it announces.
fn check(protocol: &str, announced: fn(&str) -> BTreeSet<&str>, shown: &[Shown]) {
    let texts = texts(protocol);
    let known: BTreeSet<&str> = shown.iter().map(|(word, _)| *word).collect();
    assert_eq!(announced(&texts), known, "{protocol}: what is announced, and what this table has");
    for (word, marks) in shown {
        for mark in *marks {
            let found = texts.lines().any(|line| line.contains(mark));
            assert!(found, "no text of {protocol} shows {word}: {mark}");
        }
    }
}

fn first_word(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[test]
fn every_ehlo_word_has_a_text() {
    fn words(texts: &str) -> BTreeSet<&str> {
        let lines = texts.lines().filter(|line| line.starts_with('S'));
        let said = lines.filter_map(|line| line.get(3..)?.strip_prefix("250")?.get(1..));
        // Not a greeting's host, nor an enhanced status code or a text that is passed over.
        said.map(first_word).filter(|word| !word.contains('.')).collect()
    }
    check("smtp", words, SMTP);
}

#[test]
fn every_capability_has_a_text() {
    fn words(texts: &str) -> BTreeSet<&str> {
        let lines = texts.lines().filter(|line| line.starts_with("S: "));
        let said = lines.filter_map(|line| line.split_once("CAPABILITY IMAP4rev1 "));
        let said = said.flat_map(|(_, words)| words.split(']').next().unwrap_or(words).split(' '));
        let names =
            said.map(|word| word.strip_prefix("APPENDLIMIT=").map_or(word, |_| "APPENDLIMIT"));
        names.chain(["IMAP4rev1"]).collect()
    }
    check("imap", words, IMAP);
}

#[test]
fn every_line_of_capa_has_a_text() {
    fn words(texts: &str) -> BTreeSet<&str> {
        let answers = texts.split("C: CAPA\n").skip(1);
        let lines =
            answers.flat_map(|answer| answer.lines().skip(1).take_while(|line| *line != "S: ."));
        lines.filter_map(|line| line.strip_prefix("S: ")).map(first_word).collect()
    }
    check("pop3", words, POP3);
}
