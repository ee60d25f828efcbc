//! Lists of addresses in header fields (RFC 5322 §3.4 with the obsolete forms of §4.4), read from raw bytes the way
//! IMAP shows them in an ENVELOPE. A bad address costs itself, never the list. The sender of a message controls the
//! input.

use super::text::Text;
use super::token::{dotted_words, is_atext, quoted_string, take_cfws};
use crate::base::Cursor;

/// Entries of one list; what follows is left out.
const ENTRIES_MAX: usize = 1000;

/// One entry of an address list, as IMAP counts them (RFC 3501 §7.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A mailbox.
    Mailbox {
        /// The display name, else the comment beside the address; quotes and folds are gone, encoded words are not.
        name: Option<Text>,
        /// The source route, `@a,@b`.
        adl: Option<Text>,
        /// The local part; empty where the list has none.
        mailbox: Text,
        /// The domain; empty where the list has none.
        host: Text,
    },
    /// `name:`, the beginning of a group.
    GroupStart(Text),
    /// `;`, the end of a group.
    GroupEnd,
}

impl Entry {
    /// The four strings of IMAP's address: name, adl, mailbox, host.
    pub fn nstrings(&self) -> [Option<&[u8]>; 4] {
        match self {
            Self::Mailbox { name, adl, mailbox, host } => {
                [name.as_deref(), adl.as_deref(), Some(mailbox.as_bytes()), Some(host.as_bytes())]
            }
            Self::GroupStart(name) => [None, None, Some(name.as_bytes()), None],
            Self::GroupEnd => [None; 4],
        }
    }
}

/// Reads the raw value of an address field, folds included.
pub fn parse_address_list(value: &[u8]) -> Vec<Entry> {
    let mut list = List {
        cursor: Cursor::new(value),
        comment: Vec::new(),
        entries: Vec::new(),
        group: Group::Outside,
    };
    list.read();
    list.entries
}

#[derive(PartialEq, Eq)]
enum Group {
    Outside,
    Inside,
}

struct List<'a> {
    cursor: Cursor<'a>,
    comment: Vec<u8>,
    entries: Vec<Entry>,
    group: Group,
}

#[derive(Default)]
struct Mailbox {
    name: Vec<u8>,
    adl: Vec<u8>,
    local: Vec<u8>,
    domain: Vec<u8>,
}

impl List<'_> {
    fn read(&mut self) {
        loop {
            self.cfws();
            match self.cursor.peek() {
                None => break,
                Some(b',') => {
                    self.cursor.bump();
                }
                Some(b';') => {
                    self.cursor.bump();
                    self.end_group();
                }
                Some(_) if self.entries.len() >= ENTRIES_MAX => break,
                Some(_) => self.address(),
            }
        }
        self.end_group();
    }

    fn end_group(&mut self) {
        if self.group == Group::Inside {
            self.group = Group::Outside;
            self.entries.push(Entry::GroupEnd);
        }
    }

    fn cfws(&mut self) {
        take_cfws(&mut self.cursor, &mut self.comment);
    }

    /// A mailbox or the start of a group; takes at least one byte.
    fn address(&mut self) {
        self.comment.clear();
        let start = self.cursor;
        let mut mailbox = Mailbox { name: self.phrase(), ..Mailbox::default() };
        match self.cursor.peek() {
            Some(b':') if self.group == Group::Outside => {
                self.cursor.bump();
                self.group = Group::Inside;
                self.entries.push(Entry::GroupStart(mailbox.name.into()));
                return;
            }
            Some(b'<') => {
                self.cursor.bump();
                self.angle_addr(&mut mailbox);
            }
            _ => {
                self.comment.clear();
                self.cursor = start;
                let phrase = std::mem::take(&mut mailbox.name);
                self.addr_spec(&mut mailbox);
                mailbox.name = std::mem::take(&mut self.comment);
                self.skip_rest();
                if self.cursor.peek() == Some(b'<') {
                    // Quirk: names with `@`, brackets and the like in them, without quotes.
                    let taken = start.rest().len() - self.cursor.rest().len();
                    let name = start.rest().get(..taken).unwrap_or_default().trim_ascii().to_vec();
                    let mut angled = Mailbox { name, ..Mailbox::default() };
                    self.cursor.bump();
                    self.angle_addr(&mut angled);
                    if !angled.domain.is_empty() {
                        mailbox = angled;
                    }
                } else if mailbox.domain.is_empty()
                    && (phrase.contains(&b' ') || start.peek() == Some(b'"'))
                {
                    // A name without an address.
                    (mailbox.name, mailbox.local) = (phrase, Vec::new());
                }
            }
        }
        self.skip_rest();
        while self.cursor.eat(b'<') {
            self.skip_rest();
        }
        let some = |bytes: Vec<u8>| (!bytes.is_empty()).then(|| Text::from(bytes));
        self.entries.push(Entry::Mailbox {
            name: some(mailbox.name),
            adl: some(mailbox.adl),
            mailbox: mailbox.local.into(),
            host: mailbox.domain.into(),
        });
    }

    /// Words and dots, one space between words.
    fn phrase(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        loop {
            match self.cursor.peek() {
                Some(b'"') => {
                    if !name.is_empty() {
                        name.push(b' ');
                    }
                    quoted_string(&mut self.cursor, &mut name);
                }
                Some(byte) if is_atext(byte) || byte == b'.' => {
                    if !name.is_empty() {
                        name.push(b' ');
                    }
                    name.extend_from_slice(self.cursor.take_while(|b| is_atext(b) || b == b'.'));
                }
                _ => return name,
            }
            self.cfws();
        }
    }

    /// `[@a,@b:] local@domain >`, after the `<`.
    fn angle_addr(&mut self, mailbox: &mut Mailbox) {
        self.cfws();
        if self.cursor.peek() == Some(b'@') {
            self.route(&mut mailbox.adl);
        }
        self.addr_spec(mailbox);
        self.cursor.eat(b'>');
        self.cfws();
    }

    fn route(&mut self, adl: &mut Vec<u8>) {
        while self.cursor.eat(b'@') {
            if !adl.is_empty() {
                adl.push(b',');
            }
            adl.push(b'@');
            self.domain(adl);
            while self.cursor.eat(b',') {
                self.cfws();
            }
        }
        self.cursor.eat(b':');
        self.cfws();
    }

    fn addr_spec(&mut self, mailbox: &mut Mailbox) {
        dotted_words(&mut self.cursor, &mut self.comment, &mut mailbox.local);
        if self.cursor.eat(b'@') {
            self.domain(&mut mailbox.domain);
        }
    }

    fn domain(&mut self, into: &mut Vec<u8>) {
        self.cfws();
        if self.cursor.peek() == Some(b'[') {
            into.extend(
                self.cursor
                    .take_while(|b| b != b']' && b != b'>')
                    .iter()
                    .filter(|b| !b.is_ascii_whitespace()),
            );
            if self.cursor.eat(b']') {
                into.push(b']');
            }
            self.cfws();
        } else {
            dotted_words(&mut self.cursor, &mut self.comment, into);
        }
    }

    /// Goes to the next comma or `<`, or to the end of the group.
    fn skip_rest(&mut self) {
        let mut dropped = Vec::new();
        loop {
            self.cfws();
            match self.cursor.peek() {
                None | Some(b',' | b'<') => return,
                Some(b';') if self.group == Group::Inside => return,
                Some(b'"') => quoted_string(&mut self.cursor, &mut dropped),
                Some(_) => {
                    self.cursor.bump();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_address_list;

    /// A list as one line: `name <adl:mailbox|host>`, `name:` and `;` for groups.
    fn shown(value: &str) -> String {
        let text = |bytes: Option<&[u8]>| {
            bytes.map_or_else(|| "-".into(), |b| String::from_utf8_lossy(b).into_owned())
        };
        let entries: Vec<String> = parse_address_list(value.as_bytes())
            .iter()
            .map(|entry| entry.nstrings().map(text).join("|"))
            .collect();
        entries.join(" ")
    }

    #[test]
    fn examples_of_rfc_5322() {
        for (value, expected) in [
            // Appendix A.1.2 and A.1.3
            (
                "\"Joe Q. Public\" <john.q.public@example.com>",
                "Joe Q. Public|-|john.q.public|example.com",
            ),
            (
                "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
                "Mary Smith|-|mary|x.test -|-|jdoe|example.org Who?|-|one|y.test",
            ),
            (
                "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
                "-|-|boss|nil.test Giant; \"Big\" Box|-|sysservices|example.net",
            ),
            (
                "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
                "-|-|A Group|- Ed Jones|-|c|a.test -|-|joe|where.test John|-|jdoe|one.test -|-|-|-",
            ),
            ("Undisclosed recipients:;", "-|-|Undisclosed recipients|- -|-|-|-"),
            // Appendix A.5
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                "Pete|-|pete|silly.test",
            ),
            (
                "A Group(Some people)\r\n :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end of the group)",
                "-|-|A Group|- Chris Jones|-|c|public.example -|-|joe|example.org John|-|jdoe|one.test -|-|-|-",
            ),
            (
                "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
                "-|-|Hidden recipients|- -|-|-|-",
            ),
            // Appendix A.6.1 and A.6.3
            (
                "Joe Q. Public <john.q.public@example.com>",
                "Joe Q. Public|-|john.q.public|example.com",
            ),
            (
                "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
                "Mary Smith|@node.test|mary|example.net -|-|jdoe|test.example",
            ),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn a_bad_address_costs_itself_only() {
        for (value, expected) in [
            ("list: a@b, c@d;, e@f", "-|-|list|- -|-|a|b -|-|c|d -|-|-|- -|-|e|f"),
            ("a@b <<>> , c@d", "-|-|a|b -|-|c|d"),
            ("<>, c@d", "-|-|| -|-|c|d"),
            ("root", "-|-|root|"),
            ("root (Charlie Root)", "Charlie Root|-|root|"),
            ("jdoe@test (John)", "John|-|jdoe|test"),
            ("x: y: z@a;, b@c", "-|-|x|- -|-|y| -|-|-|- -|-|b|c"),
            ("Foo [bar] @ baz <c@d>, e@f", "Foo [bar] @ baz|-|c|d -|-|e|f"),
            ("a@b <c@d>, e@f", "a@b|-|c|d -|-|e|f"),
            ("Mary Smith", "Mary Smith|-||"),
            ("<@a,@b:c@d>", "-|@a,@b|c|d"),
            ("a@[192.0.2.1], \"un closed <b@c>", "-|-|a|[192.0.2.1] un closed <b@c>|-||"),
            ("\"a b\"@c", "-|-|a b|c"),
            (";;,,", ""),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn a_list_has_a_limit() {
        assert_eq!(parse_address_list(&b"a@b,".repeat(5000)).len(), super::ENTRIES_MAX);
        assert_eq!(parse_address_list(&b"(".repeat(100_000)).len(), 0);
    }
}
