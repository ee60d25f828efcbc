//! A record that ought to be there, and how it is written (RFC 1035 §5.1).

use crate::dns::{Kind, Name, Record};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Without it mail is lost or taken for junk.
    Must,
    /// It makes mail safer or programs easier to set up.
    Good,
    /// For those who want everything.
    Expert,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "must",
            Self::Good => "good",
            Self::Expert => "expert",
        })
    }
}

/// A record that ought to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How much it matters.
    pub tier: Tier,
    /// Where it stands.
    pub name: Name,
    /// Of which kind it is.
    pub kind: Kind,
    /// What it says; `None` for an address that is not known.
    pub record: Option<Record>,
    /// What it is for, a sentence or two.
    pub about: String,
}

impl Wanted {
    /// The kind as zone files name it.
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Mx => "MX",
            Kind::Txt => "TXT",
            Kind::Ptr => "PTR",
            Kind::Tlsa => "TLSA",
            Kind::Srv => "SRV",
            Kind::Caa => "CAA",
            Kind::Ns => "NS",
            Kind::Soa => "SOA",
        }
    }

    /// The text of a TXT record, whole.
    pub fn text(&self) -> Option<String> {
        match &self.record {
            Some(Record::Txt(text)) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// What it says, as a zone file has it. `None` where that is not known.
    pub fn data(&self) -> Option<String> {
        self.record.as_ref().map(data)
    }
}

/// RFC 1035 §3.3: bytes of one string.
const STRING_LEN_MAX: usize = 255;

fn data(record: &Record) -> String {
    match record {
        Record::A(address) => address.to_string(),
        Record::Aaaa(address) => address.to_string(),
        Record::Mx(mx) => format!("{} {}", mx.preference, full(&mx.exchange)),
        Record::Txt(text) => {
            let strings: Vec<String> = text.chunks(STRING_LEN_MAX).map(quoted).collect();
            if strings.is_empty() { quoted(b"") } else { strings.join(" ") }
        }
        Record::Ptr(name) | Record::Ns(name) => full(name),
        Record::Tlsa(tlsa) => {
            let hex: String = tlsa.data.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} {} {} {hex}", tlsa.usage, tlsa.selector, tlsa.matching)
        }
        Record::Srv(srv) => {
            format!("{} {} {} {}", srv.priority, srv.weight, srv.port, full(&srv.target))
        }
        Record::Caa(flags, tag, value) => format!("{flags} {tag} {}", quoted(value)),
        Record::Soa(name, serial) => format!("{} . {serial} 0 0 0 0", full(name)),
    }
}

/// With the dot that says that nothing follows.
fn full(name: &Name) -> String {
    if name.is_root() { name.to_string() } else { format!("{name}.") }
}

fn quoted(bytes: &[u8]) -> String {
    let mut text = "\"".to_owned();
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::{Name, Record, data};
    use crate::dns::{Mx, Srv, Tlsa};

    #[test]
    fn records_as_zone_files_have_them() {
        let name = |text| Name::parse(text).unwrap();
        for (record, text) in [
            (Record::A([192, 0, 2, 1].into()), "192.0.2.1"),
            (Record::Aaaa("2001:db8::1".parse().unwrap()), "2001:db8::1"),
            (Record::Mx(Mx { preference: 10, exchange: name("m.example") }), "10 m.example."),
            (Record::Txt(Vec::new()), "\"\""),
            (Record::Txt(b"a \"b\\\xff".to_vec()), "\"a \\\"b\\\\\\255\""),
            (Record::Caa(0, "issue".to_owned(), b"ca.example".to_vec()), "0 issue \"ca.example\""),
            (Record::Srv(Srv { priority: 0, weight: 0, port: 0, target: name(".") }), "0 0 0 ."),
            (
                Record::Tlsa(Tlsa { usage: 3, selector: 1, matching: 1, data: vec![1, 255] }),
                "3 1 1 01ff",
            ),
            (Record::Ns(name("ns.example")), "ns.example."),
        ] {
            assert_eq!(data(&record), text);
        }
        let long = data(&Record::Txt(vec![b'x'; 300]));
        assert_eq!(long, format!("\"{}\" \"{}\"", "x".repeat(255), "x".repeat(45)));
    }
}
