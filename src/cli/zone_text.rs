//! The records of a domain as texts: a zone file (RFC 1035 §5.1), and what the forms of DNS providers ask for.

use crate::daemon::{Zone, ZoneRecord};
use crate::selfcheck::Tier;

/// Seconds for which others may remember a record; short enough to mend a mistake the same day.
const TTL: u32 = 3600;

/// Records to be added to a zone; its SOA and NS are the provider's.
pub fn zone_file(zone: &Zone) -> String {
    let mut text = format!(
        "; DNS records of {} for the mail server {}.\n$ORIGIN {}.\n$TTL {TTL}\n",
        zone.domain, zone.host, zone.domain
    );
    sections(zone, &mut text, "; ", |record| {
        let name = name_within(&record.name, &zone.domain);
        let kind = &record.kind;
        match &record.data {
            Some(data) => format!("{name} IN {kind} {data}\n"),
            None => format!("; {name} IN {kind} {}\n", unknown(kind)),
        }
    });
    text
}

/// For a form: a record's name within the domain and in full, and its value with and without what zone files want.
pub fn values(zone: &Zone) -> String {
    let mut text = format!("DNS records of {} for the mail server {}.\n", zone.domain, zone.host);
    sections(zone, &mut text, "", |record| {
        let name = name_within(&record.name, &zone.domain);
        let mut lines = format!("  type     {}\n  name     {name}\n", record.kind);
        lines.push_str(&format!("  full     {}\n", record.name));
        match (&record.text, &record.data) {
            (Some(whole), Some(split)) => {
                lines.push_str(&format!("  value    {whole}\n"));
                // Some forms take no more than 255 characters at a time.
                if split.contains("\" \"") {
                    lines.push_str(&format!("  split    {split}\n"));
                }
            }
            (_, Some(data)) => {
                // The last label has all the rest.
                let labels = parts(&record.kind);
                for (label, part) in labels.iter().zip(data.splitn(labels.len(), ' ')) {
                    lines.push_str(&format!("  {label:<8} {part}\n"));
                }
            }
            (_, None) => lines.push_str(&format!("  value    {}\n", unknown(&record.kind))),
        }
        lines
    });
    text
}

/// What forms ask for apart.
const fn parts(kind: &str) -> &'static [&'static str] {
    match kind.as_bytes() {
        b"MX" => &["priority", "value"],
        b"SRV" => &["priority", "weight", "port", "target"],
        b"CAA" => &["flags", "tag", "value"],
        _ => &["value"],
    }
}

/// Each record under its sentence, each tier under its heading. `comment` stands before what is said.
fn sections(
    zone: &Zone,
    text: &mut String,
    comment: &str,
    record_lines: impl Fn(&ZoneRecord) -> String,
) {
    let mut last = None;
    for record in &zone.records {
        if last != Some(record.tier) {
            last = Some(record.tier);
            text.push_str(&format!("\n{comment}== {}\n", heading(record.tier)));
        }
        text.push_str(&format!("\n{comment}{}\n{}", record.about, record_lines(record)));
    }
}

const fn heading(tier: Tier) -> &'static str {
    match tier {
        Tier::Must => "Must be there: without these, mail is lost or taken for junk",
        Tier::Good => "Good to have: mail is safer, and programs are easier to set up",
        Tier::Expert => "For experts: nothing is wrong without these",
    }
}

fn unknown(kind: &str) -> &'static str {
    match kind {
        "AAAA" => "YOUR-IPV6-ADDRESS",
        _ => "YOUR-IPV4-ADDRESS",
    }
}

/// As most forms want it: `@` for the domain itself, else without the domain.
fn name_within(name: &str, domain: &str) -> String {
    if name == domain {
        return "@".to_owned();
    }
    let within = name.strip_suffix(domain).and_then(|labels| labels.strip_suffix('.'));
    within.map_or_else(|| format!("{name}."), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Tier, Zone, ZoneRecord, values, zone_file};

    fn record(name: &str, kind: &str, data: Option<&str>, text: Option<&str>) -> ZoneRecord {
        ZoneRecord {
            tier: if kind == "CAA" { Tier::Good } else { Tier::Must },
            name: name.to_owned(),
            kind: kind.to_owned(),
            data: data.map(str::to_owned),
            text: text.map(str::to_owned),
            about: format!("About {kind}."),
        }
    }

    fn zone() -> Zone {
        let (domain, host) = ("example.org".to_owned(), "mail.example.org".to_owned());
        let records = vec![
            record("mail.example.org", "A", None, None),
            record("example.org", "MX", Some("10 mail.example.org."), None),
            record("k._domainkey.example.org", "TXT", Some("\"a\" \"b\""), Some("ab")),
            record("example.org", "CAA", Some("0 issue \"x\""), None),
        ];
        Zone { domain, host, records }
    }

    #[test]
    fn a_zone_file() {
        assert_eq!(
            zone_file(&zone()),
            "; DNS records of example.org for the mail server mail.example.org.\n$ORIGIN example.org.\n$TTL 3600\n\
             \n; == Must be there: without these, mail is lost or taken for junk\n\
             \n; About A.\n; mail IN A YOUR-IPV4-ADDRESS\n\
             \n; About MX.\n@ IN MX 10 mail.example.org.\n\
             \n; About TXT.\nk._domainkey IN TXT \"a\" \"b\"\n\
             \n; == Good to have: mail is safer, and programs are easier to set up\n\
             \n; About CAA.\n@ IN CAA 0 issue \"x\"\n"
        );
    }

    #[test]
    fn values_for_a_form() {
        let text = values(&zone());
        assert!(text.contains(
            "\nAbout TXT.\n  type     TXT\n  name     k._domainkey\n  full     k._domainkey.example.org\n  \
             value    ab\n  split    \"a\" \"b\"\n"
        ));
        assert!(text.contains(
            "  name     @\n  full     example.org\n  priority 10\n  value    mail.example.org.\n"
        ));
        assert!(text.contains("  value    YOUR-IPV4-ADDRESS\n"), "{text}");
    }
}
