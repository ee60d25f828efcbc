//! Reads what a server answered to one question (RFC 1035 §4, RFC 2308). Whoever controls a zone, a server or the way to
//! it controls every byte; whatever they are, the reading comes to an end.

use super::answers::{ALIASES_MAX, Failure, Found, Question};
use super::name::Name;
use super::record::{Kind, Mx, Record, Srv, Tlsa};
use domain::base::iana::{Class, Opcode, OptRcode, Rcode};
use domain::base::name::ParsedName;
use domain::base::wire::ParseError;
use domain::base::{Message, ParseRecordData, ParsedRecord, Rtype, Ttl, UnknownRecordData};
use domain::rdata;
use std::time::Duration;

/// What a message is to the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No reply to this question: late, another's or forged. Waiting goes on.
    Stray,
    /// It did not fit (TC): to be asked over TCP.
    Truncated,
    /// The server does not know the extensions of RFC 6891 (FORMERR, NOTIMP): to be asked without.
    NoEdns,
    /// This server does not tell; another may.
    Failed(Failure),
    /// This is what the server says.
    Told(Told),
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The answer, or the way to it.
    pub outcome: Outcome,
    /// For so long it holds: the least on the way to it.
    pub ttl: Duration,
    /// The AD bit: the server says that it has checked the signatures.
    pub authentic: bool,
}

/// The answer, or the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer.
    Found(Found),
    /// The name is an alias (CNAME) for this one, of which the reply says nothing: it must be asked for itself.
    Alias(Name),
}

/// More records than this in an answer are nobody's zone, but someone's wish that we look through them.
const RECORDS_MAX: u16 = 1000;
/// A "no" without a SOA record does not say for how long it holds; RFC 2308 §5 would not keep it at all.
const UNTOLD_TTL: Duration = Duration::from_secs(5);
/// RFC 2181 §8.
const TTL_MAX: u32 = 0x7fff_ffff;

type Records<'a> = Vec<ParsedRecord<'a, [u8]>>;
type WireName<'a> = ParsedName<&'a [u8]>;

/// Reads a message that came as the reply to the question with this id.
pub fn read_reply(bytes: &[u8], id: u16, question: &Question) -> Reply {
    let Ok(message) = Message::from_slice(bytes) else { return Reply::Stray };
    let header = message.header();
    if header.id() != id || !header.qr() || header.opcode() != Opcode::QUERY {
        return Reply::Stray;
    }
    let mut questions = message.question();
    let asked = match (message.header_counts().qdcount(), questions.next()) {
        (1, Some(Ok(asked))) => asked,
        // Who could not read a question does not repeat it. A reply like this can say nothing but that.
        (0, None) if ![Rcode::NOERROR, Rcode::NXDOMAIN].contains(&header.rcode()) => {
            return refusal(header.rcode().into());
        }
        _ => return Reply::Stray,
    };
    let same = asked.qclass() == Class::IN
        && asked.qtype().to_int() == question.kind.number()
        && name(asked.qname()).as_ref() == Some(&question.name);
    match same {
        false => Reply::Stray,
        true if header.tc() => Reply::Truncated,
        true => {
            read(message, *asked.qname(), question).unwrap_or(Reply::Failed(Failure::Malformed))
        }
    }
}

fn read<'a>(
    message: &'a Message<[u8]>,
    asked: WireName<'a>,
    question: &Question,
) -> Result<Reply, ParseError> {
    if message.header_counts().ancount() > RECORDS_MAX {
        return Ok(Reply::Failed(Failure::Malformed));
    }
    let in_class = |record: &ParsedRecord<'_, [u8]>| record.class() == Class::IN;
    let mut answers: Records<'a> = message.answer()?.collect::<Result<_, _>>()?;
    answers.retain(in_class);
    let mut authority: Records<'a> = message.authority()?.collect::<Result<_, _>>()?;
    authority.retain(in_class);
    // Nothing is wanted from this section but that it is whole.
    message.additional()?.try_for_each(|record| record.map(drop))?;
    let no = match message.opt_rcode() {
        OptRcode::NOERROR => Found::NoData,
        OptRcode::NXDOMAIN => Found::NoName,
        other => return Ok(refusal(other)),
    };
    let Some(end) = follow(&answers, asked, question)? else {
        return Ok(Reply::Failed(Failure::Malformed));
    };
    let heard = if no == Found::NoData && !end.records.is_empty() {
        records(end, question.kind)?
    } else {
        nothing(end, no, &authority)?
    };
    let authentic = message.header().ad();
    Ok(match heard {
        Ok((outcome, ttl)) => Reply::Told(Told { outcome, ttl, authentic }),
        Err(failure) => Reply::Failed(failure),
    })
}

type Heard = Result<(Outcome, Duration), Failure>;

fn records(end: End<'_, '_>, kind: Kind) -> Result<Heard, ParseError> {
    let mut records = Vec::new();
    for record in &end.records {
        records.extend(data(record, kind)?);
    }
    Ok(match records.is_empty() {
        // They are there, and of no use: that is another thing than none (RFC 5321 §5.1).
        true => Err(Failure::Malformed),
        false => Ok((Outcome::Found(Found::Records(records, end.name)), end.ttl)),
    })
}

/// RFC 2308 §2: the records beside a "no" tell for how long it holds, and whether it is one.
fn nothing(end: End<'_, '_>, no: Found, authority: &Records<'_>) -> Result<Heard, ParseError> {
    if let Some(soa) = authority.iter().find(|record| record.rtype() == Rtype::SOA) {
        return Ok(Ok((Outcome::Found(no), end.ttl.min(negative_ttl(soa)?))));
    }
    let refers = authority.iter().any(|record| record.rtype() == Rtype::NS);
    Ok(match (end.way, no) {
        // §2.2: sent on to other servers by one that does not look up for us.
        (Way::Straight, Found::NoData) if refers => Err(Failure::Refused),
        (Way::Alias(Some(target)), Found::NoData) => Ok((Outcome::Alias(target), end.ttl)),
        // It cannot be asked for.
        (Way::Alias(None), Found::NoData) => Err(Failure::Malformed),
        (Way::Straight | Way::Alias(_), no) => Ok((Outcome::Found(no), end.ttl.min(UNTOLD_TTL))),
    })
}

/// Where the aliases in a reply lead.
struct End<'a, 'r> {
    way: Way,
    /// The last name on the way that can be a `Name`: those of RFC 2317, `0/25.2.0.192.in-addr.arpa`, cannot.
    name: Name,
    /// The records there of the kind that was asked for.
    records: Vec<&'r ParsedRecord<'a, [u8]>>,
    ttl: Duration,
}

enum Way {
    Straight,
    /// The name at its end, if it is a `Name`.
    Alias(Option<Name>),
}

/// `None` if it is a circle, or as good as one.
fn follow<'a, 'r>(
    answers: &'r Records<'a>,
    asked: WireName<'a>,
    question: &Question,
) -> Result<Option<End<'a, 'r>>, ParseError> {
    let mut at = asked;
    let mut seconds = TTL_MAX;
    let mut end = End {
        way: Way::Straight,
        name: question.name.clone(),
        records: Vec::new(),
        ttl: Duration::ZERO,
    };
    for _ in 0..=ALIASES_MAX {
        let here = || answers.iter().filter(|record| record.owner() == at);
        let of_kind =
            |record: &&ParsedRecord<'_, [u8]>| record.rtype().to_int() == question.kind.number();
        end.records = here().filter(of_kind).collect();
        let alias = here().find(|record| record.rtype() == Rtype::CNAME);
        match alias {
            Some(alias) if end.records.is_empty() => {
                seconds = seconds.min(ttl(alias.ttl()));
                let Some(cname) = read_data::<rdata::Cname<WireName<'_>>>(alias)? else {
                    return Ok(None);
                };
                at = *cname.cname();
                let name = name(&at);
                if let Some(name) = &name {
                    end.name.clone_from(name);
                }
                end.way = Way::Alias(name);
            }
            Some(_) | None => {
                let records = end.records.iter().map(|record| ttl(record.ttl()));
                end.ttl = Duration::from_secs(records.fold(seconds, u32::min).into());
                return Ok(Some(end));
            }
        }
    }
    Ok(None)
}

fn refusal(rcode: OptRcode) -> Reply {
    match rcode {
        OptRcode::SERVFAIL => Reply::Failed(Failure::Servfail),
        OptRcode::FORMERR | OptRcode::NOTIMP => Reply::NoEdns,
        _ => Reply::Failed(Failure::Refused),
    }
}

/// RFC 2181 §8: what looks negative is none.
fn ttl(ttl: Ttl) -> u32 {
    Some(ttl.as_secs()).filter(|seconds| *seconds <= TTL_MAX).unwrap_or(0)
}

/// RFC 2308 §5.
fn negative_ttl(record: &ParsedRecord<'_, [u8]>) -> Result<Duration, ParseError> {
    let minimum =
        read_data::<rdata::Soa<WireName<'_>>>(record)?.map_or(0, |soa| ttl(soa.minimum()));
    Ok(Duration::from_secs(ttl(record.ttl()).min(minimum).into()))
}

/// `None` if it is of another type.
fn read_data<'a, D>(record: &ParsedRecord<'a, [u8]>) -> Result<Option<D>, ParseError>
where
    D: ParseRecordData<'a, [u8]>,
{
    Ok(record.to_record::<D>()?.map(domain::base::Record::into_data))
}

/// What we keep of a record; `None` if a name in it is none that a host, zone or mail record has.
fn data(record: &ParsedRecord<'_, [u8]>, kind: Kind) -> Result<Option<Record>, ParseError> {
    Ok(match kind {
        Kind::A => read_data::<rdata::A>(record)?.map(|a| Record::A(a.addr())),
        Kind::Aaaa => read_data::<rdata::Aaaa>(record)?.map(|aaaa| Record::Aaaa(aaaa.addr())),
        Kind::Mx => read_data::<rdata::Mx<WireName<'_>>>(record)?.and_then(|mx| {
            let exchange = name(mx.exchange())?;
            Some(Record::Mx(Mx { preference: mx.preference(), exchange }))
        }),
        Kind::Txt => read_data::<rdata::Txt<&[u8]>>(record)?
            .map(|txt| Record::Txt(txt.iter().flatten().copied().collect())),
        Kind::Ptr => read_data::<rdata::Ptr<WireName<'_>>>(record)?
            .and_then(|ptr| name(ptr.ptrdname()))
            .map(Record::Ptr),
        Kind::Tlsa => match read_data::<UnknownRecordData<&[u8]>>(record)?.map(|any| *any.data()) {
            Some(&[usage, selector, matching, ref data @ ..]) => {
                Some(Record::Tlsa(Tlsa { usage, selector, matching, data: data.to_vec() }))
            }
            Some(_) | None => return Err(ParseError::ShortInput),
        },
        Kind::Srv => read_data::<rdata::Srv<WireName<'_>>>(record)?.and_then(|srv| {
            let (priority, weight, port) = (srv.priority(), srv.weight(), srv.port());
            Some(Record::Srv(Srv { priority, weight, port, target: name(srv.target())? }))
        }),
        Kind::Caa => match read_data::<rdata::Caa<&[u8]>>(record)? {
            // RFC 8659 §4.1: a tag is never empty.
            Some(caa) if !caa.tag().to_string().is_empty() => {
                Some(Record::Caa(caa.flags().bits(), caa.tag().to_string(), caa.value().to_vec()))
            }
            Some(_) | None => return Err(ParseError::ShortInput),
        },
        Kind::Ns => read_data::<rdata::Ns<WireName<'_>>>(record)?
            .and_then(|ns| name(ns.nsdname()))
            .map(Record::Ns),
        Kind::Soa => read_data::<rdata::Soa<WireName<'_>>>(record)?
            .and_then(|soa| Some(Record::Soa(name(soa.mname())?, soa.serial().into()))),
    })
}

/// As a `Name`, if it is one.
fn name(name: &WireName<'_>) -> Option<Name> {
    let mut text = String::new();
    for label in name.iter().filter(|label| !label.is_root()) {
        // A dot within a label is none between two.
        let label = std::str::from_utf8(label.as_slice()).ok()?;
        if label.contains('.') {
            return None;
        }
        text.extend([label, "."]);
    }
    Name::parse(&text)
}
