//! Do the certificates that a server showed fit its TLSA records (RFC 7672 §3, RFC 7671 §5)? The server chose them.

use crate::base::{Doubt, Timestamp};
use crate::dns::{Name, Tlsa};
use openssl::error::ErrorStack;
use openssl::sha::{sha256, sha512};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509StoreContext, X509VerifyResult};

const DANE_TA: u8 = 2;
const DANE_EE: u8 = 3;
const WHOLE: u8 = 0;
/// More of what a server shows is not looked at.
const CHAIN_LEN_MAX: usize = 10;

/// `records` are those of a `Dane::Pinned`, `chain` is in DER, the server's own first, `names` are those that the server may
/// have (§3.2.2). An own certificate that is named (DANE-EE) needs no name and never expires; one that is vouched for by a
/// named authority (DANE-TA) needs both.
pub fn check(
    records: &[Tlsa],
    chain: &[Vec<u8>],
    names: &[&Name],
    now: Timestamp,
) -> Result<(), Doubt> {
    let odd = |error: ErrorStack| Doubt::NotTrusted(error.to_string());
    let chain = chain.iter().take(CHAIN_LEN_MAX).map(|der| X509::from_der(der));
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(odd)?;
    let Some(own) = chain.first() else { return Err(Doubt::NoCertificate) };
    if records.iter().any(|one| one.usage == DANE_EE && fits(one, own)) {
        return Ok(());
    }
    let mut anchors: Vec<X509> = Vec::new();
    for one in records.iter().filter(|one| one.usage == DANE_TA) {
        anchors.extend(chain.iter().filter(|shown| fits(one, shown)).cloned());
        // A whole certificate in DNS need not be shown.
        if one.selector == WHOLE
            && one.matching == WHOLE
            && let Ok(there) = X509::from_der(&one.data)
        {
            anchors.push(there);
        }
    }
    if anchors.is_empty() {
        return Err(Doubt::NotInDns);
    }
    let mut doubt = Doubt::OtherName;
    for name in names {
        match vouched(&anchors, own, &chain, name, now).map_err(odd)? {
            Ok(()) => return Ok(()),
            Err(Doubt::OtherName) => {}
            Err(other) => doubt = other,
        }
    }
    Err(doubt)
}

/// Does a record name this certificate?
fn fits(record: &Tlsa, certificate: &X509) -> bool {
    let of = if record.selector == WHOLE {
        certificate.to_der()
    } else {
        certificate.public_key().and_then(|key| key.public_key_to_der())
    };
    let Ok(of) = of else { return false };
    match record.matching {
        0 => record.data == of,
        1 => record.data == sha256(&of),
        2 => record.data == sha512(&of),
        _ => false,
    }
}

/// Does a chain from one of the anchors lead to the server's own certificate, for this name and at this time?
fn vouched(
    anchors: &[X509],
    own: &X509,
    chain: &[X509],
    name: &Name,
    now: Timestamp,
) -> Result<Result<(), Doubt>, ErrorStack> {
    let mut shown = Stack::new()?;
    for certificate in chain {
        shown.push(certificate.clone())?;
    }
    let mut context = X509StoreContext::new()?;
    let store = store(anchors, name, now)?;
    let verdict = context.init(&store, own, &shown, |context| {
        context.verify_cert()?;
        Ok(context.error())
    })?;
    Ok(match verdict {
        X509VerifyResult::OK => Ok(()),
        error => Err(Doubt::of_openssl(error.as_raw(), error.error_string())),
    })
}

fn store(anchors: &[X509], name: &Name, now: Timestamp) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for anchor in anchors {
        store.add_cert(anchor.clone())?;
    }
    let mut rules = X509VerifyParam::new()?;
    // The anchor need not be a root.
    rules.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    rules.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
    rules.set_host(name.as_str())?;
    rules.set_time(now.seconds());
    store.set_param(&rules)?;
    Ok(store.build())
}

#[cfg(test)]
mod tests {
    use super::{Doubt, Name, Timestamp, Tlsa, check, sha256, sha512};
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
    use openssl::x509::{X509, X509Name};

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    struct Issuer(X509, PKey<Private>);

    fn made(name: &str, issuer: Option<&Issuer>, until: i64) -> Issuer {
        let group = openssl::ec::EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = X509Name::builder().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let number = BigNum::from_u32(u32::try_from(name.len()).unwrap()).unwrap();
        builder.set_serial_number(&number.to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&subject).unwrap();
        let by = issuer.map_or(&*subject, |issuer| issuer.0.subject_name());
        builder.set_issuer_name(by).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(NOW - 30 * DAY).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(until).unwrap()).unwrap();
        if name.contains('.') {
            let context = builder.x509v3_context(None, None);
            let names = SubjectAlternativeName::new().dns(name).build(&context).unwrap();
            builder.append_extension(names).unwrap();
        } else {
            let ca = BasicConstraints::new().critical().ca().build().unwrap();
            builder.append_extension(ca).unwrap();
        }
        builder.sign(issuer.map_or(&key, |issuer| &issuer.1), MessageDigest::sha256()).unwrap();
        Issuer(builder.build(), key)
    }

    fn der(certificate: &Issuer) -> Vec<u8> {
        certificate.0.to_der().unwrap()
    }

    fn pin(usage: u8, selector: u8, matching: u8, of: &Issuer) -> Tlsa {
        let whole = der(of);
        let key = of.1.public_key_to_der().unwrap();
        let of = if selector == 0 { whole } else { key };
        let data = match matching {
            0 => of,
            1 => sha256(&of).to_vec(),
            _ => sha512(&of).to_vec(),
        };
        Tlsa { usage, selector, matching, data }
    }

    #[test]
    fn who_is_named_and_who_is_vouched_for() {
        let root = made("Root", None, NOW + 900 * DAY);
        let middle = made("Middle", Some(&root), NOW + 900 * DAY);
        let server = made("mx.example", Some(&middle), NOW + DAY);
        let old = made("mx.example", Some(&middle), NOW - DAY);
        let other = made("Other", None, NOW + 900 * DAY);
        let chain = [der(&server), der(&middle), der(&root)];
        let (mx, domain) =
            (Name::parse("mx.example").unwrap(), Name::parse("else.example").unwrap());
        let says = |pins: &[Tlsa], chain: &[Vec<u8>], names: &[&Name]| {
            check(pins, chain, names, Timestamp::from_seconds(NOW))
        };
        for selector in 0..2 {
            for matching in 0..3 {
                let own = pin(3, selector, matching, &server);
                assert_eq!(
                    says(std::slice::from_ref(&own), &chain, &[&domain]),
                    Ok(()),
                    "no name is needed"
                );
                assert_eq!(says(&[own], &[der(&old)], &[&mx]), Err(Doubt::NotInDns));
                for anchor in [&root, &middle] {
                    let by = [pin(2, selector, matching, anchor)];
                    assert_eq!(says(&by, &chain, &[&mx]), Ok(()), "{selector} {matching}");
                    assert_eq!(says(&by, &chain, &[&domain, &mx]), Ok(()), "one of the names");
                    assert_eq!(says(&by, &chain, &[&domain]), Err(Doubt::OtherName));
                    let expired = [der(&old), der(&middle), der(&root)];
                    assert_eq!(says(&by, &expired, &[&mx]), Err(Doubt::Expired));
                }
                let by_other = [pin(2, selector, matching, &other)];
                let with_other = [der(&server), der(&middle), der(&other)];
                let told = says(&by_other, &with_other, &[&mx]);
                assert!(
                    matches!(told, Err(Doubt::NotTrusted(_))),
                    "shown, and vouches for nothing"
                );
            }
        }
        assert_eq!(says(&[pin(3, 1, 1, &old)], &[der(&old)], &[&mx]), Ok(()), "dates do not count");
        assert_eq!(says(&[pin(2, 0, 0, &root)], &chain[..2], &[&mx]), Ok(()), "the root is in DNS");
        assert_eq!(says(&[pin(2, 0, 1, &root)], &chain[..2], &[&mx]), Err(Doubt::NotInDns));
        assert_eq!(
            says(&[pin(3, 0, 1, &root)], &chain, &[&mx]),
            Err(Doubt::NotInDns),
            "not its own"
        );
        let mut two = vec![pin(3, 1, 1, &old), pin(2, 0, 1, &other)];
        assert_eq!(says(&two, &chain, &[&mx]), Err(Doubt::NotInDns));
        two.push(pin(3, 1, 1, &server));
        assert_eq!(says(&two, &chain, &[&mx]), Ok(()), "any of them");
        assert_eq!(says(&two, &[], &[&mx]), Err(Doubt::NoCertificate));
        assert!(matches!(says(&two, &[vec![1, 2]], &[&mx]), Err(Doubt::NotTrusted(_))));
    }
}
