//! Replies as a server would write them, or would better not.

use pillarbox::dns::{Found, Kind, Name, Question, Record, Zone};

pub const TC: u16 = 0x0200;
pub const AD: u16 = 0x0020;
pub const SERVFAIL: u16 = 2;
pub const NXDOMAIN: u16 = 3;
pub const REFUSED: u16 = 5;

/// A message in the making.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: u16,
    pub flags: u16,
    /// As it is written, its type and its class.
    pub question: Option<(String, u16, u16)>,
    pub sections: [Vec<Vec<u8>>; 3],
}

pub fn question(name: &str, kind: Kind) -> Question {
    Question { name: Name::parse(name).unwrap(), kind }
}

impl Message {
    /// A reply without records; recursion is available.
    pub fn reply(id: u16, question: &Question) -> Self {
        let asked = (question.name.as_str().to_owned(), question.kind.number(), 1);
        Self { id, flags: 0x8180, question: Some(asked), sections: [const { Vec::new() }; 3] }
    }

    /// The reply to a query that came in, with its question.
    pub fn to(query: &[u8]) -> (Self, Question) {
        let (mut at, mut labels) = (12, Vec::new());
        while query[at] != 0 {
            let end = at + 1 + usize::from(query[at]);
            labels.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
            at = end;
        }
        let number = u16::from_be_bytes([query[at + 1], query[at + 2]]);
        let kinds = ["A", "AAAA", "MX", "TXT", "PTR", "TLSA", "SRV", "CAA", "NS", "SOA"];
        let mut kinds = kinds.iter().map(|text| Kind::parse(text).unwrap());
        let kind = kinds.find(|kind| kind.number() == number).unwrap();
        let asked = question(&labels.join("."), kind);
        (Self::reply(u16::from_be_bytes([query[0], query[1]]), &asked), asked)
    }

    pub fn flags(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    /// `name ttl KIND data`; of a SOA: primary, serial, minimum.
    pub fn answer(self, text: &str) -> Self {
        self.raw(0, record(text))
    }

    pub fn authority(self, text: &str) -> Self {
        self.raw(1, record(text))
    }

    pub fn raw(mut self, section: usize, bytes: Vec<u8>) -> Self {
        self.sections[section].push(bytes);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.to_be_bytes().to_vec();
        let count = |section: &Vec<Vec<u8>>| u16::try_from(section.len()).unwrap();
        let [answer, authority, additional] = self.sections.each_ref().map(count);
        let questions = u16::from(self.question.is_some());
        for field in [self.flags, questions, answer, authority, additional] {
            bytes.extend(field.to_be_bytes());
        }
        if let Some((name, kind, class)) = &self.question {
            bytes.extend(wire_name(name));
            bytes.extend([kind.to_be_bytes(), class.to_be_bytes()].concat());
        }
        bytes.extend(self.sections.iter().flatten().flatten());
        bytes
    }
}

/// With no regard for what a name may have in it.
pub fn wire_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

/// A record of any type and class, its length as it is.
pub fn raw_record(name: &[u8], kind: u16, class: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend([kind.to_be_bytes(), class.to_be_bytes()].concat());
    bytes.extend(ttl.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

fn record(text: &str) -> Vec<u8> {
    let mut words = text.splitn(4, ' ');
    let mut next = || words.next().unwrap();
    let (name, ttl, kind, data) = (next(), next().parse().unwrap(), next(), next());
    let words: Vec<&str> = data.split(' ').collect();
    let (number, data) = match (kind, words.as_slice()) {
        ("CNAME", [target]) => (5, wire_name(target)),
        ("SOA", [primary, serial, minimum]) => {
            let numbers = [serial, "1", "2", "3", minimum].map(|n| n.parse::<u32>().unwrap());
            let numbers = numbers.map(u32::to_be_bytes).concat();
            (6, [wire_name(primary), vec![0], numbers].concat())
        }
        ("NS", [host]) => (2, wire_name(host)),
        ("PTR", [host]) => (12, wire_name(host)),
        ("MX", [preference, host]) => {
            let preference = preference.parse::<u16>().unwrap();
            (15, [preference.to_be_bytes().to_vec(), wire_name(host)].concat())
        }
        _ => {
            let zone = Zone::parse(&format!("x {kind} {data}")).unwrap();
            let kind = Kind::parse(kind).unwrap();
            let Found::Records(records, _) = zone.answer(&question("x", kind)).found else {
                panic!("{text}")
            };
            (kind.number(), record_data(&records[0]))
        }
    };
    raw_record(&wire_name(name), number, 1, ttl, &data)
}

fn record_data(record: &Record) -> Vec<u8> {
    match record {
        Record::A(address) => address.octets().to_vec(),
        Record::Aaaa(address) => address.octets().to_vec(),
        Record::Txt(text) => {
            let piece = |piece: &[u8]| [&[u8::try_from(piece.len()).unwrap()], piece].concat();
            text.chunks(255).flat_map(piece).collect()
        }
        Record::Tlsa(tlsa) => {
            [&[tlsa.usage, tlsa.selector, tlsa.matching], tlsa.data.as_slice()].concat()
        }
        Record::Srv(srv) => {
            let numbers = [srv.priority, srv.weight, srv.port].map(u16::to_be_bytes).concat();
            [numbers, wire_name(srv.target.as_str())].concat()
        }
        Record::Caa(flags, tag, value) => {
            [&[*flags, u8::try_from(tag.len()).unwrap()], tag.as_bytes(), value].concat()
        }
        Record::Mx(_) | Record::Ptr(_) | Record::Ns(_) | Record::Soa(..) => {
            panic!("{record} is written elsewhere")
        }
    }
}
